import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decontaminate.decide import SPAN
from pipeline.decontaminate.pieces import cut_documents


def cut(texts, spans):
    rows = len(texts)
    return cut_documents(
        pa.array([f"d{i}" for i in range(rows)], pa.string()),
        pa.array(range(rows), pa.int64()),
        pa.array(texts, pa.string()),
        pa.array(spans, pa.list_(SPAN)),
    ).to_pydict()


def test_pieces_take_their_place_and_count_from_nought():
    found = cut(
        ["whole text", "ab--cdé", "gone"], [None, [{"start": 0, "end": 2}, {"start": 4, "end": 7}], []]
    )
    assert found["document_id"] == ["d0", "d1#0", "d1#1"]
    assert found["text"] == ["whole text", "ab", "cdé"]
    assert found["row"] == [0, 1, 1]
    assert (found["first_char"], found["end_char"]) == ([0, 0, 4], [10, 2, 7])


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 20), st.integers(0, 20)), max_size=5))
def test_offsets_lead_back_to_the_text(documents):
    texts = [text.encode("utf-8", "ignore").decode() for text, _, _ in documents]
    spans = [
        [{"start": min(a, b, len(text)), "end": min(max(a, b), len(text))}]
        for text, (_, a, b) in zip(texts, documents, strict=True)
    ]
    found = cut(texts, spans)
    rows = zip(found["row"], found["first_char"], found["end_char"], found["text"], strict=True)
    assert all(texts[row][first:end] == text for row, first, end, text in rows)

import re
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.repeated_lines import Level, add_tallies, find_spans, remove_spans, repeated, tally

LINES = st.lists(
    st.sampled_from(["home", "HOME!", "about us", "", "--", "x y. z", "caf\u00e9? no"]), max_size=6
)
TEXTS = st.lists(st.none() | st.builds("\n".join, LINES), max_size=6)


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


def clean(texts: list[str | None], level: Level, max_documents: int) -> list[str | None]:
    array = pa.array(texts, pa.string())
    spans = find_spans(array, level)
    cut, removed = remove_spans(array, spans, repeated(tally(spans), max_documents=max_documents))
    result = cut.to_pylist()
    sizes = [
        len((before or "").encode()) - len((after or "").encode())
        for before, after in zip(texts, result, strict=True)
    ]
    assert removed.tolist() == sizes
    return result


@given(TEXTS, st.integers(0, 3))
def test_lines_of_many_documents_go_everywhere(texts: list[str | None], limit: int) -> None:
    held = Counter(
        line for text in texts for line in {words(line) for line in (text or "").split("\n")} if line
    )
    expected = [
        None
        if text is None
        else "".join(line for line in text.splitlines(keepends=True) if held[words(line)] <= limit)
        for text in texts
    ]
    assert clean(texts, "line", limit) == expected


@given(TEXTS, st.sampled_from(["line", "three_sentences"]), st.data())
def test_parts_and_their_order_change_no_count(
    texts: list[str | None], level: Level, data: st.DataObject
) -> None:
    array = pa.array(texts, pa.string())
    cut = data.draw(st.integers(0, len(texts)))
    whole = tally(find_spans(array, level))
    parts = [tally(find_spans(part, level)) for part in (array.slice(cut), array.slice(0, cut))]
    added = add_tallies(parts)
    assert (added.hashes.tolist(), added.documents.tolist()) == (
        whole.hashes.tolist(),
        whole.documents.tolist(),
    )


def test_three_sentences_in_a_row_are_one_span() -> None:
    shared = "All rights reserved. Read our terms! Contact us?"
    texts = [
        f"First text. {shared} The end.",
        f"Another text.\n{shared}\nIts end.",
        "All rights reserved. Read our terms!",
    ]
    assert clean(texts, "three_sentences", 1) == [
        "First text. The end.",
        "Another text.\nIts end.",
        texts[2],
    ]


def test_a_span_counts_once_for_each_document() -> None:
    assert clean(["menu\nmenu\nmenu\ntext", "other"], "line", 1) == ["menu\nmenu\nmenu\ntext", "other"]


@pytest.mark.parametrize("texts", [[], [None], [""], [None, "", "\n\n"]])
def test_nothing_to_cut(texts: list[str | None]) -> None:
    assert clean(texts, "line", 0) == texts
    assert clean(texts, "three_sentences", 0) == texts


def test_tallies_of_no_part() -> None:
    assert len(add_tallies([]).hashes) == 0

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.repeated_lines import Unit, find_pieces, plan_cut, remove_ranges, spans_of

LINES = st.lists(
    st.sampled_from(["home", "HOME!", "about us", "", "--", "x y. z", "caf\u00e9? no", "CAFE\u0301 no"]),
    max_size=6,
)
TEXTS = st.lists(st.none() | st.builds("\n".join, LINES), max_size=6)


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", unicodedata.normalize("NFC", text).lower()))


def clean(texts: list[str | None], unit: Unit, *unwanted: str) -> list[str | None]:
    """Cut the spans whose words are those of one of the unwanted ones."""
    array = pa.array(texts, pa.string())
    pieces = find_pieces(array, unit)
    spans = spans_of(pieces, unit)
    known = find_pieces(pa.array(unwanted, pa.string()), unit)
    chosen = np.isin(spans.hashes, spans_of(known, unit).hashes)
    cut = plan_cut(pieces, spans, chosen, len(texts))
    result: list[str | None] = remove_ranges(array, cut.ranges).to_pylist()
    sizes = [
        len((before or "").encode()) - len((after or "").encode())
        for before, after in zip(texts, result, strict=True)
    ]
    assert cut.bytes.tolist() == sizes
    assert (cut.spans > 0).tolist() == [size > 0 for size in sizes]
    assert cut.whole.tolist() == [
        size > 0 and not words(after or "") for size, after in zip(sizes, result, strict=True)
    ]
    assert cut.ranges.is_null().to_pylist() == [size == 0 for size in sizes]
    return result


@given(TEXTS, st.sets(st.sampled_from(["home", "about us", "x y z", "caf\u00e9 no"]), min_size=1))
def test_lines_go_by_their_words(texts: list[str | None], unwanted: set[str]) -> None:
    gone = {words(line) for line in unwanted}
    expected = [
        None
        if text is None
        else "".join(line for line in text.splitlines(keepends=True) if words(line) not in gone)
        for text in texts
    ]
    assert clean(texts, "line", *unwanted) == expected


@given(TEXTS, st.sampled_from(["line", "three_sentences"]), st.data())
def test_a_batch_may_be_cut_anywhere(texts: list[str | None], unit: Unit, data: st.DataObject) -> None:
    array = pa.array(texts, pa.string())
    cut = data.draw(st.integers(0, len(texts)))
    found = [
        spans_of(find_pieces(part, unit), unit) for part in (array, array.slice(0, cut), array.slice(cut))
    ]
    whole, first, second = found
    assert whole.hashes.tolist() == [*first.hashes.tolist(), *second.hashes.tolist()]
    assert whole.rows.tolist() == [*first.rows.tolist(), *(second.rows + cut).tolist()]


@given(st.text(alphabet="aA.!? \n\t\u00c9e\u0301\u3002\uff01\u0130\ud7a3\u1100", max_size=40))
def test_places_are_those_of_the_text_as_written(text: str) -> None:
    """Whatever NFC and lower case do to the bytes between."""
    pieces = find_pieces(pa.array([text]), "three_sentences")
    data = text.encode()
    for start, end, hashed in zip(pieces.starts, pieces.ends, pieces.hashes, strict=True):
        alone = find_pieces(pa.array([data[start:end].decode()]), "line")
        assert alone.hashes.tolist() == [hashed]


SHARED = "All rights reserved. Read our terms! Contact us?"


def test_three_sentences_in_a_row_are_one_span() -> None:
    texts = [
        f"First text. {SHARED} The end.",
        f"Another text.\n{SHARED}\nIts end.",
        "All rights reserved. Read our terms!",
    ]
    assert clean(texts, "three_sentences", SHARED) == [
        "First text. The end.",
        "Another text.\nIts end.",
        texts[2],
    ]


def test_runs_that_overlap_are_cut_once() -> None:
    text = "One. Two. Three. Four. Five."
    assert clean([text], "three_sentences", "One. Two. Three.", "Two. Three. Four.") == [" Five."]
    assert clean([text], "three_sentences", text) == [""]


def test_sentences_of_scripts_without_spaces_end_at_their_own_marks() -> None:
    shared = (
        "\u8457\u4f5c\u6a29\u6240\u6709\u3002\u8f6c\u8f7d\u5fc5\u7a76\uff01\u8054\u7cfb\u6211\u4eec\uff1f"
    )
    before, after = "\u7b2c\u4e00\u7bc7\u3002", "\u5b8c\u3002"
    assert clean([before + shared + after], "three_sentences", shared) == [before + after]
    assert clean([f"{before}\n{shared}\n{after}"], "line", shared) == [f"{before}\n{after}"]


@pytest.mark.parametrize("texts", [[], [None], [""], [None, "", "\n\n"]])
def test_nothing_to_cut(texts: list[str | None]) -> None:
    assert clean(texts, "line", "x") == texts
    assert clean(texts, "three_sentences", "x") == texts


def test_a_line_ten_thousand_times_in_one_text_is_one_range() -> None:
    text = "again and again\n" * 10_000
    array = pa.array([text, "fresh"])
    pieces = find_pieces(array, "line")
    spans = spans_of(pieces, "line")
    cut = plan_cut(pieces, spans, spans.rows == 0, 2)
    assert cut.ranges.to_pylist() == [[{"start": 0, "end": len(text)}], None]
    assert cut.spans.tolist() == [10_000, 0]
    assert cut.whole.tolist() == [True, False]

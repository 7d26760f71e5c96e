import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decontaminate.fold import fold, fold_one
from tests.pipeline.decontaminate.reference import words_of
from text.buffers import text_buffer
from text.words import WordRule, find_words

ODD = [
    "a", "Z", "e", " ", "-", "'", "_", "\u2019", "\u201c", "\u2014", "\u00ad", "\u200b", "\u200d", "\ufeff", "\u0301", "\u0308",
    "\u00e9", "\u00c9", "\u0130", "\u03a3", "\u03c2", "\u212b", "\u212a", "\u1e9e", "\u023a", "\u0414", "\u0434", "\u20ac", "\u2122",
    "\U0001f600", "\ufe0f", "\u20e3", "\u1112", "\u1161", "\u11ab", "\ud55c", "\u0958", "\u0915\u093c", "\u093f", "\uff01", "\u4e00",
    "\u3042", "\u3099", "\U00010400", "\U000e0100", "\u00a0", "\u00ae", "&amp;", "&quot;", "&#39;", "&eacute;", "&shy;", "&#x301;",
    "&amp;amp;lt;", "&nope;", "&amp;nope;", "&", ";", "&#xD800;", "&ngE;", "\r\n", "\x00", "\x85", "\u0344", "\U0002f800", "\u02bc",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]), max_size=30).map("".join)


def words_by_fold(texts: list[str]) -> list[list[tuple[str, int, int]]]:
    """Words of each text, with the characters of the original that they cover."""
    folded = fold(text_buffer(pa.array(texts, pa.large_string())))
    words = find_words(folded.texts, WordRule(underscore=False))
    found = []
    for row, text in enumerate(texts):
        some = slice(words.borders[row], words.borders[row + 1])
        starts, ends = folded.original(row, words.starts[some], words.ends[some])
        data = text.encode()
        spelled = [
            words.data[a:b]
            .tobytes()
            .decode()
            .translate(str.maketrans({chr(c): chr(c + 32) for c in range(65, 91)}))
            for a, b in zip(words.starts[some], words.ends[some], strict=True)
        ]
        places = [(len(data[:a].decode()), len(data[:b].decode())) for a, b in zip(starts, ends, strict=True)]
        found.append([(word, *place) for word, place in zip(spelled, places, strict=True)])
    return found


@given(st.lists(TEXTS, max_size=6))
@settings(max_examples=300, deadline=None)
def test_words_and_their_places_equal_the_plain_reading(texts: list[str]) -> None:
    assert words_by_fold(texts) == [[tuple(word) for word in words_of(text)] for text in texts]


@pytest.mark.parametrize(
    "other",
    [
        "Don\u2019t stop: the na\u00efve caf\u00e9 closes",
        "DON'T STOP THE NA\u00cfVE CAF\u00c9 CLOSES",
        "don&#39;t stop &quot;the na&iuml;ve caf&eacute;&quot; closes",
        "don&amp;#39;t stop &amp;amp; the nai\u0308ve cafe\u0301 closes",
        "don't st\u00adop the na\u00ef\u200bve ca\u200df\u00e9 clo\ufeffses",
        "don't\r\nstop\u00a0the\u2003na\u00efve \u2014 caf\u00e9\u2026 closes\U0001f600",
    ],
)
def test_dress_does_not_count(other: str) -> None:
    plain = words_of("don't stop the na\u00efve caf\u00e9 closes")
    assert [word for word, _, _ in words_by_fold([other])[0]] == [word.text for word in plain]


def test_a_plain_text_is_read_where_it_lies() -> None:
    texts = text_buffer(
        pa.array(["Plain text, \u201cquoted\u201d \u2014 with dashes & ampersands.", "caf\u00e9"])
    )
    folded = fold(texts)
    assert folded.texts.data is texts.data
    assert not folded.edits


def test_a_text_between_texts_keeps_its_neighbours_in_place() -> None:
    texts = ["first one", "sec\u00adond", "", "third \u00c9", None, "fo&shy;urth"]
    folded = fold(text_buffer(pa.array(texts)))
    found = [
        folded.texts.data[a:b].tobytes().decode()
        for a, b in zip(folded.texts.starts, folded.texts.ends, strict=True)
    ]
    assert found == ["first one", "second", "", "third \u00e9", "", "fourth"]


def test_endless_marks_are_folded_in_linear_time_and_stay_on_their_letter() -> None:
    marks = "e" + "\u0301\u0323" * 20_000
    folded, _ = fold_one(np.frombuffer(marks.encode(), np.uint8))
    assert len(folded) > 30_000
    assert folded.tobytes().decode().startswith(unicodedata.normalize("NFC", marks[:257])[:2])

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text.buffers import text_buffer
from text.words import WordRule, Words, character_offsets, find_words, word_batches

ALPHABET = (
    "abZ09_ .,\n-\u2019\u201c\u2026\u00a0\u00e9\u00df\u0130\u4f60\u3002\u3042\u0e01\U0001f600\U00020000"
)
TEXTS = st.lists(st.none() | st.text(ALPHABET, max_size=30), max_size=8)

_SEPARATOR = "\u2000-\u203f\u0080-\u00bf\u3000-\u303f"
_UNSPACED = (
    "\u0e00-\u0fff\u1000-\u107f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002ffff"
)


def reference(text: str, rule: WordRule) -> list[str]:
    """The same rule as regular expressions over characters."""
    underscore = "_" if rule.underscore else ""
    word = f"[0-9A-Za-z{underscore}]|[^\x00-\x7f{_SEPARATOR}]"
    if rule.characters:
        return re.findall(f"[{_UNSPACED}]|(?:(?![{_UNSPACED}])(?:{word}))+", text)
    return re.findall(f"(?:{word})+", text)


def spell(words: Words) -> list[list[str]]:
    flat = [words.data[s:e].tobytes().decode() for s, e in zip(words.starts, words.ends, strict=True)]
    return [flat[a:b] for a, b in pairwise(words.borders.tolist())]


@given(TEXTS, st.booleans(), st.booleans())
def test_words_are_those_of_the_regular_expression(
    texts: list[str | None], underscore: bool, characters: bool
) -> None:
    rule = WordRule(underscore=underscore, characters=characters)
    found = spell(find_words(text_buffer(pa.array(texts, pa.string())), rule))
    assert found == [reference(text or "", rule) for text in texts]


def test_curly_quotes_and_straight_quotes_cut_alike() -> None:
    texts = text_buffer(pa.array(['don\'t "stop"...now', "don\u2019t \u201cstop\u201d\u2026now"]))
    straight, curly = spell(find_words(texts))
    assert straight == curly == ["don", "t", "stop", "now"]


@given(TEXTS, st.data())
def test_offset_slice_chunk_and_width_of_the_array_change_nothing(
    texts: list[str | None], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(texts)))
    stop = data.draw(st.integers(first, len(texts)))
    expected = spell(find_words(text_buffer(pa.array(texts[first:stop], pa.string()))))
    whole = pa.array(texts, pa.string())
    cut = data.draw(st.integers(0, len(texts)))
    chunked = pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])
    for form in (
        whole.slice(first, stop - first),
        whole.cast(pa.large_string()).slice(first, stop - first),
        whole.dictionary_encode().slice(first, stop - first),
        chunked.slice(first, stop - first),
    ):
        assert spell(find_words(text_buffer(form))) == expected


@pytest.mark.parametrize("valid", range(8))
def test_a_null_that_owns_bytes_is_an_empty_text(valid: int) -> None:
    offsets = pa.py_buffer(np.array([0, 3, 6, 9], np.int32).tobytes())
    array = pa.Array.from_buffers(
        pa.string(), 3, [pa.py_buffer(bytes([valid])), offsets, pa.py_buffer(b"onetwosix")]
    )
    expected = [[word] if valid >> row & 1 else [] for row, word in enumerate(["one", "two", "six"])]
    assert spell(find_words(text_buffer(array))) == expected


@pytest.mark.parametrize("array", [pa.array([b"x"]), pa.array([1]), pa.array([["x"]])])
def test_only_strings_are_texts(array: pa.Array) -> None:
    with pytest.raises(TypeError, match="expected an array of strings, got"):
        text_buffer(array)


@given(TEXTS, st.integers(1, 40), st.integers(4, 40), st.integers(0, 4))
def test_batches_and_pieces_hold_every_run_of_words_once(
    texts: list[str | None], batch_bytes: int, piece_bytes: int, overlap: int
) -> None:
    buffer = text_buffer(pa.array(texts, pa.string()))
    runs: list[list[tuple[str, ...]]] = [[] for _ in texts]
    rows = set()
    for batch in word_batches(buffer, overlap=overlap, batch_bytes=batch_bytes, piece_bytes=piece_bytes):
        for row, words in enumerate(spell(batch.words), batch.first_row):
            rows.add(row)
            runs[row] += [tuple(words[i : i + overlap + 1]) for i in range(len(words) - overlap)]
    expected = [reference(text or "", WordRule()) for text in texts]
    assert rows == set(range(len(texts)))
    assert runs == [
        [tuple(words[i : i + overlap + 1]) for i in range(len(words) - overlap)] for words in expected
    ]


@given(st.text(ALPHABET, max_size=40))
def test_character_offsets_count_characters(text: str) -> None:
    offsets = np.cumsum([0] + [len(character.encode()) for character in text])
    data = np.frombuffer(text.encode(), np.uint8)
    assert character_offsets(data, offsets).tolist() == list(range(len(text) + 1))

import hashlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import text.hashes
from text.buffers import TextBuffer, text_buffer
from text.hashes import P, Q, fmix64, gram_hashes, hash_strings, uniform, word_hashes
from text.random_bytes import RANDOM_BY_BYTE
from text.words import find_words, word_batches

TEXTS = st.lists(st.text("aAbB \u00e9\u2019", max_size=40), max_size=6)
M = 1 << 64


def mix(x: int) -> int:
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD % M
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 % M
    return x ^ (x >> 33)


def slow_word(word: bytes) -> int:
    return mix(sum(int(RANDOM_BY_BYTE[c]) * pow(P, i, M) for i, c in enumerate(word.lower())) % M)


def slow_gram(words: list[int]) -> int:
    total = 0
    for word in words:
        total = (total * Q + word) % M
    return mix(total)


def buffer(texts: list[str]) -> TextBuffer:
    return text_buffer(pa.array(texts, pa.string()))


def test_random_bytes_are_what_their_docstring_says() -> None:
    for byte in range(256):
        digest = hashlib.blake2b(bytes([byte]), digest_size=8, person=b"crawlmix-bytes").digest()
        assert int(RANDOM_BY_BYTE[byte]) == int.from_bytes(digest, "little")


def test_fmix64_is_murmurhash3() -> None:
    # fmix64(1) as published with MurmurHash3's reference implementation.
    assert fmix64(np.array([0, 1], np.uint64)).tolist() == [0, 0xB456BCFC34C2CB2C]


@given(TEXTS, st.integers(1, 14), st.booleans())
def test_hashes_follow_their_definition(texts: list[str], n: int, whole: bool) -> None:
    words = find_words(buffer(texts))
    hashed = [slow_word(words.data[s:e].tobytes()) for s, e in zip(words.starts, words.ends, strict=True)]
    assert word_hashes(words).tolist() == hashed
    expected = []
    for first, stop in pairwise(words.borders.tolist()):
        grams = [slow_gram(hashed[i : i + n]) for i in range(first, stop - n + 1)]
        expected.append([slow_gram(hashed[first:stop])] if whole and 0 < stop - first < n else grams)
    grams = gram_hashes(words, n, whole_if_shorter=whole)
    assert [grams.hashes[a:b].tolist() for a, b in pairwise(grams.borders.tolist())] == expected


@given(TEXTS, st.integers(1, 6), st.integers(4, 30))
def test_pieces_of_a_long_text_give_the_same_grams(texts: list[str], n: int, piece_bytes: int) -> None:
    whole = gram_hashes(find_words(buffer(texts)), n)
    found: list[list[int]] = [[] for _ in texts]
    for batch in word_batches(buffer(texts), overlap=n - 1, batch_bytes=20, piece_bytes=piece_bytes):
        grams = gram_hashes(batch.words, n)
        for row, (a, b) in enumerate(pairwise(grams.borders.tolist()), batch.first_row):
            found[row] += grams.hashes[a:b].tolist()
    assert found == [whole.hashes[a:b].tolist() for a, b in pairwise(whole.borders.tolist())]


@pytest.mark.parametrize("block", [1, 7, 64])
def test_block_size_changes_no_hash(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.array(["word " * 30, "x" * 300, "", "a b c", "long" * 40 + " tail"])
    words = find_words(text_buffer(texts))
    expected = word_hashes(words), hash_strings(texts)
    monkeypatch.setattr(text.hashes, "_BLOCK", block)
    text.hashes._powers.cache_clear()
    found = word_hashes(words), hash_strings(texts)
    text.hashes._powers.cache_clear()
    assert [a.tolist() for a in found] == [a.tolist() for a in expected]


def test_strings_hash_apart() -> None:
    strings = ["", "\0", "\0\0", "a", "A", "ab", "ba", "\u00e9"] + [f"id-{i}" for i in range(100_000)]
    hashes = hash_strings(pa.array(strings))
    assert len(np.unique(hashes)) == len(strings)
    assert not np.isin(hashes, hash_strings(pa.array(strings), seed=1)).any()


def test_stored_hashes_never_change() -> None:
    assert hash_strings(pa.array(["urn:uuid:1", None])).tolist() == STORED_STRINGS
    words = find_words(buffer(["The quick brown fox jumps over"]))
    assert gram_hashes(words, 5).hashes.tolist() == STORED_GRAMS


def test_draws_are_even_and_independent_of_company() -> None:
    ids = pa.array([f"urn:uuid:{i:032x}" for i in range(100_000)])
    draws = uniform(ids, seed=0, rule="pareto")
    share = np.histogram(draws, bins=20, range=(0, 1))[0] / len(draws)
    # Six standard deviations of a binomial share of 1/20.
    assert np.abs(share - 0.05).max() < 6 * (0.05 * 0.95 / len(draws)) ** 0.5
    assert uniform(ids.slice(500, 3), seed=0, rule="pareto").tolist() == draws[500:503].tolist()
    for other in (uniform(ids, seed=1, rule="pareto"), uniform(ids, seed=0, rule="language")):
        assert abs(np.corrcoef(draws, other)[0, 1]) < 0.02


def test_runs_need_a_length() -> None:
    with pytest.raises(ValueError, match="n >= 1, got 0"):
        gram_hashes(find_words(buffer(["a"])), 0)


STORED_STRINGS = [9466479321815579599, 14731475346158217372]
STORED_GRAMS = [5513083554344574568, 5351035466286081914]

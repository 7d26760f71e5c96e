"""Long words in blocks have the ids of the whole."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokenize.encoder import Encoder
from pipeline.tokenize.long_words import encode_long
from pipeline.tokenize.parity import FastEncoder


@pytest.fixture(scope="module")
def fast() -> FastEncoder:
    found = Encoder.load("gpt2")._plain.fast
    assert found is not None
    return found


def counted(fast: FastEncoder, text: str) -> tuple[np.ndarray, list[int]]:
    """Ids by blocks, and the lengths of the blocks."""
    blocks: list[int] = []

    def encode(block: str) -> np.ndarray:
        blocks.append(len(block))
        return fast.encode(block)

    return encode_long(text, encode, fast.byte_lengths, block_chars=1100), blocks


ALPHABETS = ["a", "ab", "=", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0", "0123456789", "=-", "é", "中文字", "🙂🙃", "ing", "'s", "a'", "aé", "_-'"]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ALPHABETS), st.integers(1, 3000)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_runs_of_any_kind_are_encoded_as_a_whole_is(fast: FastEncoder, runs, draw) -> None:
    text = "".join("".join(draw.choices(alphabet, k=length)) for alphabet, length in runs)
    assert np.array_equal(counted(fast, text)[0], fast.encode(text))


@pytest.mark.parametrize("word", ["a", "=", "ab", "é", "aaaaaaab", "ation", "0", "🙂", "中", "s'", " a"])
@pytest.mark.parametrize("shift", [0, 1, 3, 509])
def test_repeats_are_cut_where_their_ids_allow(fast: FastEncoder, word: str, shift: int) -> None:
    text = "x" * shift + word * (12_000 // len(word))
    ids, blocks = counted(fast, text)
    assert np.array_equal(ids, fast.encode(text))
    if len(word) == 1 or word.isalpha():
        assert max(blocks) < 3000, "was not cut"


def test_letters_that_belong_to_an_apostrophe_are_not_taken_for_a_word(fast: FastEncoder) -> None:
    for shift in range(20):
        text = "y" * (580 + shift) + "'" + "s" * 3000 + "'ll" + "l" * 3000 + "'re" * 500
        assert np.array_equal(counted(fast, text)[0], fast.encode(text)), shift


def test_real_words_of_no_language_are_the_same(fast: FastEncoder) -> None:
    draw = random.Random(4)
    syllables = ["tion", "ing", "er", "q", "xz", "the", "an", "ß", "über", "A", "Z", "str"]
    text = "".join(draw.choices(syllables, k=30_000))
    ids, blocks = counted(fast, text)
    assert np.array_equal(ids, fast.encode(text))
    assert max(blocks) < 3000


def test_a_text_without_any_sure_place_is_encoded_at_once(fast: FastEncoder) -> None:
    text = "a1" * 4000
    ids, blocks = counted(fast, text)
    assert np.array_equal(ids, fast.encode(text))
    assert blocks == [8000]


def test_the_encoder_takes_a_long_word_by_blocks(fast: FastEncoder) -> None:
    encoder = Encoder.load("gpt2")
    for text in ("a" * 200_001, "start " + "abc" * 70_000 + " end", "-" * 140_000 + "'s"):
        assert np.array_equal(encoder.encode(text), fast.encode(text))

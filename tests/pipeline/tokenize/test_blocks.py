"""Many texts at once give the ids of one text at a time, whatever the table of words knows."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokenize.blocks import encode_block
from pipeline.tokenize.encoder import NASTY, Encoder
from pipeline.tokenize.segments import find_segments, short_keys
from pipeline.tokenize.tokenizer import load_tokenizer
from pipeline.tokenize.word_table import MISSING, WordTable

EOS = np.array([50256], dtype=np.uint16)
TEXT = st.text(
    st.sampled_from(
        " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u180e\u2003\u200b\u2028\u202f\u205f\u3000\ufeffaB1é'.!中😀\x00"
    )
    | st.characters(exclude_categories=("Cs",)),
    min_size=1,
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load("gpt2")


def laid_out(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    data = [text.encode() for text in texts]
    return np.frombuffer(b"".join(data), dtype=np.uint8), np.cumsum([0, *map(len, data)])


def reference(text: str) -> list[int]:
    return load_tokenizer("gpt2").base.encode(text, add_special_tokens=False).ids


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT | st.sampled_from(NASTY), min_size=1, max_size=6))
def test_segments_are_the_texts_and_cutting_there_changes_no_id(texts: list[str]) -> None:
    block, borders = laid_out(texts)
    segments = find_segments(block, borders)
    assert np.array_equal(np.cumsum(segments.lengths)[:-1], segments.starts[1:])
    assert segments.starts[0] == 0
    assert int(segments.lengths.sum()) == len(block)
    assert segments.starts[segments.first].tolist() == borders[:-1].tolist()
    raw = block.tobytes()
    for document, text in enumerate(texts):
        end = segments.first[document + 1] if document + 1 < len(texts) else len(segments.starts)
        pieces = [
            raw[segments.starts[n] : segments.starts[n] + segments.lengths[n]].decode()
            for n in range(segments.first[document], end)
        ]
        assert "".join(pieces) == text
        assert list(itertools.chain(*map(reference, pieces))) == reference(text)


def test_most_segments_are_single_words() -> None:
    block, borders = laid_out(["It's a small world,\n\n\tafter  all café au lait.  "])
    segments = find_segments(block, borders)
    pieces = [
        block[s : s + n].tobytes().decode() for s, n in zip(segments.starts, segments.lengths, strict=True)
    ]
    assert pieces == [
        "It's",
        " a",
        " small",
        " world,",
        "\n\n",
        "\tafter",
        " ",
        " all",
        " café",
        " au",
        " lait.",
        "  ",
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=6), st.integers(1, 6))
def test_the_table_changes_no_id_even_when_it_is_always_full(
    encoder: Encoder, blocks: list[list[str]], slot_bits: int
) -> None:
    table = WordTable(np.dtype(np.uint16), slot_bits)
    for texts in [*blocks, *blocks]:
        block, borders = laid_out(texts)
        found = encode_block(block, borders, table=table, encoder=encoder._plain, eos=EOS)
        expected = [[*reference(text), 50256] for text in texts]
        assert found.lengths.tolist() == [len(ids) for ids in expected]
        assert found.tokens.tolist() == list(itertools.chain(*expected))
        assert table.words <= 1 << (slot_bits - 1)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=15), min_size=1, max_size=60, unique=True))
def test_a_table_finds_what_was_added_and_nothing_else(words: list[bytes]) -> None:
    block = np.frombuffer(b"".join(words), dtype=np.uint8)
    lengths = np.array([len(word) for word in words])
    low, high = short_keys(block, np.cumsum(lengths) - lengths, lengths)
    assert len({*zip(low.tolist(), high.tolist(), strict=True)}) == len(words)
    half = len(words) // 2
    table = WordTable(np.dtype(np.uint16), 7)
    counts = np.arange(half) % 3 + 1
    ids = np.arange(int(counts.sum()), dtype=np.uint16)
    table.add(low[:half], high[:half], ids, counts)
    slots = table.find(low, high)
    assert np.all(slots[half:] == MISSING)
    for n in range(half):
        start = int(table.starts(slots[n : n + 1])[0])
        first = int(counts[:n].sum())
        assert table.ids[start : start + counts[n]].tolist() == ids[first : first + counts[n]].tolist()

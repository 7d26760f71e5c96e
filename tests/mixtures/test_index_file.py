"""The index that Megatron reads, against its published layout."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.errors import MixtureError
from mixtures.index_file import index_bytes, read_lengths, token_dtype

# The 82 bytes that datatrove's and Megatron's writers give for documents [1, 2, 50256] and [50256].
GOLDEN = bytes.fromhex(
    "4d4d494449445800 00 0100000000000000 08 0200000000000000 0300000000000000"
    "03000000 01000000"
    "0000000000000000 0600000000000000"
    "0000000000000000 0100000000000000 0200000000000000".replace(" ", "")
)


def megatron_reads(data: bytes) -> tuple[int, list[int], list[int], list[int]]:
    """Read an index as Megatron-LM's `_IndexReader` does, straight from the layout."""
    assert data[:9] == b"MMIDIDX\x00\x00"
    assert struct.unpack("<Q", data[9:17]) == (1,)
    (code,) = struct.unpack("<B", data[17:18])
    (sequences,) = struct.unpack("<Q", data[18:26])
    (documents,) = struct.unpack("<Q", data[26:34])
    lengths = np.frombuffer(data, np.int32, sequences, 34)
    pointers = np.frombuffer(data, np.int64, sequences, 34 + lengths.nbytes)
    borders = np.frombuffer(data, np.int64, documents, 34 + lengths.nbytes + pointers.nbytes)
    assert 34 + lengths.nbytes + pointers.nbytes + borders.nbytes == len(data)
    return code, lengths.tolist(), pointers.tolist(), borders.tolist()


def test_the_index_of_two_documents_is_the_published_one_byte_for_byte() -> None:
    assert index_bytes(np.array([3, 1]), token_dtype(50257)) == GOLDEN


@settings(max_examples=50)
@given(st.lists(st.integers(1, 10_000), max_size=40), st.sampled_from([50257, 100_000]))
def test_an_independent_reader_finds_every_document(lengths: list[int], vocabulary: int) -> None:
    dtype = token_dtype(vocabulary)
    code, found, pointers, borders = megatron_reads(index_bytes(np.array(lengths, dtype=np.int64), dtype))
    assert code == {"uint16": 8, "int32": 4}[dtype.name]
    assert found == lengths
    assert pointers == [sum(lengths[:n]) * dtype.itemsize for n in range(len(lengths))]
    assert borders == list(range(len(lengths) + 1))


@pytest.mark.parametrize(
    ("vocabulary", "name"), [(1, "uint16"), (65_499, "uint16"), (65_500, "int32"), (200_000, "int32")]
)
def test_the_token_type_changes_where_megatron_changes_it(vocabulary: int, name: str) -> None:
    assert token_dtype(vocabulary).name == name


def test_lengths_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.idx"
    path.write_bytes(GOLDEN)
    assert read_lengths(path).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:20], "20 bytes are too few for a shard index"),
        (lambda data: b"X" + data[1:], "not a shard index of version 1"),
        (lambda data: data[:-8], "expected 82 bytes for 2 documents, found 74"),
        (lambda data: data[:18] + b"\xff" * 8 + data[26:], "bytes for 18,446,744,073,709,551,615 documents"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, damage, message: str) -> None:
    path = tmp_path / "a.idx"
    path.write_bytes(damage(GOLDEN))
    with pytest.raises(MixtureError, match=message):
        read_lengths(path)


@pytest.mark.parametrize("length", [0, 2**31])
def test_a_document_that_the_format_cannot_hold_is_refused(length: int) -> None:
    with pytest.raises(MixtureError, match="the index holds lengths of 1 to 2,147,483,647"):
        index_bytes(np.array([5, length]), token_dtype(50257))

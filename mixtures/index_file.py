"""Megatron's `.idx`: where each document of a token shard begins, byte for byte as Megatron-LM reads it."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError

Int64s = npt.NDArray[np.int64]

MAGIC = b"MMIDIDX\0\0"
VERSION = 1
_HEAD = struct.Struct("<9sQBQQ")  # magic, version, dtype code, sequences, entries of the document index
_MAX_LENGTH = 2**31 - 1  # a sequence's length is an int32

# Megatron's largest vocabulary for two-byte tokens (`DType.optimal_dtype`).
UINT16_VOCABULARY = 65_500
# Megatron and GPT-NeoX disagree on the codes of the floating types alone; these two agree.
DTYPE_CODES: dict[str, int] = {"uint16": 8, "int32": 4}


def token_dtype(vocabulary_size: int) -> "np.dtype[Any]":
    """Choose the type of a stored token: little-endian uint16 below 65,500 ids, int32 from there on.

    Raises:
        MixtureError: the vocabulary is empty or has ids that int32 cannot hold.
    """
    if not 0 < vocabulary_size <= 2**31:
        raise MixtureError(
            f"a vocabulary of {vocabulary_size:,} ids cannot be stored; expected 1 to {2**31:,}"
        )
    return np.dtype("<u2" if vocabulary_size < UINT16_VOCABULARY else "<i4")


def index_bytes(lengths: Int64s, dtype: "np.dtype[Any]") -> bytes:
    """Lay out the index of a shard in which every document is one sequence: 42 + 20 * n bytes.

    Args:
        lengths: (n,) tokens of each document, end-of-text token included.
        dtype: type of a token in the `.bin`.

    Raises:
        MixtureError: a document is empty or too long for the format.

    Source: Megatron-LM `megatron/core/datasets/indexed_dataset.py`; GPT-NeoX and datatrove write the same.
    """
    if len(lengths) and not 0 < int(lengths.min()) <= int(lengths.max()) <= _MAX_LENGTH:
        raise MixtureError(
            f"documents of {int(lengths.min()):,} to {int(lengths.max()):,} tokens; "
            f"the index holds lengths of 1 to {_MAX_LENGTH:,}"
        )
    count = len(lengths)
    ends = np.cumsum(lengths, dtype=np.int64)
    offsets = np.zeros(count, dtype="<i8")
    offsets[1:] = ends[:-1] * dtype.itemsize
    head = _HEAD.pack(MAGIC, VERSION, DTYPE_CODES[dtype.name], count, count + 1)
    documents = np.arange(count + 1, dtype="<i8")
    return head + lengths.astype("<i4").tobytes() + offsets.tobytes() + documents.tobytes()


def index_size(documents: int) -> int:
    """Bytes of the index of a shard in which every document is one sequence."""
    return _HEAD.size + 12 * documents + 8 * (documents + 1)


def read_lengths(path: Path) -> Int64s:
    """Tokens of each document of a shard, (n,), from its `.idx`.

    Raises:
        MixtureError: the file is missing, cut, of another format, or holds several sequences a document.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MixtureError(f"{path}: cannot read the index of a shard: {error.strerror}") from error
    if len(data) < _HEAD.size:
        raise MixtureError(
            f"{path}: {len(data)} bytes are too few for a shard index; expected at least {_HEAD.size}"
        )
    magic, version, code, count, entries = _HEAD.unpack_from(data)
    if magic != MAGIC or version != VERSION or code not in DTYPE_CODES.values():
        raise MixtureError(f"{path}: not a shard index of version {VERSION} with uint16 or int32 tokens")
    expected = index_size(count)
    if entries != count + 1 or len(data) != expected:
        raise MixtureError(
            f"{path}: expected {expected:,} bytes for {count:,} documents, found {len(data):,}"
        )
    return np.frombuffer(data, dtype="<i4", count=count, offset=_HEAD.size).astype(np.int64)

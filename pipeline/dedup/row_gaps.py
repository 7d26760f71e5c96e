"""Row numbers of a part on their way through the shuffle: gaps of one byte instead of numbers of eight.

Of a part's rows nearly all go to each band, so the gaps between them are small. A packed run holds the part's
number (uint32), the bytes of a gap (uint8: 1, 2 or 4), the first row (uint32) and the gaps, all little-endian.
"""

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from text.buffers import Hashes

ROW_BITS = 32  # of a document's number; above them stands the number of its part

Rows = npt.NDArray[np.int64]

_HEAD = struct.Struct("<IBI")
_KINDS: dict[int, Any] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


def pack_rows(part: int, rows: Rows) -> bytes:
    """Pack (n,) rising distinct rows of a part, n at least 1.

    Raises:
        ValueError: the rows do not rise, or a number needs more than 32 bits.
    """
    gaps = np.diff(rows)
    if len(rows) == 0 or (gaps <= 0).any() or rows[0] < 0 or rows[-1] >> ROW_BITS or part >> ROW_BITS:
        raise ValueError(f"part {part}: rows to pack must rise within 32 bits")
    largest = int(gaps.max(initial=1))
    width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4
    packed: bytes = gaps.astype(_KINDS[width]).tobytes()
    return _HEAD.pack(part, width, int(rows[0])) + packed


def unpack_rows(data: bytes) -> Hashes:
    """Return the numbers of the documents: (n,) part << 32 | row.

    Raises:
        ValueError: the bytes are not what `pack_rows` made.
    """
    if len(data) < _HEAD.size or data[4] not in _KINDS or (len(data) - _HEAD.size) % data[4]:
        raise ValueError(f"{len(data)} bytes are no packed rows")
    part, width, first = _HEAD.unpack_from(data)
    gaps = np.frombuffer(data, _KINDS[width], offset=_HEAD.size)
    numbers = np.empty(len(gaps) + 1, np.uint64)
    numbers[0] = part << ROW_BITS | first
    np.cumsum(gaps, dtype=np.uint64, out=numbers[1:])
    numbers[1:] += numbers[0]
    return numbers


def unpack_keys(elements: Iterable[tuple[bytes, bytes]]) -> tuple[Hashes, Hashes]:
    """Put a partition's elements together: (n,) keys and (n,) numbers, in the order of the elements.

    Raises:
        ValueError: an element has another number of keys than of rows.
    """
    keys, numbers = [], []
    for packed_keys, packed_rows in elements:
        own = unpack_rows(packed_rows)
        if len(packed_keys) != 8 * len(own):
            raise ValueError(f"a packed element holds {len(packed_keys)} bytes of keys for {len(own)} rows")
        keys.append(packed_keys)
        numbers.append(own)
    joined = np.frombuffer(b"".join(keys), "<u8").astype(np.uint64, copy=False)
    return joined, np.concatenate(numbers) if numbers else np.zeros(0, np.uint64)


def numbers_of(part: int, rows: Rows) -> Hashes:
    """Number (n,) rows of a part over all parts."""
    numbers: Hashes = np.uint64(part << ROW_BITS) | rows.astype(np.uint64)
    return numbers


def parts_of(numbers: Hashes) -> npt.NDArray[np.int64]:
    """Part of each document: (n,)."""
    return (numbers >> np.uint64(ROW_BITS)).astype(np.int64)


def rows_of(numbers: Hashes) -> Rows:
    """Row of each document in its part: (n,)."""
    return (numbers & np.uint64((1 << ROW_BITS) - 1)).astype(np.int64)

"""Comparing runs of words, byte for byte, case folded in ASCII."""

import numpy as np
import numpy.typing as npt

from text.buffers import Offsets
from text.words import Words

_SMALL = np.array([byte + 32 if 65 <= byte <= 90 else byte for byte in range(256)], np.uint8)
_ROWS = 1 << 13  # pairs compared at once; temporaries take about 100 bytes a word


def same_words(
    left: Words, left_at: Offsets, right: Words, right_at: Offsets, n: int
) -> npt.NDArray[np.bool_]:
    """Say for k pairs of places whether the n words from each on are the same: (k,).

    Both runs must lie inside their texts.
    """
    same = np.empty(len(left_at), bool)
    for begin in range(0, len(left_at), _ROWS):
        rows = slice(begin, begin + _ROWS)
        same[rows] = _same(left, left_at[rows], right, right_at[rows], n)
    return same


def _same(left: Words, left_at: Offsets, right: Words, right_at: Offsets, n: int) -> npt.NDArray[np.bool_]:
    steps = np.arange(n)
    one, other = left_at[:, None] + steps, right_at[:, None] + steps
    left_start, right_start = left.starts[one], right.starts[other]
    size = left.ends[one] - left_start
    same: npt.NDArray[np.bool_] = (size == right.ends[other] - right_start).all(axis=1)
    rows = np.flatnonzero(same)
    if not len(rows):
        return same
    sizes = size[rows].ravel()
    inner = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    a = left.data[np.repeat(left_start[rows].ravel(), sizes) + inner]
    b = right.data[np.repeat(right_start[rows].ravel(), sizes) + inner]
    row_sizes = size[rows].sum(axis=1)
    begins = np.cumsum(row_sizes) - row_sizes
    same[rows] = ~np.logical_or.reduceat(_SMALL[a] != _SMALL[b], begins)
    return same

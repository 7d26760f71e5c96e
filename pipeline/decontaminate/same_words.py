"""Comparing runs of words, byte for byte, case folded in ASCII."""

import numpy as np
import numpy.typing as npt

from text.buffers import Bytes, Offsets
from text.words import Words

_SMALL = np.array([byte + 32 if 65 <= byte <= 90 else byte for byte in range(256)], np.uint8)
_ROWS = 1 << 13  # pairs compared at once; temporaries take about 100 bytes a word


def same_words(
    words: Words, at: Offsets, text: Bytes, word_starts: Offsets, places: Offsets, n: int
) -> npt.NDArray[np.bool_]:
    """Say for k pairs of places whether the n words from each on are the same: (k,).

    Args:
        words: of documents.
        at: (k,) first words of runs that lie inside their documents.
        text: words in small letters, each followed by a space.
        word_starts: where each of these begins, and after the last the end of `text`.
        places: (k,) first words in `text`.
        n: words of each run.
    """
    same = np.empty(len(at), bool)
    for begin in range(0, len(at), _ROWS):
        rows = slice(begin, begin + _ROWS)
        same[rows] = _same(words, at[rows], text, word_starts, places[rows], n)
    return same


def _same(
    words: Words, at: Offsets, text: Bytes, word_starts: Offsets, places: Offsets, n: int
) -> npt.NDArray[np.bool_]:
    run = at[:, None] + np.arange(n)
    begins = words.starts[run]
    size = words.ends[run] - begins
    edges = word_starts[places[:, None] + np.arange(n + 1)]
    same: npt.NDArray[np.bool_] = (size + 1 == np.diff(edges, axis=1)).all(axis=1)
    rows = np.flatnonzero(same)
    if not len(rows):
        return same
    sizes = size[rows].ravel()
    inner = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = _SMALL[words.data[np.repeat(begins[rows].ravel(), sizes) + inner]]
    expected = text[np.repeat(edges[rows, :-1].ravel(), sizes) + inner]
    row_sizes = size[rows].sum(axis=1)
    same[rows] = ~np.logical_or.reduceat(found != expected, np.cumsum(row_sizes) - row_sizes)
    return same

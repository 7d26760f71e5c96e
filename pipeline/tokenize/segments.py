r"""Where a batch of texts can be cut without changing a token, found on the bytes of all of it at once.

The places are those that `chunks` explains: before ASCII whitespace that follows something else, and before the last of
several ASCII whitespace characters when something else follows. So a segment is mostly one word with the space before it.
Here they are found in UTF-8, and a place beside a character that any library might call whitespace is not taken.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
UInt64s = npt.NDArray[np.uint64]

_WORD, _SPACE, _UNSURE, _HIGH = range(4)
_CLASS = np.full(256, _WORD, dtype=np.uint8)
_CLASS[[9, 10, 11, 12, 13, 32]] = _SPACE
_CLASS[28:32] = _UNSURE  # separators that Python takes for whitespace
_CLASS[128:] = _HIGH

# Last two bytes of the characters above 127 that Unicode calls whitespace, and of a few more.
_WIDE_SPACE = np.zeros((256, 256), dtype=bool)
_WIDE_SPACE[0xC2, [0x85, 0xA0]] = True  # U+0085, U+00A0
_WIDE_SPACE[0x9A, 0x80] = True  # U+1680
_WIDE_SPACE[0xA0, 0x8E] = True  # U+180E, whitespace in older tables
_WIDE_SPACE[0x80, 0x80:0x8E] = True  # U+2000 to U+200D, U+3000
_WIDE_SPACE[0x80, [0xA8, 0xA9, 0xAF]] = True  # U+2028, U+2029, U+202F
_WIDE_SPACE[0x81, [0x9F, 0xA0]] = True  # U+205F, U+2060
_WIDE_SPACE[0xBB, 0xBF] = True  # U+FEFF


class Segments(NamedTuple):
    """Pieces of the documents of a block, in order; together they are the block."""

    starts: Int64s  # (n,) first byte of each
    lengths: Int64s  # (n,) bytes, all positive
    first: Int64s  # (documents,) number of each document's first segment


def find_segments(block: Bytes, borders: Int64s) -> Segments:
    """Cut a block of texts.

    Args:
        block: (bytes,) UTF-8 of the documents, one after the other.
        borders: (documents + 1,) where they start and end; none is empty.
    """
    kind = _CLASS[block]
    space = kind == _SPACE
    cut = np.zeros(len(block), dtype=bool)
    before, here = kind[:-1], space[1:]
    cut[1:] = here & (before == _WORD)
    # Whitespace after a character above 127: certain unless that is whitespace itself.
    after_high = np.flatnonzero(here & (before == _HIGH)) + 1
    cut[after_high] = ~_WIDE_SPACE[block[after_high - 2], block[after_high - 1]]
    # The last of several, before an ASCII character that is none.
    cut[1:-1] |= space[:-2] & space[1:-1] & (kind[2:] == _WORD)
    # What stands beyond the end of a document is not its own: the last whitespace of a document is never given back.
    cut[borders[1:] - 1] &= ~space[np.maximum(borders[1:] - 2, 0)]
    cut[borders[:-1]] = True
    starts = np.flatnonzero(cut)
    lengths = np.diff(starts, append=len(block))
    return Segments(starts, lengths, np.searchsorted(starts, borders[:-1]))


def begins_with_space(block: Bytes, starts: Int64s) -> Bools:
    """Whether segments begin with ASCII whitespace: (n,)."""
    space: Bools = _CLASS[block[starts]] == _SPACE
    return space


def ends_without_space(block: Bytes, starts: Int64s, ends: Int64s) -> Bools:
    """Whether the last character of segments is certainly no whitespace: (n,)."""
    last = block[ends - 1]
    kind = _CLASS[last]
    wide = _WIDE_SPACE[block[np.maximum(ends - 2, starts)], last]
    sure: Bools = (kind == _WORD) | ((kind == _HIGH) & ~wide)
    return sure


def short_keys(block: Bytes, starts: Int64s, lengths: Int64s) -> tuple[UInt64s, UInt64s]:
    """The bytes of segments of at most 15 bytes as two numbers; different segments have different numbers.

    Args:
        block: the block of texts.
        starts: (n,) first byte of each segment.
        lengths: (n,) bytes of each, 1 to 15.

    Returns:
        (n,) the first eight bytes; (n,) the rest, with the length in the top byte.
    """
    padded = np.concatenate([block, np.zeros(16, dtype=np.uint8)])  # words are read eight bytes at a time
    words: UInt64s = np.ndarray((len(block) + 9,), dtype="<u8", buffer=padded.data, strides=(1,))
    low = words[starts] & _KEEP[np.minimum(lengths, 8)]
    high = words[starts + 8] & _KEEP[np.maximum(lengths - 8, 0)]
    return low, high | (lengths.astype(np.uint64) << np.uint64(56))


_KEEP = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)

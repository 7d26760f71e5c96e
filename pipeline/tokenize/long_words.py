"""Encodes a text without places to cut, such as a megabyte of one letter, block by block.

A merge of bytes costs more the longer the word: ten megabytes in one piece take five times as long as in blocks of some
kilobytes, and hundreds of megabytes of memory. The blocks overlap, and are joined where both have the same id:

*Ids e1 ... en are those of their bytes if those of each two neighbours, ei and ei+1, are [ei, ei+1].* For suppose that the
first merge across a border joins parts of ei and ei+1. Until then no merge crossed a border, so on the bytes of these two
alone the same merges happen in the same order (of several, always the lowest rank, then the leftmost), and this one is
next there, too: their ids are not [ei, ei+1]. And in the ids of any word, neighbours are as this asks, by the same reasoning.

So where two blocks of one word have a common id in their overlap, the ids of the first up to it and those of the second from it on
are the ids of the whole: each pair of neighbours comes from one of the two. (Hendrik van Antwerpen and Alexander Neubeck,
"So many tokens, so little time", 2024.) The overlap must be inside one word: it is made of letters alone, of digits alone, or
of punctuation and symbols alone, which GPT-2's pattern never splits, but that an apostrophe takes up to two letters with it.
"""

import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[Any]
Int64s = npt.NDArray[np.int64]

LONG_CHARS = 1 << 16  # shorter texts are encoded at once
_BLOCK_CHARS = 1 << 14
_OVERLAP_CHARS = 1 << 9
_SURE_BYTES = 16  # four characters: the first letters of an overlap may belong to an apostrophe before it


def encode_long(
    text: str, encode: Callable[[str], Tokens], byte_lengths: Int64s, *, block_chars: int = _BLOCK_CHARS
) -> Tokens:
    """Ids of a text of any length: (n,), those of `encode(text)`.

    Args:
        text: to encode.
        encode: of a fast encoder that splits text as GPT-2 does.
        byte_lengths: (vocabulary,) bytes that each id stands for.
        block_chars: characters encoded at once, where the text allows it.
    """
    stop = _overlap_end(text, 0, block_chars)
    block = encode(text[:stop])
    found: list[Tokens] = []
    while stop < len(text):
        overlap = text[stop - _OVERLAP_CHARS : stop].encode()
        places = np.cumsum(byte_lengths[block])
        places -= int(places[-1]) - len(overlap)  # end of each id, in bytes of the overlap
        first = _border(overlap, places)
        if first is None:
            return encode(text)
        begin = stop - len(overlap[first:].decode())
        stop = _overlap_end(text, begin, block_chars)
        following = encode(text[begin:stop])
        common = _common(places, first + np.cumsum(byte_lengths[following]), first + _SURE_BYTES)
        if common is None:
            return encode(text)
        found.append(block[: common[0]])
        block = following[common[1] :]
    return np.concatenate([*found, block])


def _overlap_end(text: str, start: int, size: int) -> int:
    """End of the first stretch inside one word, `size` characters on or later; the text's end if there is none."""
    stop = start + max(size, 2 * _OVERLAP_CHARS)
    while stop < len(text):
        if _in_one_word(text[stop - _OVERLAP_CHARS : stop]):
            return stop
        stop += _OVERLAP_CHARS
    return len(text)


def _in_one_word(text: str) -> bool:
    if text.isalpha() or text.isdecimal():
        return True
    return all(c != "'" and unicodedata.category(c)[0] in "PS" for c in set(text))


def _border(overlap: bytes, places: Int64s) -> int | None:
    """First byte of the overlap at which an id of the block ends and a character starts."""
    inside = places[(places >= 0) & (places < len(overlap) // 2)].tolist()
    return next((place for place in inside if overlap[place] & 0xC0 != 0x80), None)


def _common(ends: Int64s, others: Int64s, least: int) -> tuple[int, int] | None:
    """Numbers of the first id that two blocks have in common, by the ends of their ids; it starts at `least` or later."""
    starts, other_starts = ends[:-1], others[:-1]
    both, mine, its = np.intersect1d(starts, other_starts, return_indices=True)
    same = np.flatnonzero((ends[mine + 1] == others[its + 1]) & (both >= least))
    return (int(mine[same[0]]) + 1, int(its[same[0]]) + 1) if len(same) else None

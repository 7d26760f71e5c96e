r"""Words and punctuation: the tokens that the heuristics count.

A token is a longest run of word characters or a longest run of symbols (see `text.characters`); spaces separate and
belong to none. One sign between two word characters joins them: a full stop or an apostrophe any, a comma or a colon
ASCII digits. On most text this is what `\w(?:\w|[.'](?=\w)|(?<=\d)[,:](?=\d))*|[^\w\s]+` finds, and near to
Unicode's UAX 29: `don't`, `example.org`, `U.S` and `10,000` are one token each.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text.buffers import Hashes, Offsets, TextBuffer
from text.characters import KIND, SPACE, WORD, Characters, Flags
from text.hashes import fmix64

_APOSTROPHE = "\u2019".encode()
_SALT = 0x9FB21C651E98DF25


class Tokens(NamedTuple):
    """The tokens of n texts, in order; text d holds tokens `borders[d]` to `borders[d + 1] - 1`."""

    starts: Offsets  # (n_tokens,) bytes from the start of the batch
    ends: Offsets  # (n_tokens,)
    borders: Offsets  # (n + 1,)
    flags: Flags  # (n_tokens,) what any of its characters is; never SPACE

    @property
    def counts(self) -> Offsets:
        """Tokens in each text: (n,)."""
        return np.diff(self.borders)


def find_tokens(texts: TextBuffer, characters: Characters) -> Tokens:
    """Find the tokens of all texts at once.

    Args:
        texts: n texts that touch, the first at byte 0 of the buffer, the last at its end.
        characters: of that buffer.
    """
    flags = characters.flags
    if not len(flags):
        none = np.zeros(0, np.int64)
        return Tokens(none, none, np.zeros(texts.rows + 1, np.int64), np.zeros(0, np.uint8))
    kind: Flags = flags & np.uint8(KIND)
    _join(kind, texts)
    edge = np.empty(len(kind) + 1, bool)
    np.not_equal(kind[1:], kind[:-1], out=edge[1:-1])
    edge[texts.starts] = True  # two texts never share a token
    edge[[0, -1]] = True
    edges = np.flatnonzero(edge)
    solid = np.flatnonzero(kind[edges[:-1]] != SPACE)
    starts = edges[solid]
    ends = edges[solid + 1]
    borders = np.empty(texts.rows + 1, np.int64)
    borders[:-1] = np.searchsorted(starts, texts.starts)
    borders[-1] = len(starts)
    # From one start to the next: the spaces between are in no class that a token can be in.
    merged = np.bitwise_or.reduceat(flags, starts) & np.uint8(0xFF ^ SPACE) if len(starts) else flags[:0]
    return Tokens(starts, ends, borders, merged)


def _join(kind: Flags, texts: TextBuffer) -> None:
    """Make word characters of the signs that join."""
    data = texts.data
    signs = np.flatnonzero((data == ord(".")) | (data == ord("'")))
    _join_at(kind, texts, signs, 1, kind == WORD)
    signs = np.flatnonzero((data == ord(",")) | (data == ord(":")))
    if len(signs):
        _join_at(kind, texts, signs, 1, (data >= ord("0")) & (data <= ord("9")))
    signs = np.flatnonzero(data == _APOSTROPHE[0])
    signs = signs[signs + 2 < len(data)]
    signs = signs[(data[signs + 1] == _APOSTROPHE[1]) & (data[signs + 2] == _APOSTROPHE[2])]
    _join_at(kind, texts, signs, 3, kind == WORD)


def _join_at(kind: Flags, texts: TextBuffer, signs: Offsets, width: int, side: npt.NDArray[np.bool_]) -> None:
    signs = signs[(signs > 0) & (signs + width < len(kind))]
    signs = signs[side[signs - 1] & side[signs + width]]
    # The neighbours must be of the same text.
    first = np.searchsorted(texts.starts, signs, side="right")
    last = np.searchsorted(texts.starts, signs + width, side="right")
    begins = texts.starts[first - 1] == signs
    signs = signs[~begins & (first == last)]
    for step in range(width):
        kind[signs + step] = WORD


def joined(tokens: Tokens) -> npt.NDArray[np.bool_]:
    """Say of each token whether it follows another of its text without a space: (n_tokens,)."""
    found = np.zeros(len(tokens.starts), bool)
    np.equal(tokens.starts[1:], tokens.ends[:-1], out=found[1:])
    found[tokens.borders[:-1][tokens.borders[:-1] < len(found)]] = False
    return found


def later_copies(hashes: Hashes, borders: Offsets) -> npt.NDArray[np.bool_]:
    """Which spans equal an earlier one of their text: (n_spans,) bool."""
    text = np.repeat(np.arange(len(borders) - 1, dtype=np.uint64), np.diff(borders))
    members, groups = equal_runs(fmix64(hashes + text * np.uint64(_SALT)))
    later = np.zeros(len(hashes), bool)
    later[members] = True
    later[members[groups[:-1]]] = False
    return later


def equal_runs(keys: Hashes) -> tuple[Offsets, Offsets]:
    """Find the keys that occur more than once.

    Args:
        keys: (n,) hashes, well mixed in their upper bits.

    Returns:
        (m,) their positions, group by group and rising inside each group; (g + 1,) where each group begins in that
        list, and its end.
    """
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(1, np.int64)
    bits = (len(keys) - 1).bit_length()
    if bits <= 24:
        # A stable `argsort` at the price of `sort`: the position rides in the lower bits of the key.
        place = np.uint64((1 << bits) - 1)
        packed = keys & ~place
        packed |= np.arange(len(keys), dtype=np.uint64)
        packed.sort()
        member, begins = _runs((packed[1:] ^ packed[:-1]) <= place)
        order = (packed[member] & place).astype(np.int64)
        if np.array_equal(_changes(keys[order]), begins[1:-1]):
            return order, begins
        # Keys that differ in their lower bits alone took part in one run: once in 2^30 runs or so.
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    member, begins = _runs(ordered[1:] == ordered[:-1])
    return order[member], begins


def _runs(same: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Offsets]:
    """Members of runs of equal neighbours, from (n - 1,) whether two are equal; and where each run begins among them."""
    joined_before = np.zeros(len(same) + 2, bool)
    joined_before[1:-1] = same
    before, after = joined_before[:-1], joined_before[1:]
    member = before | after
    begins = np.flatnonzero(~before[member])
    return member, np.concatenate([begins, [np.count_nonzero(member)]])


def _changes(values: Hashes) -> Offsets:
    """Positions whose value is not that of the one before."""
    return np.flatnonzero(values[1:] != values[:-1]) + 1

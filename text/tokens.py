r"""Words and punctuation: the tokens that the heuristics count.

A token is a longest run of word characters or a longest run of symbols (see `text.characters`); spaces separate and
belong to none. On most text it is what `\w+|[^\w\s]+` finds.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text.buffers import Hashes, Offsets, TextBuffer
from text.characters import KIND, SPACE, Characters, Flags


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
    kind = flags & KIND
    edge = np.empty(len(kind), bool)
    np.not_equal(kind[1:], kind[:-1], out=edge[1:])
    edge[texts.starts[texts.starts < len(kind)]] = True  # two texts never share a token
    edges = np.flatnonzero(edge)
    solid = np.flatnonzero(kind[edges] != SPACE)
    starts = edges[solid]
    ends = np.append(edges, len(kind))[solid + 1]
    borders = np.empty(texts.rows + 1, np.int64)
    borders[:-1] = np.searchsorted(starts, texts.starts)
    borders[-1] = len(starts)
    # From one start to the next: the spaces between are in no class that a token can be in.
    merged = np.bitwise_or.reduceat(flags, starts) & np.uint8(0xFF ^ SPACE) if len(starts) else flags[:0]
    return Tokens(starts, ends, borders, merged)


def joined(tokens: Tokens) -> npt.NDArray[np.bool_]:
    """Say of each token whether it follows another of its text without a space: (n_tokens,)."""
    found = np.zeros(len(tokens.starts), bool)
    np.equal(tokens.starts[1:], tokens.ends[:-1], out=found[1:])
    found[tokens.borders[:-1][tokens.borders[:-1] < len(found)]] = False
    return found


def equal_runs(keys: Hashes) -> tuple[Offsets, Offsets]:
    """Find the keys that occur more than once.

    Args:
        keys: (n,) hashes, well mixed in their upper bits.

    Returns:
        (m,) their positions, group by group and rising inside each group; (g + 1,) where each group begins in that
        list, and its end.
    """
    order = _stable_order(keys)
    ordered = keys[order]
    same = np.zeros(len(keys) + 1, bool)
    np.equal(ordered[1:], ordered[:-1], out=same[1:-1])
    member = same[1:] | same[:-1]
    begins = np.flatnonzero(~same[:-1][member])
    return order[member], np.append(begins, np.count_nonzero(member))


def _stable_order(keys: Hashes) -> Offsets:
    """`argsort(kind="stable")` at the price of `sort`: the position rides in the lower bits of the key."""
    bits = np.uint64(max(len(keys) - 1, 0).bit_length())
    if bits <= 24:
        place = np.uint64((1 << int(bits)) - 1)
        packed = keys & ~place | np.arange(len(keys), dtype=np.uint64)
        packed.sort()
        order = (packed & place).astype(np.int64)
        ordered = keys[order]
        # Keys that differ in their lower bits alone may stand in the wrong order; they are met once in 2^30.
        if np.array_equal(ordered[1:] == ordered[:-1], (packed[1:] ^ packed[:-1]) <= place):
            return order
    return np.argsort(keys, kind="stable")

"""Edits of a run of bytes, and the way back from the edited bytes to the original ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from text.buffers import Bytes, Offsets


class Edits(NamedTuple):
    """k replacements of byte ranges, in order and apart from each other.

    Byte range `starts[i]` to `ends[i]` of the original became `new_starts[i]` to `new_ends[i]` of the result.
    """

    starts: Offsets  # (k,)
    ends: Offsets
    new_starts: Offsets
    new_ends: Offsets

    def original_starts(self, offsets: Offsets) -> Offsets:
        """Where the bytes at these offsets of the result began: inside a replacement, at what it replaced."""
        edit = np.searchsorted(self.new_starts, offsets, side="right") - 1
        # An empty replacement holds no byte, so the one that holds this byte, if any, is the last to begin.
        known = np.maximum(edit, 0)
        inside = (edit >= 0) & (offsets < self.new_ends[known])
        shift = np.where(edit >= 0, self.ends[known] - self.new_ends[known], 0)
        return np.where(inside, self.starts[known], offsets + shift)

    def original_ends(self, offsets: Offsets) -> Offsets:
        """Where the bytes before these offsets (each at least 1) ended: inside a replacement, after what it replaced."""
        last = offsets - 1
        edit = np.searchsorted(self.new_starts, last, side="right") - 1
        known = np.maximum(edit, 0)
        inside = (edit >= 0) & (last < self.new_ends[known])
        shift = np.where(edit >= 0, self.ends[known] - self.new_ends[known], 0)
        return np.where(inside, self.ends[known], offsets + shift)


def apply_edits(
    data: Bytes, starts: Offsets, ends: Offsets, replacements: Sequence[bytes] | None
) -> tuple[Bytes, Edits]:
    """Replace k byte ranges; `replacements` None deletes them.

    Args:
        data: (n,) bytes, not changed.
        starts: (k,) rising.
        ends: (k,) each above its start and at most the next start.
        replacements: k strings of bytes.

    Returns:
        The new bytes, and what leads back.
    """
    if replacements is None:
        sizes = np.zeros(len(starts), np.int64)
    else:
        sizes = np.array([len(item) for item in replacements], np.int64)
    grown = np.cumsum(sizes - (ends - starts))
    new_ends = ends + grown
    new_starts = new_ends - sizes
    edits = Edits(starts, ends, new_starts, new_ends)

    turns = np.zeros(len(data) + 1, np.int8)
    turns[starts] += 1
    turns[ends] -= 1
    kept = data[np.cumsum(turns[:-1], dtype=np.int8) == 0]
    if replacements is None:
        return kept, edits
    result = np.empty(len(data) + int(grown[-1]) if len(grown) else len(data), np.uint8)
    free = np.ones(len(result), bool)
    inserted = np.repeat(new_starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
    result[inserted] = np.frombuffer(b"".join(replacements), np.uint8)
    free[inserted] = False
    result[free] = kept
    return result, edits

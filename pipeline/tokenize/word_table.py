"""Remembers the ids of short words: a hash table of bounded size whose look-ups are whole arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

UInt64s = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]

_SLOT_BITS = 20  # 2 ** 20 slots of 21 bytes, and the ids: some 30 MB
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MISSING = -1


class WordTable:
    """Words by their two-number keys (`segments.short_keys`), which are exact: no two words share one.

    At most half of the slots are taken; who finds no room clears the table, so that memory stays flat and the table
    follows the text. What it holds changes speed alone, never an id.
    """

    def __init__(self, dtype: "np.dtype[Any]", slot_bits: int = _SLOT_BITS) -> None:
        self._bits = slot_bits
        self._dtype = dtype
        self.clear()

    def clear(self) -> None:
        """Forget all words."""
        slots = 1 << self._bits
        self._low, self._high = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.uint64)
        self._start = np.zeros(slots, dtype=np.int32)
        self.counts = np.zeros(slots, dtype=np.uint8)  # ids of the word in each slot; 0: the slot is free
        self.ids = np.zeros(1 << 12, dtype=self._dtype)  # of all words, one after the other
        self._used = 0
        self.words = 0

    @property
    def room(self) -> int:
        """Words that can still be added."""
        return (1 << (self._bits - 1)) - self.words

    def find(self, low: UInt64s, high: UInt64s) -> Int64s:
        """Slot of each word, (n,), `MISSING` where it is not known."""
        slot = self._home(low, high)
        found = np.where((self._low[slot] == low) & (self._high[slot] == high), slot, MISSING)
        rest = np.flatnonzero((found == MISSING) & (self.counts[slot] > 0))
        while len(rest):
            slot[rest] = (slot[rest] + 1) & ((1 << self._bits) - 1)
            at = slot[rest]
            same = (self._low[at] == low[rest]) & (self._high[at] == high[rest])
            found[rest[same]] = at[same]
            rest = rest[~same & (self.counts[at] > 0)]
        return found

    def starts(self, slots: Int64s) -> Int64s:
        """Where the ids of the words in these slots begin in `ids`."""
        return self._start[slots].astype(np.int64)

    def add(self, low: UInt64s, high: UInt64s, ids: npt.NDArray[Any], counts: Int64s) -> None:
        """Remember words that are not in the table, each once.

        Args:
            low: (n,) keys.
            high: (n,) keys.
            ids: of all words, one after the other.
            counts: (n,) ids of each word, 1 to 255; n is at most `room`.
        """
        assert len(counts) <= self.room
        starts = self._used + np.cumsum(counts) - counts
        self._used += len(ids)
        if self._used > len(self.ids):
            self.ids = np.concatenate([self.ids, np.zeros(max(len(self.ids), len(ids)), dtype=self._dtype)])
        self.ids[self._used - len(ids) : self._used] = ids
        self.words += len(counts)
        slot, rest = self._home(low, high), np.arange(len(counts))
        while len(rest):
            free = np.flatnonzero(self.counts[slot[rest]] == 0)
            _, first = np.unique(
                slot[rest[free]], return_index=True
            )  # of words that want one slot, one gets it
            placed = rest[free[first]]
            at = slot[placed]
            self._low[at], self._high[at] = low[placed], high[placed]
            self._start[at], self.counts[at] = starts[placed], counts[placed]
            waiting = np.ones(len(rest), dtype=bool)
            waiting[free[first]] = False
            rest = rest[waiting]
            slot[rest] = (slot[rest] + 1) & ((1 << self._bits) - 1)

    def _home(self, low: UInt64s, high: UInt64s) -> Int64s:
        mixed = (low ^ (high * _MULTIPLIER)) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(32)
        mixed *= _MULTIPLIER
        return (mixed >> np.uint64(64 - self._bits)).astype(np.int64)

"""Sample number to place: which source, which epoch, which window. The whole state of a run is one integer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError
from mixtures.permutation import permute, permute_one, round_keys
from mixtures.schedule import ranks, tijdeman

Int32s = npt.NDArray[np.int32]
UInt64s = npt.NDArray[np.uint64]


class Place(NamedTuple):
    """Where one sample lies."""

    source: int  # index into `Sampler.names`
    epoch: int
    slot: int  # how many windows of this source came before it in the epoch
    window: int  # the slot, shuffled; tokens [window * L, window * L + L + 1) of the source


@dataclass(frozen=True, slots=True)
class Places:
    """Where n samples lie; columns as in `Place`."""

    source: Int32s
    epoch: UInt64s
    slot: UInt64s
    window: UInt64s


class Sampler:
    """A pure function of the sample number: no world size, batch, worker or restart can change it.

    Args:
        weights: integer weight of each source; sources are numbered by weight, largest first, then by name.
        windows: samples in one epoch of each source.
        seed: of the shuffles. Each (seed, source name, epoch) has a shuffle of its own.

    Raises:
        MixtureError: a source has no window, or a weight is not positive.
    """

    def __init__(self, weights: Mapping[str, int], windows: Mapping[str, int], *, seed: int) -> None:
        self.names = tuple(sorted(weights, key=lambda name: (-weights[name], name)))
        self.weights = tuple(weights[name] for name in self.names)
        self.windows = tuple(windows[name] for name in self.names)
        self.seed = seed
        for name, count in zip(self.names, self.windows, strict=True):
            if count < 1:
                raise MixtureError(
                    f"source `{name}` has no whole window of tokens; it cannot be part of a mixture"
                )
        self.period = sum(self.weights)
        self._order = tijdeman(self.weights)
        self._rank = ranks(self._order)

    def place(self, sample: int) -> Place:
        """Place of one sample; `sample` is any number from 0 on."""
        if sample < 0:
            raise MixtureError(f"sample {sample}: samples are numbered from 0")
        turn, step = divmod(sample, self.period)
        source = int(self._order[step])
        ordinal = turn * self.weights[source] + int(self._rank[step])
        epoch, slot = divmod(ordinal, self.windows[source])
        keys = round_keys(self.seed, self.names[source], epoch)
        return Place(source, epoch, slot, permute_one(slot, self.windows[source], keys))

    def places(self, samples: UInt64s) -> Places:
        """Places of n samples, (n,) uint64, in any order."""
        samples = np.asarray(samples)
        if samples.dtype != np.uint64:
            if samples.size and int(samples.min()) < 0:
                raise MixtureError(f"sample {int(samples.min())}: samples are numbered from 0")
            samples = samples.astype(np.uint64)
        turn, step = np.divmod(samples, np.uint64(self.period))
        source = self._order[step]
        rank = self._rank[step]
        epoch, slot, window = (np.empty(len(samples), dtype=np.uint64) for _ in range(3))
        for i, name in enumerate(self.names):
            mine = np.flatnonzero(source == i)
            if not len(mine):
                continue
            ordinal = turn[mine] * np.uint64(self.weights[i]) + rank[mine].astype(np.uint64)
            epoch[mine], slot[mine] = np.divmod(ordinal, np.uint64(self.windows[i]))
            window[mine] = permute(slot[mine], self.windows[i], self._keys(name, epoch[mine]))
        return Places(source, epoch, slot, window)

    def counts(self, samples: int) -> tuple[int, ...]:
        """How many of the first `samples` samples come from each source; exact."""
        turns, steps = divmod(samples, self.period)
        partial = np.bincount(self._order[:steps], minlength=len(self.names)).tolist()
        return tuple(turns * weight + extra for weight, extra in zip(self.weights, partial, strict=True))

    def sample_of(self, source: int, ordinal: int) -> int:
        """Number of the sample that is the `ordinal`-th (from 0) of a source; the inverse of the order."""
        turn, rank = divmod(ordinal, self.weights[source])
        return turn * self.period + int(np.flatnonzero(self._order == source)[rank])

    @property
    def order(self) -> Int32s:
        """Sources of one period, (period,)."""
        return self._order

    def _keys(self, name: str, epochs: UInt64s) -> UInt64s:
        first = int(epochs[0])
        if int(epochs.min()) == int(epochs.max()):
            return np.array(round_keys(self.seed, name, first), dtype=np.uint64)
        distinct, which = np.unique(epochs, return_inverse=True)
        table = np.array([round_keys(self.seed, name, epoch) for epoch in distinct.tolist()], dtype=np.uint64)
        return np.ascontiguousarray(table[which].T)


def window_count(tokens: int, sequence_length: int) -> int:
    """Whole windows of `sequence_length` inputs, each with one more token as the last target."""
    return max(0, (tokens - 1) // sequence_length)

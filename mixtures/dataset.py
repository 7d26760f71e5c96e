"""A mixture as a sequence of token arrays, for any trainer; needs no torch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError
from mixtures.mixture import VALIDATION, Mixture
from mixtures.sampler import Places, window_count
from mixtures.shards import ShardSet

Tokens = npt.NDArray[Any]
UInt64s = npt.NDArray[np.uint64]


class MixtureDataset:
    """Samples of a mixture: `dataset[g]` is (sequence_length + 1,) tokens.

    It has what torch calls a map-style dataset (`len`, `[i]`, and `__getitems__` for whole batches), so a torch
    DataLoader takes it as it is; give it `dtype=np.int64` then. It travels to worker processes by pickling.

    Sample g is the same for every world size, batch size and restart. `len` is the number of samples that the
    mixture asks for; `batch` goes on beyond it.

    Args:
        path: the mixture file.
        verify: also read all shards and compare their SHA-256.
        dtype: of the arrays that come out; None for the stored type.
        complete: all shards must be there; see `ShardSet`.

    Raises:
        MixtureError: the file or the shards are not what they should be.
    """

    def __init__(
        self,
        path: Path,
        *,
        verify: bool = False,
        dtype: npt.DTypeLike | None = None,
        complete: bool = True,
    ) -> None:
        self.path = path
        self.mixture = Mixture.read(path)
        self.dtype = np.dtype(self.mixture.dtype).newbyteorder("<") if dtype is None else np.dtype(dtype)
        self.sampler = self.mixture.sampler()
        opened = self.mixture.open_shards(path, complete=complete)
        self.shards = tuple(opened[name] for name in self.sampler.names)
        if verify:
            for shards in self.shards:
                shards.verify()

    def __len__(self) -> int:
        return self.mixture.samples

    def __getitem__(self, sample: int) -> Tokens:
        if not 0 <= sample < len(self):
            raise IndexError(f"sample {sample} of {len(self)}")
        place = self.sampler.place(sample)
        length = self.mixture.sequence_length
        tokens = self.shards[place.source].tokens(place.window * length, place.window * length + length + 1)
        return tokens.astype(self.dtype, copy=False)

    def __getitems__(self, samples: Sequence[int]) -> Tokens:
        return self.batch(np.array(samples, dtype=np.uint64))

    def batch(self, samples: UInt64s) -> Tokens:
        """Tokens of n samples: (n, sequence_length + 1)."""
        return self.read(self.sampler.places(samples))

    def read(self, places: Places) -> Tokens:
        """Tokens at n places: (n, sequence_length + 1)."""
        length = self.mixture.sequence_length
        out = np.empty((len(places.source), length + 1), dtype=self.dtype)
        for number, shards in enumerate(self.shards):
            mine = np.flatnonzero(places.source == number)
            if len(mine):
                out[mine] = shards.gather(places.window[mine].astype(np.int64) * length, length + 1)
        return out


def rank_samples(consumed: int, batch: int, *, rank: int, world: int, micro_batch: int) -> UInt64s:
    """Sample numbers of one rank for one step: (batch / (world * micro_batch), micro_batch).

    The union over the ranks is [consumed, consumed + batch) for every world size and micro-batch.

    Args:
        consumed: samples used before this step; all that a checkpoint needs to keep.
        batch: samples of the whole step.
        rank: of this process, from 0.
        world: number of processes.
        micro_batch: samples that a process handles at once.

    Raises:
        MixtureError: the batch cannot be split evenly, or a number is out of range.
    """
    if consumed < 0 or batch < 1 or micro_batch < 1 or not 0 <= rank < world:
        raise MixtureError(
            f"consumed {consumed}, batch {batch}, rank {rank} of {world}, micro-batch {micro_batch}: out of range"
        )
    if batch % (world * micro_batch):
        raise MixtureError(
            f"a batch of {batch} samples cannot be split over {world} ranks in micro-batches of {micro_batch}; "
            f"make it a multiple of {world * micro_batch}"
        )
    starts = consumed + (np.arange(batch // (world * micro_batch)) * world + rank) * micro_batch
    return (starts[:, None] + np.arange(micro_batch)[None, :]).astype(np.uint64)


class ValidationWindows:
    """The held-out documents of one source, cut into windows in order; no window repeats.

    Args:
        path: the mixture file.
        source: name of the source.

    Raises:
        MixtureError: the source is unknown, has no validation split, or less than one window of it.
    """

    def __init__(self, path: Path, source: str) -> None:
        mixture = Mixture.read(path)
        found = {entry.name: entry for entry in mixture.sources}
        if source not in found:
            raise MixtureError(f"{path}: unknown source `{source}`; there are {', '.join(found)}")
        folder = path.parent / found[source].folder / VALIDATION
        if not folder.is_dir():
            raise MixtureError(f"{path}: source `{source}` has no validation split ({folder} is missing)")
        self._length = mixture.sequence_length
        self._shards = ShardSet(folder)
        if self._shards.manifest.tokenizer.fingerprint != mixture.tokenizer:
            raise MixtureError(f"{folder}: validation shards of another tokenizer than the mixture's")
        if not len(self):
            raise MixtureError(
                f"{folder}: {len(self._shards):,} tokens are less than one window of {self._length + 1:,}"
            )

    def __len__(self) -> int:
        return window_count(len(self._shards), self._length)

    def __getitem__(self, window: int) -> Tokens:
        if not 0 <= window < len(self):
            raise IndexError(f"window {window} of {len(self)}")
        return self._shards.tokens(window * self._length, (window + 1) * self._length + 1)

    def __iter__(self) -> Iterator[Tokens]:
        return (self[window] for window in range(len(self)))

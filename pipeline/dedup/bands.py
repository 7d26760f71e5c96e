"""Bands of a signature: documents that agree on all rows of a band become candidates."""

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from pipeline.dedup.signature import Minima
from pipeline.errors import UsageError
from text.buffers import Hashes
from text.hashes import fmix64

SHOWN = (0.5, 0.6, 0.7, 0.8, 0.9)  # similarities at which a plan states the probability

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Bands:
    """How signatures are cut, and how similar to the kept document a dropped one must be.

    Bands are never derived from a similarity threshold: datasketch's own choice for .8 at 128 hashes, 9 bands of
    13 rows, finds 40 % of the pairs at .8. State them, and read `describe`.
    """

    bands: int
    rows: int
    verify: float  # least share of equal signature entries between a dropped document and the kept one

    def __post_init__(self) -> None:
        if self.bands < 1 or self.rows < 1:
            raise UsageError(f"dedup: {self.bands} bands of {self.rows} rows; both must be at least 1")
        if not 0 <= self.verify <= 1:
            raise UsageError(f"dedup: verify {self.verify}; give a similarity from 0 to 1")

    @property
    def num_hashes(self) -> int:
        """Entries of a signature that the bands use up."""
        return self.bands * self.rows

    @property
    def least_shared(self) -> int:
        """Bands that a document must share with what an earlier build holds: as many as a pair at `verify` does on average.

        Keys alone show no signature, but of b bands of r rows b J^r are shared on average: 1 for `fineweb`, 3 for `strict`.
        """
        return max(1, math.ceil(round(self.bands * self.verify**self.rows, 9)))

    def describe(self) -> str:
        """One line: the probability that two documents become candidates, by their Jaccard similarity."""
        chances = ", ".join(f"{probability(j, self.bands, self.rows):.3f} at {j}" for j in SHOWN)
        return f"{self.bands} bands of {self.rows} rows: a pair is found with probability {chances}; drops verified at {self.verify}"


PRESETS = MappingProxyType(
    {
        # FineWeb's bands. A bucket found by 8 equal rows of 112 is good evidence; .7 guards against chains.
        "fineweb": Bands(bands=14, rows=8, verify=0.7),
        "strict": Bands(bands=20, rows=6, verify=0.7),
        # GPT-3's 10 hashes, on shingles of 5 words: on single words they propose nearly every pair.
        "gpt3": Bands(bands=10, rows=1, verify=0.5),
    }
)


def probability(similarity: float, bands: int, rows: int) -> float:
    """Chance that two documents share at least one band: 1 - (1 - J^r)^b."""
    return float(1 - (1 - similarity**rows) ** bands)


def held_probability(similarity: float, bands: Bands) -> float:
    """Chance that a document is dropped for one of this similarity that an earlier build holds, by its keys alone."""
    one = similarity**bands.rows
    fewer = (
        math.comb(bands.bands, shared) * one**shared * (1 - one) ** (bands.bands - shared)
        for shared in range(bands.least_shared)
    )
    return 1 - sum(fewer)


def band_keys(minima: Minima, bands: Bands) -> Hashes:
    """Hash each band of each signature to 64 bits.

    32 bits would give 10^9 chance pairs for each band at 3 x 10^9 documents; 64 give 0.24. Documents without a
    signature have keys too, equal among themselves: leave them out by `Signatures.valid`.

    Args:
        minima: (n, num_hashes) uint32; num_hashes is at least `bands.num_hashes`, further entries are not used.
        bands: how to cut.

    Returns:
        (n, bands) uint64. Keys of different bands are not comparable.

    Raises:
        ValueError: the signatures are too short.
    """
    if minima.shape[1] < bands.num_hashes:
        raise ValueError(
            f"{bands.bands} bands of {bands.rows} rows need {bands.num_hashes} hashes, not {minima.shape[1]}"
        )
    cut = minima[:, : bands.num_hashes].reshape(len(minima), bands.bands, bands.rows)
    keys = np.broadcast_to(fmix64(np.arange(1, bands.bands + 1, dtype=np.uint64)), cut.shape[:2])
    for row in range(bands.rows):
        keys = fmix64((keys + _GOLDEN) ^ cut[:, :, row])
    return np.ascontiguousarray(keys)


def recall(similarities: npt.NDArray[np.float64], bands: Bands) -> float:
    """Share of pairs that theory expects to be found: the mean probability over (m,) exact similarities."""
    return float(np.mean(1 - (1 - similarities**bands.rows) ** bands.bands))

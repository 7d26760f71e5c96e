"""MinHash signatures, bit-identical to `datasketch.MinHash(scheme="affine32")` over the same shingles."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.scheme import Scheme
from text.buffers import Hashes, Offsets, text_buffer
from text.hashes import gram_hashes
from text.normalise import normalise
from text.words import word_batches

EMPTY = np.uint32(0xFFFFFFFF)  # the minimum over no shingles

_PART_BYTES = 1 << 20

Minima = npt.NDArray[np.uint32]


class Signatures(NamedTuple):
    """Signatures of n documents."""

    minima: Minima  # (n, num_hashes)
    valid: npt.NDArray[np.bool_]  # (n,) false: no words, so no signature; such a document equals no other


def signatures(texts: pa.Array | pa.ChunkedArray, scheme: Scheme) -> Signatures:
    """Sign each text; its shingles are hashed runs of `scheme.ngram` words of the normalised text.

    A text with fewer words has one shingle, all of them. Null and wordless texts have no signature. Memory
    beside the result grows neither with the number of texts nor, but for two copies of the text, with their length.
    """
    minima = np.full((len(texts), scheme.num_hashes), EMPTY, np.uint32)
    valid = np.zeros(len(texts), bool)
    for first, part in _parts(texts):
        buffer = text_buffer(normalise(part))
        for batch in word_batches(buffer, overlap=scheme.ngram - 1, rule=scheme.word_rule):
            grams = gram_hashes(batch.words, scheme.ngram)
            begin = first + batch.first_row
            rows = slice(begin, begin + len(grams.borders) - 1)
            found = minhash(grams.hashes, grams.borders, scheme)
            if batch.continued:
                np.minimum(minima[rows], found, out=minima[rows])
            else:
                minima[rows] = found
            valid[rows] |= np.diff(grams.borders) > 0
    return Signatures(minima, valid)


def _parts(texts: pa.Array | pa.ChunkedArray) -> Iterator[tuple[int, pa.Array]]:
    """Slices of about `_PART_BYTES`, which are normalised at once, each with its first row."""
    first = 0
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        filled = np.cumsum(text_buffer(chunk).sizes)
        row = 0
        while row < len(chunk):
            before = int(filled[row - 1]) if row else 0
            stop = max(row + 1, int(np.searchsorted(filled, before + _PART_BYTES, side="right")))
            yield first + row, chunk.slice(row, stop - row)
            row = stop
        first += len(chunk)


def minhash(hashes: Hashes, borders: Offsets, scheme: Scheme) -> Minima:
    """Take the minima over each set of hashes.

    Args:
        hashes: (m,) uint64, of which the low 32 bits count, as in datasketch.
        borders: (n + 1,) set i is `hashes[borders[i]:borders[i + 1]]`.
        scheme: gives the number of hashes and the seed.

    Returns:
        (n, num_hashes) uint32; all ones for an empty set.
    """
    factors, shifts = affine_parameters(scheme.num_hashes, scheme.seed)
    filled = np.flatnonzero(np.diff(borders))
    minima = np.full((scheme.num_hashes, len(borders) - 1), EMPTY, np.uint32)
    if len(filled):
        mixed = fmix32(hashes.astype(np.uint32))
        begin = borders[filled]
        permuted = np.empty_like(mixed)
        for k in range(scheme.num_hashes):
            np.multiply(mixed, factors[k], out=permuted)
            np.add(permuted, shifts[k], out=permuted)
            minima[k, filled] = np.minimum.reduceat(permuted, begin)
    return minima.T


def similarity(first: Minima, second: Minima) -> npt.NDArray[np.float64]:
    """Estimate Jaccard similarity as the share of equal entries: (m, K) and (m, K) to (m,).

    The standard error is sqrt(J (1 - J) / K): .04 at K = 112 and J = .8.
    """
    equal: npt.NDArray[np.float64] = (first == second).mean(axis=1)
    return equal


def fmix32(values: Minima) -> Minima:
    """MurmurHash3's 32-bit finaliser: (n,) to a new (n,)."""
    mixed = values ^ (values >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


@lru_cache(maxsize=8)
def affine_parameters(num_hashes: int, seed: int) -> tuple[Minima, Minima]:
    """Factors (odd) and shifts of the permutations, drawn as datasketch 2.0 draws them: two (num_hashes,).

    All factors are drawn before all shifts, so the shifts of a scheme are no prefix of a longer scheme's.
    """
    generator = np.random.RandomState(seed)
    factors = np.uint32(2) * generator.randint(0, 1 << 31, size=num_hashes, dtype=np.uint32) + np.uint32(1)
    shifts = generator.randint(0, 1 << 32, size=num_hashes, dtype=np.uint32)
    factors.flags.writeable = shifts.flags.writeable = False
    return factors, shifts

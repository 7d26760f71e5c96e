"""Which copy of a text stays: one key for each document, the least wins.

In this order: rank of the source in the recipe's `priority`; quality in steps of .01, high first, unknown last;
length, long first; date, earliest first, unknown last; id, by its hash. All are properties of the document, so the choice depends on no
order of parts, and a later crawl does not flip it.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from text.buffers import Hashes
from text.hashes import hash_strings

_LENGTH_BITS = 40
_ID_BITS = 41  # beside 16 of the rank and 7 of the quality
_UNKNOWN_DATE = np.uint64(0xFFFFFFFFFFFFFFFF)


def priority_keys(
    ids: pa.Array,
    *,
    source_rank: npt.NDArray[np.int64],
    quality: npt.NDArray[np.float64],
    length: npt.NDArray[np.int64],
    date: npt.NDArray[np.datetime64],
) -> Hashes:
    """Build sortable keys for n documents.

    Args:
        ids: (n,) strings.
        source_rank: (n,) 0 (best) to 65,535; place of the document's source in `priority`.
        quality: (n,) score from 0 to 1; NaN where there is none.
        length: (n,) characters of text.
        date: (n,) datetime64 of the fetch; NaT where unknown.

    Returns:
        (n, 3) uint64; the least row, read from left to right, stays.

    Raises:
        ValueError: a source rank is out of range.
    """
    if len(source_rank) and not (source_rank.min() >= 0 and source_rank.max() < 1 << 16):
        raise ValueError("source ranks must lie between 0 and 65,535")
    worse = _worse(quality)
    shorter = np.uint64((1 << _LENGTH_BITS) - 1) - np.clip(length, 0, (1 << _LENGTH_BITS) - 1).astype(
        np.uint64
    )
    seconds = date.astype("datetime64[s]").astype(np.int64).astype(np.uint64) ^ np.uint64(1 << 63)
    keys = np.empty((len(ids), 3), np.uint64)
    keys[:, 0] = source_rank.astype(np.uint64) << np.uint64(48) | worse << np.uint64(_LENGTH_BITS) | shorter
    keys[:, 1] = np.where(np.isnat(date), _UNKNOWN_DATE, seconds)
    keys[:, 2] = hash_strings(ids)
    return keys


def ranks(keys: Hashes, numbers: Hashes) -> npt.NDArray[np.int64]:
    """Turn keys into places: (n, 3) keys and (n,) document numbers to (n,) int64, 0 for the best.

    The number decides only between documents whose ids are the same.
    """
    order = np.lexsort((numbers, keys[:, 2], keys[:, 1], keys[:, 0]))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def single_keys(ids: pa.Array, *, source_rank: int, quality: npt.NDArray[np.float64]) -> Hashes:
    """Fold the order of n documents of one source into one number each: what travels with each of their lines.

    Rank of the source, quality in steps of .01, id by 41 bits of its hash. Length and date do not fit in, and say little of
    a line. Two documents have the same number by chance once in 2 x 10^12 pairs.

    Args:
        ids: (n,) strings.
        source_rank: 0 (best) to 65,535.
        quality: (n,) score from 0 to 1; NaN where there is none.

    Returns:
        (n,) uint64, the least is best; never `2**64 - 1`, nor 0 but by the chance of a hash.
    """
    if not 0 <= source_rank < 1 << 16:
        raise ValueError("source ranks must lie between 0 and 65,535")
    keys: Hashes = hash_strings(ids) >> np.uint64(64 - _ID_BITS)
    keys |= _worse(quality) << np.uint64(_ID_BITS)
    keys |= np.uint64(source_rank << 48)
    return keys


def _worse(quality: npt.NDArray[np.float64]) -> Hashes:
    """Hundredths below the best quality; 101 where there is none."""
    known = np.isfinite(quality)
    # Rounded first, so that .29 (29 - 4e-15 hundredths) falls into its own bucket.
    bucket = np.floor(np.round(np.clip(np.where(known, quality, 0), 0, 1) * 100, 6)).astype(np.uint64)
    return np.where(known, np.uint64(100) - bucket, np.uint64(101))

"""Packing for the shuffle: few elements of many rows instead of one element for each pair.

An element is (partition, bytes of keys, bytes of ids). The partition holds the band, so keys of different bands
never meet, and the low bits of the key. The sort inside a partition packs the high bits of the key beside the
row, and partitioning by those would leave them little to tell apart.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from text.buffers import Hashes

Packed = tuple[int, bytes, bytes]  # partition, little-endian uint64 keys, little-endian uint64 ids

ROWS_PER_PARTITION = 1 << 23  # on average; twice that still fits the memory planned for a partition (1 GB)
_KEY_BITS = 16


def partitions_per_band(documents: int) -> int:
    """Partitions that keep each within memory; by the number of documents alone, so that output never depends on workers.

    Raises:
        ValueError: more documents than 2^16 partitions can hold (5 x 10^11).
    """
    count = max(1, -(-documents // ROWS_PER_PARTITION))
    if count > 1 << _KEY_BITS:
        raise ValueError(
            f"{documents:,} documents need more than {1 << _KEY_BITS:,} partitions for each band"
        )
    return count


def pack(keys: Hashes, ids: Hashes, per_band: int) -> list[Packed]:
    """Cut the band keys of n documents by partition.

    Args:
        keys: (n, bands) uint64.
        ids: (n,) uint64, one for each document.
        per_band: from `partitions_per_band`.

    Returns:
        One element for each partition that has rows; partition = band * per_band + part.
    """
    rows, bands = keys.shape
    if rows == 0:
        return []
    part = (keys & np.uint64((1 << _KEY_BITS) - 1)) % np.uint64(per_band)
    partition = part.astype(np.int64) + np.arange(bands) * per_band
    if per_band == 1:
        whole = ids.astype("<u8", copy=False).tobytes()
        return [(band, keys[:, band].astype("<u8", copy=False).tobytes(), whole) for band in range(bands)]
    flat = partition.T.ravel()
    order = np.argsort(flat, kind="stable")
    return _cut(flat[order], keys.T.ravel()[order], ids[order % rows])


def pack_edges(edges: Hashes, partitions: int, *, by: int) -> list[Packed]:
    """Cut edges by a hash of one end, so that all edges of a node meet.

    Args:
        edges: (m, 2) uint64.
        partitions: at least 1.
        by: column of the node that decides, 0 or 1.
    """
    if len(edges) == 0:
        return []
    mixed = edges[:, by] * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)
    partition = (mixed % np.uint64(partitions)).astype(np.int64)
    order = np.argsort(partition, kind="stable")
    return _cut(partition[order], edges[order, 0], edges[order, 1])


def unpack(elements: Iterable[tuple[bytes, bytes]]) -> tuple[Hashes, Hashes]:
    """Put a partition's elements together: (n,) keys and (n,) ids, in the order of the elements.

    Shuffles promise no order, and no kernel here depends on it.

    Raises:
        ValueError: an element's two halves differ in length or are no whole numbers.
    """
    keys, ids = [], []
    for packed_keys, packed_ids in elements:
        if len(packed_keys) != len(packed_ids) or len(packed_keys) % 8:
            raise ValueError(
                f"a packed element holds {len(packed_keys)} bytes of keys and {len(packed_ids)} of ids"
            )
        keys.append(packed_keys)
        ids.append(packed_ids)
    return _uint64(keys), _uint64(ids)


def _uint64(chunks: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(chunks), "<u8").astype(np.uint64, copy=False)


def _cut(partition: npt.NDArray[np.int64], keys: Hashes, ids: Hashes) -> list[Packed]:
    """Cut rows already sorted by partition."""
    borders = [0, *(np.flatnonzero(np.diff(partition)) + 1).tolist(), len(partition)]
    keys, ids = keys.astype("<u8", copy=False), ids.astype("<u8", copy=False)
    return [(int(partition[a]), keys[a:b].tobytes(), ids[a:b].tobytes()) for a, b in pairwise(borders)]

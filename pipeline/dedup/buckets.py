"""Inside a partition: rows with equal keys form buckets, and each bucket becomes a star.

The sort packs as many high bits of the key as fit beside the row number into one uint64, and sorts those in
place: 9 times faster than argsort. Keys that agree in the packed bits only are told apart afterwards.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text.buffers import Hashes

TEMPLATE = 10_000  # documents in a bucket; such are boilerplate pages and are reported by name


class Template(NamedTuple):
    """A bucket so large that it is a page template, not a coincidence."""

    key: int
    size: int
    best: int  # id of the document the others point to


class Buckets(NamedTuple):
    """What a partition found."""

    edges: Hashes  # (m, 2): best document of a bucket, other document; each once, in no order that counts
    sizes: dict[int, int]  # bucket size (2 or more) -> number of buckets
    templates: list[Template]  # largest first


def bucket_edges(
    keys: Hashes, ids: Hashes, priorities: Hashes | None = None, *, template: int = TEMPLATE
) -> Buckets:
    """Join documents with equal keys: linear in their number, however large a bucket is.

    Args:
        keys: (n,) of one band, in any order.
        ids: (n,) documents.
        priorities: (n,) lower is better; the ids themselves when absent. Ties break by id.
        template: buckets with more documents are reported.

    Returns:
        Edges from the best document to each other one: n - 1 for a bucket of n.
    """
    order, fresh = equal_runs(keys)
    joined = ~fresh
    joined[:-1] |= ~fresh[1:]
    at = np.flatnonzero(joined)
    if len(at) == 0:
        return Buckets(np.zeros((0, 2), np.uint64), {}, [])
    rows = order[at]
    begin = np.flatnonzero(fresh[at])
    sizes = np.diff(np.append(begin, len(at)))
    members = ids[rows]
    best = _best(members, None if priorities is None else priorities[rows], begin, sizes)
    centre = np.repeat(best, sizes)
    other = centre != members
    histogram = np.unique(sizes, return_counts=True)
    return Buckets(
        edges=np.stack([centre[other], members[other]], axis=1),
        sizes=dict(zip(*(part.tolist() for part in histogram), strict=True)),
        templates=_templates(keys[rows[begin]], sizes, best, template),
    )


def equal_runs(keys: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Order rows so that equal keys stand together.

    Args:
        keys: (n,) uint64.

    Returns:
        order: (n,) rows; inside a run they rise.
        fresh: (n,) whether a run of equal keys begins there.
    """
    rows = len(keys)
    bits = np.uint64(max(1, (rows - 1).bit_length()))
    low = (np.uint64(1) << bits) - np.uint64(1)
    packed = keys & ~low
    packed |= np.arange(rows, dtype=np.uint64)
    packed.sort()
    order = (packed & low).astype(np.int64)
    packed >>= bits
    fresh = np.ones(rows, bool)
    np.not_equal(packed[1:], packed[:-1], out=fresh[1:])
    alike = np.flatnonzero(~fresh)  # in the packed bits; only these need a look at the whole key
    torn = keys[order[alike]] != keys[order[alike - 1]]
    if torn.any():
        # Different keys may share the packed bits and interleave (A, B, A, B): sort those runs by the whole key.
        run = np.cumsum(fresh)
        at = np.flatnonzero(np.isin(run, run[alike[torn]]))
        order[at] = order[at][np.lexsort((order[at], keys[order[at]], run[at]))]
        fresh[alike] = keys[order[alike]] != keys[order[alike - 1]]
    return order, fresh


def unique_edges(edges: Hashes) -> Hashes:
    """Sort (m, 2) edges by both columns and drop repeats."""
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges = edges[order]
    if len(edges):
        fresh = np.ones(len(edges), bool)
        fresh[1:] = (edges[1:] != edges[:-1]).any(axis=1)
        edges = edges[fresh]
    return edges


def _best(
    members: Hashes, priorities: Hashes | None, begin: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> Hashes:
    if priorities is not None:
        least = np.repeat(np.minimum.reduceat(priorities, begin), sizes)
        members = np.where(priorities == least, members, np.uint64(0xFFFFFFFFFFFFFFFF))
    best: Hashes = np.minimum.reduceat(members, begin)
    return best


def _templates(keys: Hashes, sizes: npt.NDArray[np.int64], best: Hashes, above: int) -> list[Template]:
    large = np.flatnonzero(sizes > above)
    found = [Template(int(keys[i]), int(sizes[i]), int(best[i])) for i in large]
    return sorted(found, key=lambda template: (-template.size, template.best, template.key))

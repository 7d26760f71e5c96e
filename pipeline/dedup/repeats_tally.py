"""How many documents hold a span, and which of them keeps it: counts of parts, joined partition by partition.

A part says of each of its distinct spans how many of its documents hold it and the key of the best of them, so a line
that a part holds ten million times travels once. Counts add up and the least key wins, whatever the order of the parts.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.dedup.buckets import equal_runs
from text.buffers import Hashes
from text.distinct import run_starts

LARGEST = 20  # spans that are named
NOBODY = 0xFFFFFFFFFFFFFFFF  # key of no document: the span stays nowhere
_KEY_BITS = 16


class Held(NamedTuple):
    """What some documents hold: distinct spans."""

    hashes: Hashes  # (k,)
    documents: npt.NDArray[np.uint32]  # (k,) that hold the span, each once
    best: Hashes  # (k,) least key among them

    def take(self, order: npt.NDArray[np.int64]) -> "Held":
        """Choose some of the spans, in this order."""
        return Held(self.hashes[order], self.documents[order], self.best[order])

    def to_bytes(self) -> tuple[bytes, bytes, bytes]:
        """Little-endian; one byte a count where that is enough."""
        wide = self.documents.max(initial=0) > 0xFF
        counts = self.documents.astype("<u4" if wide else "<u1")
        hashes, best = (array.astype("<u8", copy=False) for array in (self.hashes, self.best))
        return hashes.tobytes(), counts.tobytes(), best.tobytes()

    @classmethod
    def from_bytes(cls, hashes: bytes, counts: bytes, best: bytes) -> "Held":
        """Read what `to_bytes` gave.

        Raises:
            ValueError: the lengths do not fit together.
        """
        size = len(hashes) // 8
        kinds: dict[int, Any] = {size: np.dtype("<u1"), 4 * size: np.dtype("<u4")}
        if len(hashes) % 8 or len(best) != len(hashes) or len(counts) not in kinds:
            raise ValueError(f"{len(hashes)}, {len(counts)} and {len(best)} bytes are no packed spans")
        return cls(
            np.frombuffer(hashes, "<u8").astype(np.uint64, copy=False),
            np.frombuffer(counts, kinds[len(counts)]).astype(np.uint32),
            np.frombuffer(best, "<u8").astype(np.uint64, copy=False),
        )


class Repeated(NamedTuple):
    """Spans that are cut, wherever a document with another key holds them."""

    hashes: Hashes  # (k,) rising
    keeps: Hashes  # (k,) key of the document where it stays; NOBODY: nowhere


class Totals(NamedTuple):
    """What a partition counted."""

    distinct: int
    repeated: int
    largest: list[tuple[int, int]]  # documents, hash; most documents first


def count_spans(hashes: Hashes, rows: npt.NDArray[np.int64], keys: Hashes) -> Held:
    """Count the documents of a part by span.

    Args:
        hashes: (k,) spans, in any order.
        rows: (k,) document of each.
        keys: (n,) of the documents, from `priority.single_keys`.

    Returns:
        The distinct spans, rising.
    """
    order, fresh = equal_runs(hashes)  # rows rise inside a run when they do in the input
    owner = rows[order]
    again = np.zeros(len(order), bool)
    again[1:] = owner[1:] == owner[:-1]
    once = fresh | ~again
    order, begin = order[once], np.flatnonzero(fresh[once])
    if len(begin) == 0:
        return Held(np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.uint64))
    documents = np.diff(np.append(begin, len(order))).astype(np.uint32)
    return _rising(Held(hashes[order[begin]], documents, np.minimum.reduceat(keys[rows[order]], begin)))


def by_partition(held: Held, partitions: int) -> Iterator[tuple[int, Held]]:
    """Cut what a part holds by partition, of bits that the sort inside does not look at first."""
    home = (held.hashes & np.uint64((1 << _KEY_BITS) - 1)) % np.uint64(partitions)
    order = np.argsort(home, kind="stable")
    home = home[order]
    for first, stop in pairwise(np.append(run_starts(home), len(home)).tolist()):
        chosen = order[first:stop]
        yield int(home[first]), held.take(chosen)


def join(
    parts: Sequence[int], helds: Sequence[Held], *, max_documents: int, keep_best: bool
) -> tuple[dict[int, Repeated], Totals]:
    """Find the spans of a partition that more than `max_documents` documents hold.

    Args:
        parts: number of the part that each of `helds` came from.
        helds: all that parts hold of the partition.
        max_documents: spans of as many documents are left alone.
        keep_best: a span stays in the best document that holds it; else it stays nowhere.

    Returns:
        For each part those of its spans, and what there was in all.
    """
    hashes = np.concatenate([held.hashes for held in helds])
    order, fresh = equal_runs(hashes)
    begin = np.flatnonzero(fresh)
    if len(begin) == 0:
        return {}, Totals(0, 0, [])
    documents = np.concatenate([held.documents for held in helds])[order]
    sums = np.add.reduceat(documents.astype(np.int64), begin)
    many = sums > max_documents
    largest = np.lexsort((hashes[order[begin]], -sums))[:LARGEST]
    totals = Totals(
        len(begin),
        int(many.sum()),
        [(int(sums[run]), int(hashes[order[begin[run]]])) for run in largest.tolist() if many[run]],
    )
    runs = np.diff(np.append(begin, len(order)))
    chosen = order[np.repeat(many, runs)]
    keeps = np.full(len(chosen), NOBODY, np.uint64)
    if keep_best:
        best = np.minimum.reduceat(np.concatenate([held.best for held in helds])[order], begin)
        keeps = np.repeat(best[many], runs[many])
    owner = np.repeat(np.array(parts, np.int64), [len(held.hashes) for held in helds])[chosen]
    by_part = np.argsort(owner, kind="stable")
    owner, chosen, keeps = owner[by_part], chosen[by_part], keeps[by_part]
    return {
        int(owner[first]): sort_repeated(Repeated(hashes[chosen[first:stop]], keeps[first:stop]))
        for first, stop in pairwise(np.append(run_starts(owner), len(owner)).tolist())
    }, totals


def sort_repeated(repeated: Repeated) -> Repeated:
    """Put distinct spans in rising order."""
    order = np.argsort(repeated.hashes)
    return Repeated(repeated.hashes[order], repeated.keeps[order])


def chosen_spans(
    hashes: Hashes, rows: npt.NDArray[np.int64], keys: Hashes, repeated: Repeated
) -> npt.NDArray[np.bool_]:
    """Say which of (k,) spans are cut: those that stay elsewhere; arguments as in `count_spans`."""
    if len(repeated.hashes) == 0:
        return np.zeros(len(hashes), bool)
    at = np.minimum(np.searchsorted(repeated.hashes, hashes), len(repeated.hashes) - 1)
    found: npt.NDArray[np.bool_] = repeated.hashes[at] == hashes
    found &= repeated.keeps[at] != keys[rows]
    return found


def _rising(held: Held) -> Held:
    order = np.argsort(held.hashes)
    return held.take(order)

"""In how many documents each n-gram was found: per part, through a shuffle, over everything.

Only n-grams that were found take part, so the arrays are small: a crawl finds a few thousand distinct ones.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.decontaminate.index import Index, Numbers
from pipeline.decontaminate.scan import Hits
from text.distinct import distinct, run_starts

Packed = tuple[bytes, bytes]  # little-endian int64: numbers of n-grams, documents


class DocumentCounts(NamedTuple):
    """How many documents hold each n-gram."""

    grams: Numbers  # (g,) rising
    documents: Numbers  # (g,)


def count_documents(hits: Hits, index: Index) -> DocumentCounts:
    """Count for one part the documents that hold each n-gram of the filter; twice in a document counts once."""
    acted = hits.take(index.is_filtered(hits.gram))
    order = np.lexsort((acted.row, acted.gram))
    gram, row = acted.gram[order], acted.row[order]
    fresh = np.concatenate([[True], (gram[1:] != gram[:-1]) | (row[1:] != row[:-1])])[: len(gram)]
    gram = gram[fresh]
    first = run_starts(gram)
    return DocumentCounts(gram[first], np.diff(np.append(first, len(gram))))


def add_counts(parts: Iterable[DocumentCounts]) -> DocumentCounts:
    """Add the counts of parts, whatever their order."""
    listed = list(parts)
    none = np.zeros(0, np.int64)
    gram = np.concatenate([none, *(part.grams for part in listed)])
    documents = np.concatenate([none, *(part.documents for part in listed)])
    order = np.argsort(gram, kind="stable")
    gram = gram[order]
    first = run_starts(gram)
    return DocumentCounts(gram[first], np.add.reduceat(documents[order], first) if len(first) else none)


def pack_counts(counts: DocumentCounts, partitions: int) -> Iterator[tuple[int, Packed]]:
    """Cut counts by n-gram for a shuffle: (partition, packed arrays), one element for each partition that has any."""
    home = counts.grams % partitions
    for partition in distinct(home).tolist():
        rows = home == partition
        yield (
            partition,
            (counts.grams[rows].astype("<i8").tobytes(), counts.documents[rows].astype("<i8").tobytes()),
        )


def unpack_counts(elements: Iterable[Packed]) -> DocumentCounts:
    """Add what `pack_counts` cut, in any order."""
    return add_counts(
        DocumentCounts(
            np.frombuffer(grams, "<i8").astype(np.int64), np.frombuffer(documents, "<i8").astype(np.int64)
        )
        for grams, documents in elements
    )


def common_grams(counts: DocumentCounts, max_documents: int | None) -> Numbers:
    """Return the n-grams that more than `max_documents` documents hold, rising; None: there are none."""
    if max_documents is None:
        return np.zeros(0, np.int64)
    return counts.grams[counts.documents > max_documents]

"""How long a stretch of each example was found in one piece."""

from typing import NamedTuple

import numpy as np

from pipeline.decontaminate.index import Index, Numbers
from pipeline.decontaminate.scan import Hits
from text.distinct import run_starts

_MAX_POSTINGS = 64  # n-grams at more places are a benchmark's own template, and are not followed
_HITS_AT_ONCE = 1 << 13


class Overlaps(NamedTuple):
    """The longest run of an example's words that some document holds."""

    example: Numbers  # (e,) rising
    words: Numbers  # (e,)


def longest_overlaps(hits: Hits, index: Index) -> Overlaps:
    """Follow hits from word to word: (h,) hits of some documents to the examples that they touch.

    An n-gram that stands at more than 64 places of the examples starts and prolongs no run. A document with more
    than 8,192 hits is followed in stretches of as many.
    """
    judged = np.array([item.analysis_n for item in index.benchmarks], np.int64)
    found = [Overlaps(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    sizes = index.sizes(hits.gram)
    for table in index.tables:
        chosen = np.flatnonzero(sizes == table.n)
        row, start, gram = hits.row[chosen], hits.start[chosen], hits.gram[chosen]
        # Hits of one n on neighbouring words are neighbours in this order.
        fresh = np.concatenate([[True], (row[1:] != row[:-1]) | (start[1:] != start[:-1])])[: len(row)]
        rank = np.cumsum(fresh)
        for begin in range(0, len(chosen), _HITS_AT_ONCE):
            some = slice(begin, begin + _HITS_AT_ONCE)
            key = gram[some] - table.offset
            few = np.flatnonzero(table.first[key + 1] - table.first[key] <= _MAX_POSTINGS)
            place, words = index.postings(gram[some][few])
            at = few[place]
            example = index.examples_at(words)
            own = judged[index.example_benchmark[example]] == table.n
            found.append(_runs(row[some][at][own], rank[some][at][own], words[own], example[own], table.n))
    return longest(found)


def longest(parts: list[Overlaps]) -> Overlaps:
    """Keep the longest of each example."""
    example = np.concatenate([part.example for part in parts])
    words = np.concatenate([part.words for part in parts])
    order = np.lexsort((-words, example))
    example, words = example[order], words[order]
    first = run_starts(example)
    return Overlaps(example[first], words[first])


def _runs(row: Numbers, rank: Numbers, words: Numbers, example: Numbers, n: int) -> Overlaps:
    """Runs along which rank and word rise together."""
    offset = words - rank
    order = np.lexsort((rank, offset, example, row))
    row, rank, offset, example = row[order], rank[order], offset[order], example[order]
    if not len(row):
        return Overlaps(row, row)
    broken = (row[1:] != row[:-1]) | (example[1:] != example[:-1]) | (offset[1:] != offset[:-1])
    broken |= rank[1:] != rank[:-1] + 1
    first = np.flatnonzero(np.concatenate([[True], broken]))
    lengths = np.diff(np.append(first, len(row)))
    return Overlaps(example[first], lengths + n - 1)

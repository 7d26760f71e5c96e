"""Finding benchmark n-grams in documents.

Words are hashed by the run of the index's smallest n; one bit of a bitmap rules nearly all of them out. What is left
is hashed with each n in full, looked up, and compared word by word with the examples, so no chance hit of a hash
gets through. N-grams never reach from one document into the next.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.decontaminate.bitmap import may_hold
from pipeline.decontaminate.fold import Folded, fold
from pipeline.decontaminate.index import Group, Index, Numbers, Table
from pipeline.decontaminate.same_words import same_words
from text.buffers import Bytes, Hashes, Offsets, TextBuffer, text_buffer
from text.hashes import Q, fmix64, gram_hashes, word_hashes
from text.words import WordBatch, Words, word_batches

_FOLD_BYTES = 1 << 20  # folding looks at this much at a time; a longer text is folded whole


class Hits(NamedTuple):
    """h places where a document holds an n-gram of a benchmark, by row, start and n."""

    row: Numbers  # (h,) of the texts given
    start: Numbers  # (h,) characters of the original text
    end: Numbers  # (h,) characters; the n-gram is text[start:end]
    gram: Numbers  # (h,) numbers of n-grams, as the index counts them

    def take(self, chosen: np.ndarray) -> "Hits":
        """Some of the hits, by mask or places."""
        return Hits(*(column[chosen] for column in self))

    def to_bytes(self) -> bytes:
        """Pack as little-endian int64, for a file or a shuffle."""
        return np.stack(self).astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Hits":
        """Unpack what `to_bytes` packed."""
        return cls(*np.frombuffer(data, "<i8").astype(np.int64).reshape(4, -1))


def scan(texts: pa.Array | pa.ChunkedArray, index: Index) -> Hits:
    """Find every n-gram of the index in n texts; nulls have none.

    The result depends on each text alone, not on how texts are put together.
    """
    buffer = text_buffer(texts)
    found = [NO_HITS]
    for first, part in _parts(buffer):
        hits = _scan_part(part, index)
        found.append(hits._replace(row=hits.row + first))
    return concatenate(found)


def concatenate(parts: list[Hits]) -> Hits:
    """Put hits together, in the order given."""
    return Hits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


_NONE = np.zeros(0, np.int64)
NO_HITS = Hits(_NONE, _NONE, _NONE, _NONE)


def _parts(texts: TextBuffer) -> Iterator[tuple[int, TextBuffer]]:
    filled = np.cumsum(texts.sizes)
    row = 0
    while row < texts.rows:
        before = int(filled[row - 1]) if row else 0
        stop = max(row + 1, int(np.searchsorted(filled, before + _FOLD_BYTES, side="right")))
        yield row, texts.part(row, stop)
        row = stop


def _scan_part(texts: TextBuffer, index: Index) -> Hits:
    folded = fold(texts)
    rows, starts, ends, grams = [_NONE], [_NONE], [_NONE], [_NONE]
    for group in index.groups:
        overlap = max(table.n for table in group.tables) - 1
        for batch in word_batches(folded.texts, overlap=overlap, rule=index.rule):
            words = batch.words
            for first, table, keys in _batch_hits(batch, group, overlap, index):
                rows.append(np.searchsorted(words.borders, first, side="right") - 1 + batch.first_row)
                starts.append(words.starts[first])
                ends.append(words.ends[first + table.n - 1])
                grams.append(keys + table.offset)
    if len(rows) == 1:
        return NO_HITS
    return _in_characters(
        folded, np.concatenate(rows), np.concatenate(starts), np.concatenate(ends), np.concatenate(grams)
    )


def _batch_hits(
    batch: WordBatch, group: Group, overlap: int, index: Index
) -> Iterator[tuple[Offsets, Table, Numbers]]:
    """Yield for each table that is hit the first words of the hits and their keys."""
    words = batch.words
    grams = gram_hashes(words, group.anchor, whole_if_shorter=False)
    survivors = may_hold(group.bitmap, grams.hashes)
    if not len(survivors):
        return
    first = grams.first_words[survivors]
    alone = len(group.tables) == 1
    hashes = grams.hashes[survivors]
    left = (
        words.borders[np.searchsorted(words.borders, first, side="right")] - first
    )  # words to the text's end
    hashed = None if alone else _SparseWords(words, first, max(table.n for table in group.tables))
    for table in group.tables:
        inside = left >= table.n
        if batch.continued:  # the piece before has seen what lies in the overlap alone
            inside &= first + table.n > overlap
        chosen = np.flatnonzero(inside)
        wanted = (
            hashes[chosen] if hashed is None or table.n == group.anchor else hashed.grams(chosen, table.n)
        )
        known, keys = table.find(wanted)
        if not len(known):
            continue
        at = first[chosen[known]]
        places = np.asarray(table.postings[table.first[keys]])
        equal = same_words(words, at, index.text, index.word_starts, places, table.n)
        if np.any(equal):
            yield at[equal], table, keys[equal]


class _SparseWords:
    """Hashes of n-grams at a few places of a text."""

    def __init__(self, words: Words, first: Offsets, largest: int) -> None:
        reach = np.minimum(first[:, None] + np.arange(largest), len(words.starts) - 1)
        used = np.zeros(len(words.starts), bool)
        used[reach] = True
        needed = np.flatnonzero(used)
        rank = np.cumsum(used) - 1
        some = Words(words.data, words.starts[needed], words.ends[needed], np.array([0, len(needed)]))
        self._hashes: Hashes = word_hashes(some)[rank[reach]]

    def grams(self, chosen: Numbers, n: int) -> Hashes:
        """Hash n words at some of the places: as `gram_hashes` does."""
        sums = np.zeros(len(chosen), np.uint64)
        for step in range(n):
            sums *= np.uint64(Q)
            sums += self._hashes[chosen, step]
        return fmix64(sums)


def _in_characters(folded: Folded, rows: Numbers, starts: Offsets, ends: Offsets, grams: Numbers) -> Hits:
    """Turn bytes of folded texts into characters of the originals, and sort."""
    order = np.lexsort((ends, starts, rows))
    rows, starts, ends, grams = rows[order], starts[order], ends[order], grams[order]
    first = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    stops = np.append(first[1:], len(rows))
    for begin, stop in zip(first.tolist(), stops.tolist(), strict=True):
        row = int(rows[begin])
        left, right = folded.original(row, starts[begin:stop], ends[begin:stop])
        text = folded.whole.data[folded.whole.starts[row] : folded.whole.ends[row]]
        starts[begin:stop], ends[begin:stop] = _characters(text, left), _characters(text, right)
    return Hits(rows, starts, ends, grams)


def _characters(text: Bytes, offsets: Offsets) -> Numbers:
    """Characters before each byte offset; the offsets rise, or nearly so."""
    if not len(offsets):
        return offsets
    places, inverse = np.unique(offsets, return_inverse=True)
    begins = (text[: places[-1]] & 0xC0) != 0x80
    borders = np.concatenate([[0], places])
    counts = [
        np.count_nonzero(begins[a:b])
        for a, b in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    ]
    found: Numbers = np.cumsum(np.array(counts, np.int64))[inverse]
    return found

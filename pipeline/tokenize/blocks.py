"""Encodes many texts at once: known words from the table, the others through the fast encoder."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.tokenize.segments import (
    Segments,
    begins_with_space,
    ends_without_space,
    find_segments,
    short_keys,
)
from pipeline.tokenize.word_table import MISSING, WordTable

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Tokens = npt.NDArray[Any]

_SHORT = 15  # bytes of a word that the table can hold


class TextEncoder(Protocol):
    """Encodes one text at a time."""

    byte_lengths: Int64s  # (vocabulary,) bytes that each id stands for

    def encode(self, text: str) -> Tokens:
        """Ids of a text, (n,)."""
        ...


class EncodedBlock(NamedTuple):
    """Ids of the documents of a block, each with its end-of-text id."""

    tokens: Tokens
    lengths: Int64s  # (documents,) end-of-text id included


def encode_block(
    block: Bytes, borders: Int64s, *, table: WordTable, encoder: TextEncoder, eos: Tokens
) -> EncodedBlock:
    """Encode documents that lie one after the other.

    Args:
        block: (bytes,) their UTF-8.
        borders: (documents + 1,) where they start and end; none is empty.
        table: of known words; learns the others.
        encoder: gives the ids of any text, in the type of `eos`.
        eos: (1,) end-of-text id.
    """
    segments = find_segments(block, borders)
    raw = block.tobytes()
    slots = _slots(block, raw, segments, table, encoder)
    known = np.flatnonzero(slots != MISSING)
    runs = _runs(segments, np.flatnonzero(slots == MISSING))
    others = [encoder.encode(raw[begin:end].decode()) for _, begin, end in runs]
    counts = np.zeros(len(slots), dtype=np.int64)
    counts[known] = table.counts[slots[known]]
    counts[[first for first, _, _ in runs]] = [len(ids) for ids in others]

    lengths = np.add.reduceat(counts, segments.first) + 1
    # Every document before a segment has put one end-of-text id before it.
    document = np.zeros(len(counts), dtype=np.int64)
    document[segments.first[1:]] = 1
    places = np.cumsum(counts) - counts + np.cumsum(document)
    tokens = np.empty(int(lengths.sum()), dtype=eos.dtype)
    tokens[np.cumsum(lengths) - 1] = eos[0]
    _spread(tokens, places[known], counts[known], table.starts(slots[known]), table.ids)
    for (first, _, _), ids in zip(runs, others, strict=True):
        tokens[places[first] : places[first] + len(ids)] = ids
    return EncodedBlock(tokens, lengths)


def _slots(block: Bytes, raw: bytes, segments: Segments, table: WordTable, encoder: TextEncoder) -> Int64s:
    """Slot of every segment in the table, which has learnt the new short ones; `MISSING` for the others."""
    slots = np.full(len(segments.starts), MISSING, dtype=np.int64)
    short = np.flatnonzero(segments.lengths <= _SHORT)
    low, high = short_keys(block, segments.starts[short], segments.lengths[short])
    found = table.find(low, high)
    unknown = np.flatnonzero(found == MISSING)
    distinct = unknown[_distinct(low[unknown], high[unknown])]
    if len(distinct) > table.room:
        table.clear()
        unknown = np.arange(len(short))
        distinct = _distinct(low, high)[: table.room]
    if len(distinct):
        begins = segments.starts[short[distinct]]
        ids, counts = _encode_words(block, raw, begins, begins + segments.lengths[short[distinct]], encoder)
        table.add(low[distinct], high[distinct], ids, counts)
        found[unknown] = table.find(low[unknown], high[unknown])
    slots[short] = found
    return slots


def _encode_words(
    block: Bytes, raw: bytes, begins: Int64s, ends: Int64s, encoder: TextEncoder
) -> tuple[Tokens, Int64s]:
    """Ids of words, one after the other, and how many each has.

    Words that start with whitespace and end with something else can stand side by side as they can in a text: they are
    encoded in one call, and the bytes of each id tell where a word ends.
    """
    joined = begins_with_space(block, begins) & ends_without_space(block, begins, ends)
    alone = np.flatnonzero(~joined)
    single = [
        encoder.encode(raw[begin:end].decode()) for begin, end in zip(begins[alone], ends[alone], strict=True)
    ]
    together = np.flatnonzero(joined)
    text = b"".join(
        [
            raw[begin:end]
            for begin, end in zip(begins[together].tolist(), ends[together].tolist(), strict=True)
        ]
    )
    ids = encoder.encode(text.decode())
    after = np.cumsum(encoder.byte_lengths[ids])  # bytes of the joined text up to each id
    borders = np.searchsorted(after, np.cumsum(ends[together] - begins[together]))
    assert np.array_equal(after[borders], np.cumsum(ends[together] - begins[together])), (
        "an id crosses two words"
    )
    counts = np.zeros(len(begins), dtype=np.int64)
    counts[together] = np.diff(borders + 1, prepend=0)
    counts[alone] = [len(word) for word in single]
    out = np.empty(int(counts.sum()), dtype=ids.dtype)
    mine = np.repeat(joined, counts)
    out[mine] = ids
    out[~mine] = np.concatenate([ids[:0], *single])
    return out, counts


def _distinct(low: Any, high: Any) -> Int64s:
    """Positions of one of each different pair."""
    order = np.lexsort((high, low))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (low[order][1:] != low[order][:-1]) | (high[order][1:] != high[order][:-1])
    one_each: Int64s = order[fresh]
    return one_each


def _runs(segments: Segments, chosen: Int64s) -> list[tuple[int, int, int]]:
    """Stretches of neighbouring chosen segments inside one document: (first segment, first byte, end byte)."""
    if not len(chosen):
        return []
    opens = np.ones(len(chosen), dtype=bool)
    opens[1:] = np.diff(chosen) > 1
    opens |= np.isin(chosen, segments.first)
    firsts = chosen[opens]
    lasts = chosen[np.append(np.flatnonzero(opens)[1:], len(chosen)) - 1]
    ends = segments.starts[lasts] + segments.lengths[lasts]
    return list(zip(firsts.tolist(), segments.starts[firsts].tolist(), ends.tolist(), strict=True))


def _spread(tokens: Tokens, places: Int64s, counts: Int64s, starts: Int64s, ids: Tokens) -> None:
    """Copy ids[start : start + count] to tokens[place : place + count] for every word."""
    step = 0
    while len(places):
        tokens[places + step] = ids[starts + step]
        step += 1
        more = np.flatnonzero(counts > step)
        places, counts, starts = places[more], counts[more], starts[more]

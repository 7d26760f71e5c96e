"""Encodes many texts at once: known words from the table, the others through the fast encoder."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.tokenize.segments import Segments, find_segments, short_keys
from pipeline.tokenize.word_table import MISSING, WordTable

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Tokens = npt.NDArray[Any]

_SHORT = 15  # bytes of a word that the table can hold


class EncodedBlock(NamedTuple):
    """Ids of the documents of a block, each with its end-of-text id."""

    tokens: Tokens
    lengths: Int64s  # (documents,) end-of-text id included


def encode_block(
    block: Bytes, borders: Int64s, *, table: WordTable, encode: Callable[[str], Tokens], eos: Tokens
) -> EncodedBlock:
    """Encode documents that lie one after the other.

    Args:
        block: (bytes,) their UTF-8.
        borders: (documents + 1,) where they start and end; none is empty.
        table: of known words; learns the others.
        encode: gives the ids of any text, in the type of `eos`.
        eos: (1,) end-of-text id.
    """
    segments = find_segments(block, borders)
    raw = block.tobytes()
    slots = _slots(block, raw, segments, table, encode)
    known = np.flatnonzero(slots != MISSING)
    runs = _runs(segments, np.flatnonzero(slots == MISSING))
    others = [encode(raw[begin:end].decode()) for _, begin, end in runs]
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


def _slots(
    block: Bytes, raw: bytes, segments: Segments, table: WordTable, encode: Callable[[str], Tokens]
) -> Int64s:
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
        ends = begins + segments.lengths[short[distinct]]
        ids = [
            encode(raw[begin:end].decode()) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        ]
        table.add(low[distinct], high[distinct], ids)
        found[unknown] = table.find(low[unknown], high[unknown])
    slots[short] = found
    return slots


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

"""Lines, or runs of three sentences, that many documents share: menus, notices, boilerplate.

A span is removed wherever it stands once more documents than a limit hold it. So the result depends on no order,
unlike "keep the first". Words decide: case and punctuation do not count, spans without words are never removed.
Off by default: it cuts into texts.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from text.buffers import Hashes, Offsets, TextBuffer, text_buffer
from text.hashes import Q, fmix64
from text.normalise import word_sums

Level = Literal["line", "three_sentences"]

_NEWLINE = 0x0A
_IS_MARK = np.isin(np.arange(256), [ord(mark) for mark in ".!?"])
_IS_SPACE = np.isin(np.arange(256), [ord(space) for space in " \t\r"])


class Spans(NamedTuple):
    """Stretches of n texts that can be compared."""

    hashes: Hashes  # (m,)
    rows: npt.NDArray[np.int64]  # (m,) text of each, rising
    starts: Offsets  # (m,) bytes in the buffer of the texts
    ends: Offsets  # (m,)


class Tally(NamedTuple):
    """How many documents hold each span; tallies of parts add up to that of the whole."""

    hashes: Hashes  # (k,) rising
    documents: npt.NDArray[np.int64]  # (k,)


def find_spans(texts: pa.Array, level: Level) -> Spans:
    """Find the spans of each text: its lines, or every three consecutive sentences.

    A line ends after its newline; a sentence ends after `.`, `!` or `?` before a space, and at a newline.
    """
    buffer = text_buffer(texts)
    units, rows = _units(buffer, sentences=level == "three_sentences")
    sums, counts = word_sums(units)
    worded = counts > 0
    hashes, rows = sums[worded, 0], rows[worded]
    starts, ends = units.starts[worded], units.ends[worded]
    if level == "line":
        return Spans(hashes, rows, starts, ends)
    factor = np.uint64(Q)
    joined = fmix64((hashes[:-2] * factor + hashes[1:-1]) * factor + hashes[2:])
    inside = rows[:-2] == rows[2:]
    return Spans(joined[inside], rows[:-2][inside], starts[:-2][inside], ends[2:][inside])


def tally(spans: Spans) -> Tally:
    """Count documents, each once however often it holds a span."""
    order = np.lexsort((spans.rows, spans.hashes))
    hashes, rows = spans.hashes[order], spans.rows[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    return Tally(*np.unique(hashes[fresh], return_counts=True))


def add_tallies(tallies: Sequence[Tally]) -> Tally:
    """Add the counts of parts that share no document; in any order."""
    if not tallies:
        return Tally(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    hashes, place = np.unique(np.concatenate([part.hashes for part in tallies]), return_inverse=True)
    documents = np.zeros(len(hashes), np.int64)
    np.add.at(documents, place, np.concatenate([part.documents for part in tallies]))
    return Tally(hashes, documents)


def repeated(counts: Tally, *, max_documents: int) -> Hashes:
    """Spans that more than `max_documents` documents hold: (k,) rising."""
    return counts.hashes[counts.documents > max_documents]


def remove_spans(texts: pa.Array, spans: Spans, hashes: Hashes) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Cut spans out of texts.

    Args:
        texts: (n,) those the spans were found in.
        spans: from `find_spans`.
        hashes: rising, from `repeated`.

    Returns:
        The texts as large_string, nulls null, and the bytes cut out of each: (n,).
    """
    buffer = text_buffer(texts)
    if buffer.rows == 0:
        return texts.cast(pa.large_string()), np.zeros(0, np.int64)
    base, stop = int(buffer.starts[0]), int(buffer.ends[-1])
    cut = _contains(hashes, spans.hashes)
    outside = _covered(spans.starts[cut] - base, spans.ends[cut] - base, stop - base)
    kept = _covered(buffer.starts - base, buffer.ends - base, stop - base) & ~outside
    before = np.concatenate([[0], np.cumsum(kept)])
    offsets = np.append(before[buffer.starts - base], before[-1])
    sizes = before[buffer.ends - base] - before[buffer.starts - base]
    valid = pa.array(np.asarray(texts.is_valid())).buffers()[1] if texts.null_count else None
    data = buffer.data[base:stop][kept]
    buffers = [valid, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_string(), buffer.rows, buffers), buffer.sizes - sizes


def _units(texts: TextBuffer, *, sentences: bool) -> tuple[TextBuffer, npt.NDArray[np.int64]]:
    """Cut texts into lines or sentences that touch; blanks after a mark begin the next sentence."""
    if texts.rows == 0:
        return texts, np.zeros(0, np.int64)
    base, stop = int(texts.starts[0]), int(texts.ends[-1])
    data = texts.data[base:stop]
    ends = data == _NEWLINE
    if sentences:
        ends[:-1] |= _IS_MARK[data[:-1]] & _IS_SPACE[data[1:]]
    cuts = np.flatnonzero(ends) + base + 1
    starts = np.unique(np.concatenate([texts.starts, cuts]))
    starts = starts[starts < stop]
    # Between texts lie at most the bytes of nulls; they belong to none.
    row = np.searchsorted(texts.starts, starts, side="right") - 1
    # Of texts that begin at the same byte, all but the last are empty.
    inside = starts < texts.ends[row]
    starts, row = starts[inside], row[inside]
    finish = np.minimum(np.append(starts[1:], stop), texts.ends[row])
    return TextBuffer(texts.data, starts, finish), row


def _covered(starts: Offsets, ends: Offsets, size: int) -> npt.NDArray[np.bool_]:
    """Which of `size` bytes lie in a span."""
    depth = np.zeros(size + 1, np.int32)
    np.add.at(depth, starts, 1)
    np.add.at(depth, ends, -1)
    covered: npt.NDArray[np.bool_] = np.cumsum(depth[:-1]) > 0
    return covered


def _contains(known: Hashes, asked: Hashes) -> npt.NDArray[np.bool_]:
    if len(known) == 0:
        return np.zeros(len(asked), bool)
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: npt.NDArray[np.bool_] = known[at] == asked
    return found

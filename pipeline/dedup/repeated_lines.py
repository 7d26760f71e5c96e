"""Lines, or runs of three sentences, of texts: where they stand, and their texts without some of them.

Words decide whether two are the same: case, punctuation and blanks do not count. Spans without words are never compared
and never cut by themselves. Sources: CCNet's paragraph hashes (Wenzek et al. 2019, arXiv:1911.00359, section 3.1), C4's
three-sentence spans (Raffel et al. 2020, arXiv:1910.10683, section 2.2).
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from text.buffers import Bytes, Hashes, Offsets, TextBuffer, text_buffer
from text.distinct import distinct
from text.hashes import Q, fmix64
from text.normalise import normalise, word_sums

Unit = Literal["line", "three_sentences"]
SENTENCES = 3

CUTS = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))

_NEWLINE = 0x0A
_IS_MARK = np.isin(np.arange(256), [ord(mark) for mark in ".!?"])
_IS_SPACE = np.isin(np.arange(256), [ord(space) for space in " \t\r"])
# Marks of scripts that put no space behind a sentence: ideographic full stop, also of half width; ! and ? of full width.
_WIDE_MARKS = tuple(mark.encode() for mark in "\u3002\uff61\uff01\uff1f")

Flags = npt.NDArray[np.bool_]


class Pieces(NamedTuple):
    """m lines or sentences with words in them, text by text, in order."""

    hashes: Hashes  # (m,) of the words
    rows: npt.NDArray[np.int64]  # (m,) text of each, rising
    starts: Offsets  # (m,) bytes from the beginning of the text
    ends: Offsets  # (m,)


class Spans(NamedTuple):
    """k stretches that are compared: single lines, or three sentences in a row."""

    hashes: Hashes  # (k,)
    rows: npt.NDArray[np.int64]  # (k,) rising
    first: npt.NDArray[np.int64]  # (k,) index of the first piece
    last: npt.NDArray[np.int64]  # (k,) index of the last piece


class Cut(NamedTuple):
    """What goes out of n texts."""

    ranges: pa.Array  # (n,) of CUTS: bytes of the text, rising and apart; null where nothing goes
    spans: npt.NDArray[np.int64]  # (n,) spans that go
    bytes: npt.NDArray[np.int64]  # (n,)
    whole: Flags  # (n,) no word is left


def find_pieces(texts: pa.Array, unit: Unit) -> Pieces:
    """Find the lines or sentences of n texts.

    A line ends after its newline. A sentence ends after `.`, `!` or `?` before a blank, after their wide forms
    anywhere, and at a newline.
    """
    buffer = text_buffer(texts)
    pieces, rows = _cut_up(buffer, sentences=unit != "line")
    # Neither NFC nor lower case makes, moves or takes away a mark, a blank or a newline: both forms have the same pieces.
    folded, _ = _cut_up(text_buffer(normalise(texts)), sentences=unit != "line")
    if folded.rows != pieces.rows:
        raise RuntimeError(f"{pieces.rows} pieces of the texts, {folded.rows} of their normal form")
    sums, counts = word_sums(folded)
    worded = counts > 0
    rows = rows[worded]
    base = buffer.starts[rows]
    return Pieces(sums[worded, 0], rows, pieces.starts[worded] - base, pieces.ends[worded] - base)


def spans_of(pieces: Pieces, unit: Unit) -> Spans:
    """Lines by themselves, or every three consecutive sentences of a text, those without words left aside."""
    hashes, rows = pieces.hashes, pieces.rows
    if unit == "line":
        each = np.arange(len(hashes))
        return Spans(hashes, rows, each, each)
    factor = np.uint64(Q)
    joined = fmix64((hashes[:-2] * factor + hashes[1:-1]) * factor + hashes[2:])
    first = np.flatnonzero(rows[:-2] == rows[2:])
    return Spans(joined[first], rows[first], first, first + SENTENCES - 1)


def plan_cut(pieces: Pieces, spans: Spans, chosen: Flags, size: int) -> Cut:
    """Join chosen spans to ranges of bytes.

    Args:
        pieces: of `size` texts.
        spans: made of them.
        chosen: (k,) spans to cut.
        size: number of texts.
    """
    rows, starts, ends = (
        spans.rows[chosen],
        pieces.starts[spans.first[chosen]],
        pieces.ends[spans.last[chosen]],
    )
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[1:] != rows[:-1]) | (starts[1:] > ends[:-1])
    begin = np.flatnonzero(fresh)
    # Starts rise inside a text, and so do ends.
    starts, ends, owner = starts[begin], ends[np.append(begin[1:], len(rows))[: len(begin)] - 1], rows[begin]
    number = np.bincount(owner, minlength=size)
    borders = np.concatenate([[0], np.cumsum(number)])
    ranges = pa.StructArray.from_arrays([pa.array(starts), pa.array(ends)], fields=list(CUTS.value_type))
    empty = pa.array(number == 0)
    offsets = pa.array(borders, pa.int32(), mask=np.append(number == 0, False))
    depth = np.zeros(len(pieces.rows) + 1, np.int64)
    np.add.at(depth, spans.first[chosen], 1)
    np.add.at(depth, spans.last[chosen] + 1, -1)
    left = np.bincount(pieces.rows[np.cumsum(depth[:-1]) == 0], minlength=size)
    return Cut(
        pa.ListArray.from_arrays(offsets, ranges, type=CUTS) if size else pa.nulls(0, CUTS),
        np.bincount(rows, minlength=size),
        np.bincount(owner, ends - starts, minlength=size).astype(np.int64),
        np.asarray(~empty.to_numpy(zero_copy_only=False) & (left == 0)),
    )


def remove_ranges(texts: pa.Array, ranges: pa.Array) -> pa.Array:
    """Cut ranges of bytes out of texts.

    Args:
        texts: (n,) strings.
        ranges: (n,) of `CUTS`, from `plan_cut` over the same texts; null leaves a text as it is.

    Returns:
        (n,) large_string; null where the text is null.
    """
    buffer = text_buffer(texts)
    if buffer.rows == 0 or ranges.null_count == len(ranges):
        return texts.cast(pa.large_string())
    base, stop = int(buffer.starts[0]), int(buffer.ends[-1])
    flat = ranges.flatten()
    counts = np.diff(_list_borders(ranges))
    origin = np.repeat(buffer.starts - base, counts)
    outside = _covered(
        flat.field("start").to_numpy() + origin, flat.field("end").to_numpy() + origin, stop - base
    )
    kept = _covered(buffer.starts - base, buffer.ends - base, stop - base) & ~outside
    before = np.concatenate([[0], np.cumsum(kept)])
    offsets = np.append(before[buffer.starts - base], before[-1])
    valid = pa.array(np.asarray(texts.is_valid())).buffers()[1] if texts.null_count else None
    buffers = [valid, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(buffer.data[base:stop][kept])]
    return pa.Array.from_buffers(pa.large_string(), buffer.rows, buffers)


def _list_borders(ranges: pa.Array) -> Offsets:
    """Borders of n lists in their flattened values: (n + 1,); a null holds none."""
    lengths = ranges.value_lengths().fill_null(0).to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _cut_up(texts: TextBuffer, *, sentences: bool) -> tuple[TextBuffer, npt.NDArray[np.int64]]:
    """Cut texts into lines or sentences that touch; blanks after a mark begin the next sentence."""
    if texts.rows == 0:
        return texts, np.zeros(0, np.int64)
    base, stop = int(texts.starts[0]), int(texts.ends[-1])
    data = texts.data[base:stop]
    ends = data == _NEWLINE
    if sentences:
        ends[:-1] |= _IS_MARK[data[:-1]] & _IS_SPACE[data[1:]]
        for mark in _WIDE_MARKS:
            ends |= _ends_of(data, mark)
    cuts = np.flatnonzero(ends) + base + 1
    starts = distinct(np.concatenate([texts.starts, cuts]))
    starts = starts[starts < stop]
    # Between texts lie at most the bytes of nulls; they belong to none.
    row = np.searchsorted(texts.starts, starts, side="right") - 1
    # Of texts that begin at the same byte, all but the last are empty.
    inside = starts < texts.ends[row]
    starts, row = starts[inside], row[inside]
    finish = np.minimum(np.append(starts[1:], stop), texts.ends[row])
    return TextBuffer(texts.data, starts, finish), row


def _ends_of(data: Bytes, mark: bytes) -> Flags:
    """Last bytes of a mark of three bytes: (n,)."""
    found = data == mark[2]
    found[2:] &= (data[1:-1] == mark[1]) & (data[:-2] == mark[0])
    found[:2] = False
    return np.asarray(found)


def _covered(starts: Offsets, ends: Offsets, size: int) -> Flags:
    """Which of `size` bytes lie in a range; ranges may touch or overlap."""
    depth = np.zeros(size + 1, np.int32)
    np.add.at(depth, starts, 1)
    np.add.at(depth, ends, -1)
    covered: Flags = np.cumsum(depth[:-1]) > 0
    return covered

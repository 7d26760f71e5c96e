"""GPT-3's cutting rule: which stretches of a document go, and which pieces stay.

Source: Brown et al. 2020, appendix C. Windows reach `window_chars` to each side of a match and are merged; what lies
between them are the pieces. Empty pieces count for nothing. More pieces than `max_pieces` remove the document; of
fewer, those under `min_piece_chars` are dropped. A document without a match is never touched.
"""

from typing import NamedTuple

import numpy as np

from pipeline.decontaminate.index import Flags, Numbers
from pipeline.decontaminate.scan import Hits


class Spans(NamedTuple):
    """s stretches of text in characters, by row and start; those of a row do not overlap."""

    row: Numbers  # (s,)
    start: Numbers
    end: Numbers

    @property
    def sizes(self) -> Numbers:
        """Characters of each: (s,)."""
        return self.end - self.start


class Cut(NamedTuple):
    """What becomes of n documents."""

    touched: Flags  # (n,) has a match that counts
    too_many: Flags  # (n,) touched, and in too many pieces
    windows: Spans  # what the matches with their surroundings cover
    pieces: Spans  # what stays of touched documents that are not `too_many`


def merged(row: Numbers, start: Numbers, end: Numbers) -> Spans:
    """Merge spans that overlap or touch: (h,) in any order to (s,)."""
    order = np.lexsort((start, row))
    row, start, end = row[order], start[order], end[order]
    if not len(row):
        return Spans(row, start, end)
    # The furthest end so far within the row: rows are set apart by more than any text is long.
    apart = np.int64(end.max()) + 1
    furthest = np.maximum.accumulate(end + row * apart) - row * apart
    fresh = np.concatenate([[True], (row[1:] != row[:-1]) | (start[1:] > furthest[:-1])])
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(row)) - 1
    return Spans(row[first], start[first], furthest[last])


def cut(hits: Hits, lengths: Numbers, *, window_chars: int, min_piece_chars: int, max_pieces: int) -> Cut:
    """Cut n documents of `lengths` characters at their hits.

    Args:
        hits: those that count, in any order.
        lengths: (n,) characters.
        window_chars: on each side of a match.
        min_piece_chars: shorter pieces are dropped.
        max_pieces: more pieces, short ones included, remove the document.
    """
    rows = len(lengths)
    start = np.maximum(hits.start - window_chars, 0)
    end = np.minimum(hits.end + window_chars, lengths[hits.row])
    windows = merged(hits.row, start, end)
    touched = np.zeros(rows, bool)
    touched[windows.row] = True

    # Each window ends the piece before it; one more piece runs from the last window to the document's end.
    damaged = np.flatnonzero(touched)
    row = np.concatenate([windows.row, damaged])
    piece_end = np.concatenate([windows.start, lengths[damaged]])
    order = np.lexsort(
        (piece_end, row)
    )  # a window that reaches the end leaves an empty piece: order does not matter
    row, piece_end = row[order], piece_end[order]
    first = np.concatenate([[True], row[1:] != row[:-1]])[: len(row)]
    piece_start = np.zeros(len(row), np.int64)
    piece_start[~first] = windows.end
    filled = piece_end > piece_start
    counts = np.bincount(row[filled], minlength=rows)
    too_many = counts > max_pieces
    stays = filled & (piece_end - piece_start >= min_piece_chars) & ~too_many[row]
    return Cut(touched, too_many, windows, Spans(row[stays], piece_start[stays], piece_end[stays]))

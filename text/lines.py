"""Lines and paragraphs. A line ends at a newline and nowhere else: extraction has made all line ends newlines."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text.buffers import Offsets, TextBuffer
from text.tokens import Tokens

Bools = npt.NDArray[np.bool_]


class Lines(NamedTuple):
    r"""The lines of n texts, as `str.split("\n")` gives them; text d holds lines `borders[d]` to `borders[d + 1] - 1`."""

    starts: Offsets  # (n_lines,) bytes from the start of the batch
    ends: Offsets  # (n_lines,) without the newline
    borders: Offsets  # (n + 1,)
    tokens: Offsets  # (n_lines + 1,) line i holds tokens tokens[i] to tokens[i + 1] - 1
    inner_starts: Offsets  # (n_lines,) of its first character that is no space; `ends` where there is none
    inner_ends: Offsets  # (n_lines,) after its last character that is no space; `ends` where there is none

    @property
    def blank(self) -> Bools:
        """Which lines hold spaces at most: (n_lines,)."""
        return np.equal(self.tokens[1:], self.tokens[:-1])

    @property
    def empty(self) -> Bools:
        """Which lines hold nothing at all: (n_lines,)."""
        return np.equal(self.starts, self.ends)


class Spans(NamedTuple):
    """Stretches of n texts, in order; text d holds spans `borders[d]` to `borders[d + 1] - 1`."""

    starts: Offsets  # (n_spans,) bytes from the start of the batch
    ends: Offsets  # (n_spans,)
    borders: Offsets  # (n + 1,)


def find_lines(texts: TextBuffer, tokens: Tokens) -> Lines:
    """Find the lines of all texts at once: an empty text has one, which is empty.

    Args:
        texts: n texts that touch, the first at byte 0 of the buffer, the last at its end.
        tokens: of those texts.
    """
    newlines = np.flatnonzero(texts.data == 0x0A)
    borders = np.zeros(texts.rows + 1, np.int64)
    np.cumsum(
        np.searchsorted(newlines, texts.ends) - np.searchsorted(newlines, texts.starts) + 1, out=borders[1:]
    )
    # In the order of lines both starts and ends rise, so sorting pairs them.
    starts = np.sort(np.concatenate([texts.starts, newlines + 1]), kind="stable")
    ends = np.sort(np.concatenate([newlines, texts.ends]), kind="stable")
    first = np.searchsorted(tokens.starts, starts)
    stop = np.append(first[1:], len(tokens.starts))
    inner_starts, inner_ends = ends.copy(), ends.copy()
    filled = np.flatnonzero(stop > first)
    inner_starts[filled] = tokens.starts[first[filled]]
    inner_ends[filled] = tokens.ends[stop[filled] - 1]
    return Lines(starts, ends, borders, np.append(first, len(tokens.starts)), inner_starts, inner_ends)


def find_paragraphs(lines: Lines) -> Spans:
    r"""Find what empty lines separate, once spaces around the whole text are gone: `re.split("\n{2,}", text.strip())`.

    A text of spaces has no paragraph.
    """
    filled = np.flatnonzero(~lines.blank)
    first = np.searchsorted(filled, lines.borders[:-1])
    stop = np.searchsorted(filled, lines.borders[1:])
    full = np.flatnonzero(stop > first)
    first_line, last_line = filled[first[full]], filled[stop[full] - 1]
    inside = np.zeros(len(lines.starts) + 1, np.int64)
    np.add.at(inside, first_line, 1)
    np.add.at(inside, last_line + 1, -1)
    member = np.cumsum(inside[:-1]).astype(bool) & ~lines.empty
    begins, finishes = member.copy(), member.copy()
    begins[1:] &= ~member[:-1]
    finishes[:-1] &= ~member[1:]
    begins[first_line] = True
    finishes[last_line] = True
    starts, ends = lines.starts.copy(), lines.ends.copy()
    starts[first_line] = lines.inner_starts[first_line]
    ends[last_line] = lines.inner_ends[last_line]
    at = np.flatnonzero(begins)
    return Spans(starts[at], ends[finishes], np.searchsorted(at, lines.borders))

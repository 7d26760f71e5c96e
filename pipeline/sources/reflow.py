"""Lines that were broken to fit a width, made paragraphs again; verse and tables keep their lines."""

import itertools
import re
from statistics import median
from typing import Final

_PARAGRAPH: Final = re.compile(r"(\n(?:[ \t]*\n)+)")
_FIRST_PIECE: Final = re.compile(
    r"[^\s-]*-*"
)  # what could have gone to the line above: lines break after hyphens too
_MIN_LINES: Final = 4  # of paragraphs that tell the width
_MIN_WIDTH: Final = 50
_MAX_WIDTH: Final = 100
_SHARE_OF_WIDTH: Final = 0.8  # that the longest line of a paragraph fills; lines of verse are shorter


def reflow(text: str) -> str:
    """Join the lines of paragraphs that were filled to a width.

    A paragraph was filled if at each line end the next word would have made the line longer than the paragraph's
    longest; if no line is indented; and if its longest line is about as long as the book's others.
    """
    pieces = _PARAGRAPH.split(text)
    split = [piece.split("\n") for piece in pieces[::2]]
    longest = [max(map(len, lines)) for lines in split if len(lines) >= _MIN_LINES]
    width = median(longest) if longest else 0
    if not _MIN_WIDTH <= width <= _MAX_WIDTH:
        return text
    pieces[::2] = [_joined(lines) if _was_filled(lines, width) else "\n".join(lines) for lines in split]
    return "".join(pieces)


def _was_filled(lines: list[str], width: float) -> bool:
    longest = max(map(len, lines))
    if len(lines) < 2 or longest < _SHARE_OF_WIDTH * width or longest > _MAX_WIDTH:
        return False
    for line, following in itertools.pairwise(lines):
        first = _FIRST_PIECE.match(following)
        assert first is not None  # it matches nothing at all, too
        if following[:1].isspace() or len(line.rstrip()) + 1 + len(first[0]) <= longest:
            return False
    return True


def _joined(lines: list[str]) -> str:
    pieces = [lines[0].rstrip()]
    for line in lines[1:]:
        if not pieces[-1].endswith(("-", "\u2014")):
            pieces.append(" ")
        pieces.append(line.rstrip())
    return "".join(pieces)

"""Signals of FineWeb's own rules: is this running text, or a list?

Source: Penedo et al. 2024 (arXiv:2406.17557), section 3.5 and its code. Lines of spaces are left out.
"""

import numpy as np
import pyarrow as pa

from pipeline.annotate.shares import bytes_at, per_text, share
from text.anatomy import Anatomy
from text.characters import SENTENCE_MARK

SHORT_LINE_CHARS = 30


def fineweb(texts: Anatomy) -> dict[str, pa.Array]:
    """Four shares of n documents, each (n,) float64.

    - `terminal_lines_share`: lines whose very last character ends sentences in some script;
    - `short_lines_share`: lines of at most 30 characters;
    - `duplicate_nonblank_lines_chars_share`: characters of lines seen before, of all characters but newlines;
    - `newlines_per_token`.
    """
    lines = texts.lines
    filled = ~lines.blank
    count = per_text(filled, lines.borders)
    chars = texts.characters.between(lines.starts, lines.ends)
    last = bytes_at(texts.characters.flags, lines.ends - 1)
    copies = texts.line_copies & filled
    newlines = np.diff(lines.borders) - 1
    found = {
        "terminal_lines_share": share(per_text(filled & (last & SENTENCE_MARK != 0), lines.borders), count),
        "short_lines_share": share(per_text(filled & (chars <= SHORT_LINE_CHARS), lines.borders), count),
        "duplicate_nonblank_lines_chars_share": share(
            per_text(chars * copies, lines.borders), texts.character_counts - newlines
        ),
        "newlines_per_token": share(newlines, texts.tokens.counts),
    }
    return {name: pa.array(values) for name, values in found.items()}

"""How long a document is, in every unit that a rule may ask for."""

import numpy as np
import pyarrow as pa

from pipeline.annotate.shares import per_text, share
from text.anatomy import Anatomy


def lengths(texts: Anatomy) -> dict[str, pa.Array]:
    """Eight signals of n documents, each (n,).

    - `characters`, `tokens` (words and punctuation), `lines` (that are not blank), `paragraphs`, `sentences`;
    - `mean_line_chars`, `longest_line_chars`, `third_longest_line_chars`: over all lines, in characters.
    """
    lines = texts.lines
    chars = texts.characters.between(lines.starts, lines.ends)
    count = np.diff(lines.borders)
    text = np.repeat(np.arange(texts.rows), count)
    ordered = chars[np.lexsort((-chars, text))]
    third = np.zeros(texts.rows, np.int64)
    enough = count >= 3
    third[enough] = ordered[lines.borders[:-1][enough] + 2]
    filled = per_text(~lines.blank, lines.borders)
    found = {
        "characters": texts.character_counts,
        "tokens": texts.tokens.counts,
        "lines": filled,
        "paragraphs": np.diff(texts.paragraphs.borders),
        "sentences": np.diff(texts.sentences.borders),
        "mean_line_chars": share(per_text(chars * ~lines.blank, lines.borders), filled),
        "longest_line_chars": ordered[lines.borders[:-1]],
        "third_longest_line_chars": third,
    }
    return {name: pa.array(values) for name, values in found.items()}

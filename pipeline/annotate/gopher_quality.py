"""Signals of Gopher's quality rules: is this prose of a usual shape?

Source: Rae et al. 2021 (arXiv:2112.11446), appendix A1.1. "Word" there is any token, punctuation included, but word
counts and lengths leave out tokens without a letter or number, as datatrove's filter does.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.annotate.shares import bytes_at, per_text, share
from text.anatomy import Anatomy
from text.buffers import Bytes, Offsets
from text.characters import LETTER, LETTER_OR_NUMBER
from text.lines import Bools
from text.spans import hash_spans

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_ELLIPSIS = "\u2026".encode()
_BULLET = "\u2022".encode()


def gopher_quality(texts: Anatomy, *, stop_words: Sequence[str] = STOP_WORDS) -> dict[str, pa.Array]:
    """Nine signals of n documents, each (n,); shares are 0 where there is nothing to count.

    - `nonsymbol_words`: tokens with a letter or number;
    - `mean_word_chars`: their mean length in characters;
    - `hashes_per_token`, `ellipses_per_token`: `#`; `...` and U+2026, in the whole text, over all tokens;
    - `bullet_lines_share`: lines whose first character but spaces is U+2022 or `-`;
    - `ellipsis_lines_share`: lines that end in an ellipsis, spaces aside;
    - `alphabetic_tokens_share`: tokens with a letter;
    - `distinct_stop_words`: how many of `stop_words` occur as tokens, in this very case.

    Lines are those of `str.splitlines`, blank ones included, but newlines alone end them.
    """
    tokens, lines, data = texts.tokens, texts.lines, texts.data
    words = (tokens.flags & LETTER_OR_NUMBER) != 0
    nonsymbol = per_text(words, tokens.borders)
    # `splitlines` knows no empty line after the last newline.
    final = lines.borders[1:] - 1
    line_count = np.diff(lines.borders) - lines.empty[final]
    bullets = (bytes_at(data, lines.inner_starts) == ord("-")) | _stands(_BULLET, data, lines.inner_starts)
    bullets &= ~lines.blank
    ellipses = _ends_in(b"...", data, lines.inner_starts, lines.inner_ends)
    ellipses |= _ends_in(_ELLIPSIS, data, lines.inner_starts, lines.inner_ends)
    found = {
        "nonsymbol_words": nonsymbol,
        "mean_word_chars": share(per_text(texts.token_chars * words, tokens.borders), nonsymbol),
        "hashes_per_token": share(_count(np.flatnonzero(data == ord("#")), texts), tokens.counts),
        "ellipses_per_token": share(_count(_ellipses(data, texts), texts), tokens.counts),
        "bullet_lines_share": share(per_text(bullets, lines.borders), line_count),
        "ellipsis_lines_share": share(per_text(ellipses, lines.borders), line_count),
        "alphabetic_tokens_share": share(
            per_text((tokens.flags & LETTER) != 0, tokens.borders), tokens.counts
        ),
        "distinct_stop_words": _distinct(texts, stop_words),
    }
    return {name: pa.array(values) for name, values in found.items()}


def _count(positions: Offsets, texts: Anatomy) -> Offsets:
    return np.searchsorted(positions, texts.texts.ends) - np.searchsorted(positions, texts.texts.starts)


def _stands(pattern: bytes, data: Bytes, at: Offsets) -> Bools:
    """Whether the pattern, of three bytes, stands at each place."""
    found = np.ones(len(at), bool)
    for step, byte in enumerate(pattern):
        found &= bytes_at(data, at + step) == byte
    return found


def _ends_in(pattern: bytes, data: Bytes, starts: Offsets, ends: Offsets) -> Bools:
    return np.logical_and(ends - starts >= 3, _stands(pattern, data, ends - 3))


def _ellipses(data: Bytes, texts: Anatomy) -> Offsets:
    """Where ellipses end, as `str.count` finds them: of a run of k full stops, k // 3."""
    if len(data) < 3:
        return np.zeros(0, np.int64)
    dot = data == ord(".")
    triple = np.flatnonzero(dot[2:] & dot[1:-1] & dot[:-2])  # first of three
    # Runs end with their text.
    text = np.searchsorted(texts.texts.ends, triple, side="right")
    triple = triple[triple + 3 <= texts.texts.ends[text]]
    if len(triple):
        text = np.searchsorted(texts.texts.ends, triple, side="right")
        fresh = np.ones(len(triple), bool)
        fresh[1:] = (np.diff(triple) != 1) | (np.diff(text) != 0)
        begin = np.maximum.accumulate(np.where(fresh, triple, 0))
        triple = triple[(triple - begin) % 3 == 0]
    lead = np.flatnonzero(data == _ELLIPSIS[0])
    return np.sort(np.concatenate([triple, lead[_stands(_ELLIPSIS, data, lead)]]), kind="stable")


def _distinct(texts: Anatomy, stop_words: Sequence[str]) -> Offsets:
    found = np.zeros(texts.rows, np.int64)
    for word in dict.fromkeys(stop_words):
        spelling = np.frombuffer(word.encode(), np.uint8)
        wanted = hash_spans(spelling, np.array([0]), np.array([len(spelling)]))[0]
        found += (
            np.diff(np.searchsorted(np.flatnonzero(texts.token_hashes == wanted), texts.tokens.borders)) > 0
        )
    return found

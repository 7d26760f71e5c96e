"""Signals of Gopher's repetition rules: how much of a document says the same again.

Source: Rae et al. 2021 (arXiv:2112.11446), table A1. Where the paper leaves a choice, datatrove's is taken:
duplicates are all occurrences but the first, and a stretch that repeats is counted once, however its n-grams overlap.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.annotate.shares import per_text, share
from text.anatomy import Anatomy
from text.buffers import Hashes, Offsets
from text.hashes import Q, fmix64
from text.lines import Spans
from text.spans import hash_spans
from text.tokens import equal_runs

TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
_SALT = 0x9FB21C651E98DF25


class _Repeats(NamedTuple):
    """The n-grams that occur more than once in their text."""

    at: Offsets  # (m,) first token of each occurrence, n-gram by n-gram and rising within each
    groups: Offsets  # (g + 1,) where each n-gram's occurrences begin in `at`, and the end


def gopher_repetition(texts: Anatomy) -> dict[str, pa.Array]:
    """Thirteen shares of n documents, each (n,) float64.

    - `duplicate_lines_share`, `duplicate_paragraphs_share`: of all lines that are not empty, of all paragraphs;
    - `duplicate_lines_chars_share`, `duplicate_paragraphs_chars_share`: their characters, of all in the document;
    - `top_2gram_chars_share` to `top_4gram_chars_share`: characters of the most frequent n tokens, one space between
      two, times their number; the first of those that are as frequent;
    - `duplicate_5gram_chars_share` to `duplicate_10gram_chars_share`: characters without spaces in repeated n tokens,
      found by walking from left to right and jumping n tokens after a repeat.
    """
    tokens = texts.tokens
    text = np.repeat(np.arange(texts.rows), tokens.counts)
    room = tokens.borders[1:][text]  # where each token's text ends
    # The text takes part in the hash, so that equal means equal within one text.
    hashes = fmix64(texts.token_hashes + text.astype(np.uint64) * np.uint64(_SALT))
    chars = np.zeros(len(text) + 1, np.int64)
    np.cumsum(texts.token_chars, out=chars[1:])

    found = {**_lines(texts), **_paragraphs(texts)}
    grams = np.arange(len(text))
    sums = hashes
    for n in range(2, max(DUPLICATE) + 1):
        inside = grams + n <= room[grams]
        grams = grams[inside]
        sums = sums[inside] * np.uint64(Q) + hashes[grams + n - 1]
        members, groups = equal_runs(fmix64(sums))
        repeats = _Repeats(grams[members], groups)
        if n in TOP:
            covered = _top(repeats, n, chars, text, tokens.borders)
            found[f"top_{n}gram_chars_share"] = share(covered, texts.character_counts)
        if n in DUPLICATE:
            covered = _walk(repeats, n, chars, text, texts.rows)
            found[f"duplicate_{n}gram_chars_share"] = share(covered, texts.character_counts)
        # n + 1 tokens can repeat only where their first n and their last n do.
        repeated = np.zeros(len(text) + 1, bool)
        repeated[repeats.at] = True
        still = repeated[grams] & repeated[grams + 1]
        grams, sums = grams[still], sums[still]
    return {name: pa.array(values) for name, values in found.items()}


def later_copies(hashes: Hashes, borders: Offsets) -> np.ndarray:
    """Which spans equal an earlier one of their text: (n_spans,) bool."""
    text = np.repeat(np.arange(len(borders) - 1, dtype=np.uint64), np.diff(borders))
    members, groups = equal_runs(fmix64(hashes + text * np.uint64(_SALT)))
    later = np.zeros(len(hashes), bool)
    later[members] = True
    later[members[groups[:-1]]] = False
    return later


def _lines(texts: Anatomy) -> dict[str, np.ndarray]:
    lines = texts.lines
    copies = later_copies(texts.line_hashes, lines.borders) & ~lines.empty
    chars = texts.characters.between(lines.starts, lines.ends) * copies
    return {
        "duplicate_lines_share": share(
            per_text(copies, lines.borders), per_text(~lines.empty, lines.borders)
        ),
        "duplicate_lines_chars_share": share(per_text(chars, lines.borders), texts.character_counts),
    }


def _paragraphs(texts: Anatomy) -> dict[str, np.ndarray]:
    spans: Spans = texts.paragraphs
    copies = later_copies(hash_spans(texts.data, spans.starts, spans.ends), spans.borders)
    chars = texts.characters.between(spans.starts, spans.ends) * copies
    return {
        "duplicate_paragraphs_share": share(per_text(copies, spans.borders), np.diff(spans.borders)),
        "duplicate_paragraphs_chars_share": share(per_text(chars, spans.borders), texts.character_counts),
    }


def _top(repeats: _Repeats, n: int, chars: Offsets, text: Offsets, borders: Offsets) -> Offsets:
    """Characters of each text's most frequent n-gram, spaces included, times its number: (n_texts,)."""
    counts = np.diff(repeats.groups)
    first = repeats.at[repeats.groups[:-1]]
    # A text without repeats has its first n-gram, once.
    best = borders[:-1].copy()
    times = (np.diff(borders) >= n).astype(np.int64)
    best[times == 0] = 0
    # From the worst to the best, so that the last one written stays: rising counts, falling positions.
    order = np.lexsort((-first, counts))
    best[text[first[order]]] = first[order]
    times[text[first[order]]] = counts[order]
    ends = np.minimum(best + n, len(chars) - 1)
    return (chars[ends] - chars[best] + n - 1) * times


def _walk(repeats: _Repeats, n: int, chars: Offsets, text: Offsets, rows: int) -> Offsets:
    """Characters in repeated n-grams by the walk that jumps over each repeat: (n_texts,)."""
    covered = np.zeros(rows, np.int64)
    if not len(repeats.at):
        return covered
    group = np.repeat(np.arange(len(repeats.groups) - 1), np.diff(repeats.groups))
    order = np.argsort(repeats.at, kind="stable")
    jumps = []
    seen = bytearray(len(repeats.groups))
    free = 0
    # An n-gram that occurs once is never a repeat: the walk need not stop there.
    for at, name in zip(repeats.at[order].tolist(), group[order].tolist(), strict=True):
        if at >= free:
            if seen[name]:
                jumps.append(at)
                free = at + n
            else:
                seen[name] = 1
    at = np.array(jumps, np.int64)
    np.add.at(covered, text[at], chars[at + n] - chars[at])
    return covered

"""Signals of Gopher's repetition rules: how much of a document says the same again.

Source: Rae et al. 2021 (arXiv:2112.11446), table A1. Where the paper leaves a choice, datatrove's is taken:
duplicates are all occurrences but the first, and a stretch that repeats is counted once, however its n-grams overlap.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.annotate.shares import per_text, share
from text.anatomy import Anatomy
from text.buffers import Offsets
from text.hashes import Q, fmix64
from text.lines import Spans
from text.spans import hash_spans
from text.tokens import equal_runs, later_copies

TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
_SALT = 0x9FB21C651E98DF25
_PLACE_BITS = 40
_LAST_PLACE = (1 << _PLACE_BITS) - 1


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
        members, groups = equal_runs(sums)
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


def _lines(texts: Anatomy) -> dict[str, np.ndarray]:
    lines = texts.lines
    copies = texts.line_copies & ~lines.empty
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
    # A text without repeats has its first n-gram, once. Of n-grams as frequent, the first counts.
    frequent = np.diff(borders) >= n
    score = np.where(frequent, _score(np.ones(len(frequent), np.int64), borders[:-1]), 0)
    first = repeats.at[repeats.groups[:-1]]
    np.maximum.at(score, text[first], _score(np.diff(repeats.groups), first))
    times, best = score >> _PLACE_BITS, _LAST_PLACE - (score & _LAST_PLACE)
    best[~frequent] = 0
    found = chars[np.minimum(best + n, len(chars) - 1)] - chars[best] + n - 1
    return np.asarray(np.where(frequent, found * times, 0))


def _score(times: Offsets, place: Offsets) -> Offsets:
    """A number that is larger for more, and among equals for the earlier."""
    return (times << _PLACE_BITS) | (_LAST_PLACE - place)


def _walk(repeats: _Repeats, n: int, chars: Offsets, text: Offsets, rows: int) -> Offsets:
    """Characters in repeated n-grams by the walk that jumps over each repeat: (n_texts,).

    The walk meets an n-gram for the first time where it stands first, unless a jump leaps over that place. So it can
    go from one later occurrence to the next, if each jump marks as unseen what it leaps over.
    """
    covered = np.zeros(rows, np.int64)
    if not len(repeats.at):
        return covered
    group = np.repeat(np.arange(len(repeats.groups) - 1), np.diff(repeats.groups))
    later = np.ones(len(repeats.at), bool)
    later[repeats.groups[:-1]] = False
    order = np.argsort(repeats.at[later])
    at, name = repeats.at[later][order], group[later][order]
    firsts = repeats.at[~later]
    by_place = np.argsort(firsts)
    firsts = firsts[by_place]
    landing = np.searchsorted(at, at + n)
    leapt = np.searchsorted(firsts, at), np.searchsorted(firsts, at + n)

    unseen = bytearray(len(by_place))
    jumps = []
    here, count = 0, len(at)
    # Single items of a memoryview are read faster than of an array.
    names, landings, first_names = name.data, landing.data, by_place.data
    begins, ends = leapt[0].data, leapt[1].data
    while here < count:
        if unseen[names[here]]:
            unseen[names[here]] = 0
            here += 1
            continue
        jumps.append(here)
        for first in range(begins[here], ends[here]):
            unseen[first_names[first]] = 1
        here = landings[here]
    taken = at[jumps]
    np.add.at(covered, text[taken], chars[taken + n] - chars[taken])
    return covered

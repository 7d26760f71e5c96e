"""Runs of three tokens in which rare words are masked: how a text is built, whatever it is about.

`the history of` and `the price of` are one run, `the * of`. A list of links is `* * *` all over. Words alone also tell
topics, which the next source does not share.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from classifiers.hashing import BUCKETS, Tokens, find_tokens, text_batches, token_batches, token_names
from classifiers.normalise import Style, normalise
from text.buffers import TextBuffer

# A model is bound to the way its runs are made; any change below needs another name.
RUNS = "masked-3-v1"
LENGTH = 3
COMMON = 1_000  # words that are not masked
MASK = "*"

_BITS = np.uint64(BUCKETS.bit_length())  # of a bucket + 1
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)  # golden ratio, as in splitmix64
_MULTIPLY_MIX = np.uint64(0xFF51AFD7ED558CCD)  # from murmur3's 64-bit finaliser
_HALF = np.uint64(32)
_TO_BUCKET = np.uint64(64 - (BUCKETS.bit_length() - 1))

Table = npt.NDArray[np.uint64]


def common_buckets(counts: sp.csr_matrix, row_weights: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """Choose the buckets that the largest share of documents holds: at most `COMMON`, rising; ties go to the lower bucket.

    Args:
        counts: (n, BUCKETS) token counts of good text.
        row_weights: (n,) weights of the documents.
    """
    held = counts.copy()
    held.data = np.ones_like(held.data)
    shares = np.asarray(held.T @ row_weights).ravel()
    ranked = np.lexsort((np.arange(len(shares)), -shares))[:COMMON]
    return tuple(sorted(int(bucket) for bucket in ranked if shares[bucket] > 0))


def mask_table(common: Sequence[int]) -> Table:
    """Make the table that `find_runs` looks tokens up in: (BUCKETS,) bucket + 1 if common, else 0."""
    table = np.zeros(BUCKETS, np.uint64)
    kept = np.array(common, np.int64)
    table[kept] = kept + 1
    return table


def find_runs(tokens: Tokens, table: Table) -> Tokens:
    """Hash the runs of three tokens of each text; a text of t tokens has t - 2, or none."""
    masked, starts = _masked(tokens, table)
    code = masked[starts] << (_BITS + _BITS)
    code |= masked[starts + 1] << _BITS
    code |= masked[starts + 2]
    code *= _MULTIPLY
    code ^= code >> _HALF
    code *= _MULTIPLY_MIX
    code >>= _TO_BUCKET
    borders = np.concatenate([[0], np.cumsum(np.maximum(tokens.counts - (LENGTH - 1), 0))])
    return Tokens(code.view(np.int64), borders)


def run_matrix(texts: TextBuffer, common: Sequence[int], *, style: Style = "light") -> sp.csr_matrix:
    """Count the runs of n texts by bucket: (n, BUCKETS) float64."""
    table = mask_table(common)
    parts = [find_runs(tokens, table) for _, tokens in token_batches(texts, style=style)]
    buckets = np.concatenate([np.zeros(0, np.int64), *(part.buckets for part in parts)])
    counts = np.concatenate([np.zeros(0, np.int64), *(part.counts for part in parts)])
    borders = np.concatenate([[0], np.cumsum(counts)])
    matrix = sp.csr_matrix((np.ones(len(buckets)), buckets, borders), shape=(texts.rows, BUCKETS))
    matrix.sum_duplicates()
    return matrix


def run_names(
    texts: TextBuffer, wanted: Iterable[int], common: Sequence[int], *, style: Style = "light", most: int = 3
) -> dict[int, list[str]]:
    """Find what stands in given buckets: for each the `most` most frequent runs of these texts, most frequent first."""
    found: dict[int, Counter[tuple[int, ...]]] = {bucket: Counter() for bucket in wanted}
    of_interest = np.zeros(BUCKETS, bool)
    of_interest[list(found)] = True
    table = mask_table(common)
    for part in text_batches(texts):
        tokens = find_tokens(normalise(part, style))
        runs = find_runs(tokens, table)
        masked, starts = _masked(tokens, table)
        for at in np.flatnonzero(of_interest[runs.buckets]).tolist():
            first = int(starts[at])
            found[int(runs.buckets[at])][tuple(masked[first : first + LENGTH].tolist())] += 1
    held = {mark - 1 for counts in found.values() for run in counts for mark in run if mark}
    words = {bucket: names[0] for bucket, names in token_names(texts, held, style=style, most=1).items()}
    return {
        bucket: [
            " ".join(words[mark - 1] if mark else MASK for mark in run)
            for run, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
        ]
        for bucket, counts in found.items()
    }


def _masked(tokens: Tokens, table: Table) -> tuple[Table, npt.NDArray[np.int64]]:
    """Look tokens up, and find where runs begin: all tokens of a text but its last two."""
    begins = np.ones(len(tokens.buckets), bool)
    for back in range(1, LENGTH):
        last = (
            tokens.borders[1:] - back
        )  # may lie in the text before, whose last two are no beginnings either
        begins[last[last >= 0]] = False
    return table[tokens.buckets], np.flatnonzero(begins)

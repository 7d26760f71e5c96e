"""Which source comes next: Tijdeman's order, in which every prefix is within one sample of the weights."""

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError

Int32s = npt.NDArray[np.int32]
_FRACTION_BITS = 41  # two different fractions with denominators up to 2 ** 20 differ by more than 2 ** -41


def tijdeman(weights: Sequence[int]) -> Int32s:
    """Order the sources of one period: (sum of weights,) indices into `weights`; then it repeats.

    After any number s of samples, source i has been chosen s * weights[i] / M times, give or take at most
    1 - 1 / (2k - 2) of a sample, for k sources and M = sum(weights).

    Step s may choose source i if, with c_i earlier choices, (s * p_i - M * c_i) * D >= M, where D = 2k - 2; among
    these it chooses the one with the smallest ((D - 1) * M - D * (s * p_i - M * c_i)) / p_i, ties to the smallest i.
    Both sides are fixed by (i, c_i), so every choice is a job with a release step and a deadline, and the rule is
    "earliest deadline first". All comparisons are exact.

    Args:
        weights: (k,) positive integers; their sum is at most 2 ** 20.

    Source: Tijdeman 1980, "The chairman assignment problem".
    """
    if not weights or min(weights) <= 0 or sum(weights) > 1 << 20:
        raise MixtureError(
            f"weights {list(weights)[:8]} are no positive integers with a sum of at most {1 << 20:,}"
        )
    if len(weights) == 1:
        return np.zeros(weights[0], dtype=np.int32)
    period, width = sum(weights), 2 * len(weights) - 2
    parts = np.array(weights, dtype=np.int64)
    source = np.repeat(np.arange(len(parts)), parts)
    first_job = np.cumsum(parts) - parts
    chosen = np.arange(period) - first_job[source]  # c_i before this job
    share = parts[source]
    # -(-a // b) is the ceiling; the largest product is period * width * period < 2 ** 63 for 2 ** 20 sources.
    release = -(-(period * (1 + width * chosen)) // (width * share))
    whole, rest = np.divmod(
        width - 1 + width * chosen, share
    )  # deadline / M, less the s that all have in common
    fraction = (rest << _FRACTION_BITS) // share
    by_deadline = np.lexsort((source, fraction, whole))
    urgency = np.empty(period, dtype=np.int64)
    urgency[by_deadline] = np.arange(period)
    by_release = np.argsort(release, kind="stable")
    order = _earliest_deadline_first(release[by_release].tolist(), urgency[by_release].tolist())
    return source[by_deadline[order]].astype(np.int32)


def _earliest_deadline_first(releases: list[int], urgencies: list[int]) -> npt.NDArray[np.int64]:
    order = np.empty(len(releases), dtype=np.int64)
    waiting: list[int] = []
    arrived = 0
    for step in range(1, len(releases) + 1):
        while arrived < len(releases) and releases[arrived] <= step:
            heapq.heappush(waiting, urgencies[arrived])
            arrived += 1
        assert waiting, "Tijdeman's theorem: some source is always eligible"
        order[step - 1] = heapq.heappop(waiting)
    return order


def ranks(order: Int32s) -> Int32s:
    """How often the source of each step occurred before it in the period: (period,)."""
    by_source = np.argsort(order, kind="stable")
    counts = np.bincount(order)
    before = np.cumsum(counts) - counts
    rank = np.empty(len(order), dtype=np.int32)
    rank[by_source] = np.arange(len(order)) - before[order[by_source]]
    return rank

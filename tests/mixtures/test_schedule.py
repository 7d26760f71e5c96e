"""Tijdeman's order: the published bound, exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.errors import MixtureError
from mixtures.schedule import ranks, tijdeman

# 60/22/8/8/3, computed with the rule as it is stated, step by step and in whole numbers.
GPT3 = "00102001030100102001030010400102001300010100203010010200103004100010200103001010200103001040010200310"


def stated_rule(weights: list[int], steps: int) -> list[int]:
    """The rule word for word; slow."""
    period, width = sum(weights), 2 * len(weights) - 2
    counts, out = [0] * len(weights), []
    for s in range(1, steps + 1):
        best = None
        for i, p in enumerate(weights):
            e = s * p - period * counts[i]
            if e * width >= period:
                key = (width - 1) * period - width * e
                if best is None or key * weights[best[1]] < best[0] * p:
                    best = (key, i)
        assert best is not None
        out.append(best[1])
        counts[best[1]] += 1
    return out


def deviation(order: np.ndarray, weights: list[int]) -> int:
    """Largest |count * M - s * p| over all prefixes and sources."""
    steps = np.arange(1, len(order) + 1, dtype=np.int64)
    return max(
        int(np.abs(np.cumsum(order == i, dtype=np.int64) * sum(weights) - steps * p).max())
        for i, p in enumerate(weights)
    )


def test_gpt3s_order_is_the_published_vector() -> None:
    order = tijdeman([60, 22, 8, 8, 3])
    assert "".join(map(str, order)) == GPT3
    assert deviation(order, [60, 22, 8, 8, 3]) == 87  # of 101: .861 of a sample


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=9))
def test_the_order_is_the_stated_rule_and_repeats_with_its_period(weights: list[int]) -> None:
    period = sum(weights)
    assert tijdeman(weights).tolist() * 2 == stated_rule(weights, 2 * period)


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_random_weight_vectors_stay_within_the_bound(block: int) -> None:
    draw = np.random.default_rng(block)
    for _ in range(100):
        weights = draw.integers(1, draw.integers(2, 60), draw.integers(2, 51)).tolist()
        order = tijdeman(weights)
        k = len(weights)
        assert np.bincount(order, minlength=k).tolist() == weights
        # deviation / M <= 1 - 1 / (2k - 2), in whole numbers
        assert deviation(order, weights) * (2 * k - 2) <= sum(weights) * (2 * k - 3)


def test_an_independent_draw_fails_this_bound() -> None:
    weights = [60, 22, 8, 8, 3]
    drawn = np.random.default_rng(0).choice(5, 101 * 200, p=np.array(weights) / 101)
    assert deviation(drawn, weights) > 10 * 101


def test_a_long_period_keeps_the_bound() -> None:
    weights = [400_001, 300_000, 200_000, 50_000, 49_998, 1]
    assert deviation(tijdeman(weights), weights) * 10 <= sum(weights) * 9


def test_one_source_is_always_chosen() -> None:
    assert tijdeman([3]).tolist() == [0, 0, 0]


@pytest.mark.parametrize("weights", [[], [0, 1], [-1], [1 << 20, 1]])
def test_what_are_no_weights_is_refused(weights: list[int]) -> None:
    with pytest.raises(MixtureError, match="no positive integers"):
        tijdeman(weights)


def test_ranks_count_earlier_choices() -> None:
    assert ranks(np.array([0, 1, 0, 0, 2, 1], dtype=np.int32)).tolist() == [0, 0, 1, 2, 0, 1]

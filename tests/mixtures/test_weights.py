"""Weights are exact."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.errors import MixtureError
from mixtures.weights import MAX_PERIOD, exact, from_epochs, from_weights


def test_gpt3s_weights_sum_to_101_and_that_is_fine() -> None:
    given_weights = {"common_crawl": 60, "webtext2": 22, "books1": 8, "books2": 8, "wikipedia": 3}
    found = from_weights(given_weights)
    assert (found.weights, found.period, found.error) == (given_weights, 101, 0.0)


@pytest.mark.parametrize("tenth", ["0.1", 0.1, "1e-1", "1/10", ".1", "+0.10"])
def test_ten_times_a_tenth_is_one_each(tenth: str | float) -> None:
    found = from_weights({f"s{n}": tenth for n in range(10)})
    assert set(found.weights.values()) == {1}
    assert found.period == 10


@given(st.lists(st.decimals("0.0001", 1000, places=4), min_size=1, max_size=8))
def test_shares_are_exact_while_the_period_is_small(values: list[Decimal]) -> None:
    found = from_weights({f"s{n}": str(value) for n, value in enumerate(values)})
    total = sum(map(Fraction, values))
    whole = [int(value * 10_000) for value in values]
    if sum(whole) // math.gcd(*whole) <= MAX_PERIOD:
        for n, value in enumerate(values):
            assert Fraction(found.weights[f"s{n}"], found.period) == Fraction(value) / total


@settings(max_examples=50)
@given(st.lists(st.integers(1, 10**12), min_size=2, max_size=30))
def test_rounding_states_its_error_and_loses_no_source(values: list[int]) -> None:
    found = from_weights({f"s{n}": value for n, value in enumerate(values)})
    shares = [Fraction(found.weights[f"s{n}"], found.period) for n in range(len(values))]
    worst = max(
        abs(share - Fraction(value, sum(values))) for share, value in zip(shares, values, strict=True)
    )
    assert found.period <= MAX_PERIOD
    assert min(found.weights.values()) >= 1
    assert found.error == float(worst)
    assert worst <= Fraction(len(values), MAX_PERIOD)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        "0",
        "-0.5",
        float("nan"),
        float("inf"),
        "nan",
        "",
        ".",
        "1/0",
        "a",
        True,
        None,
        "1e999",
        "9" * 99,
    ],
)
def test_what_is_no_positive_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(MixtureError, match="weight of source `books` is "):
        from_weights({"web": 1, "books": value})  # type: ignore[dict-item]


def test_epochs_become_weights() -> None:
    assert from_epochs({"web": "0.5", "wiki": 3}, {"web": 1000, "wiki": 100}).weights == {"web": 5, "wiki": 3}


def test_epochs_of_a_source_without_a_window_are_refused() -> None:
    with pytest.raises(MixtureError, match="source `wiki` has no whole window"):
        from_epochs({"wiki": 1}, {"wiki": 0})


def test_a_mixture_of_nothing_is_refused() -> None:
    with pytest.raises(MixtureError, match="at least one source"):
        from_weights({})


def test_a_number_is_read_as_it_is_written() -> None:
    assert exact("22_000", "x") == 22_000
    assert exact(0.1, "x") == Fraction(1, 10)

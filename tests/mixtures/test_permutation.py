"""The shuffle is one to one, keyed, and far from the identity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.permutation import ROUNDS, permute, permute_one, round_keys


def shuffled(size: int, seed: int = 0, source: str = "web", epoch: int = 0) -> np.ndarray:
    keys = np.array(round_keys(seed, source, epoch), dtype=np.uint64)
    return permute(np.arange(size, dtype=np.uint64), size, keys)


def test_every_small_size_is_a_bijection() -> None:
    for size in range(1, 301):
        assert np.array_equal(np.sort(shuffled(size)), np.arange(size)), size


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300_000), st.integers(0, 2**63), st.text(max_size=8), st.integers(0, 10**12))
def test_every_size_and_key_is_a_bijection(size: int, seed: int, source: str, epoch: int) -> None:
    seen = np.zeros(size, dtype=bool)
    seen[shuffled(size, seed, source, epoch)] = True
    assert seen.all()


def test_a_million_and_three_is_a_bijection_without_order() -> None:
    out = shuffled(1_000_003)
    assert np.array_equal(np.sort(out), np.arange(1_000_003))
    assert abs(np.corrcoef(out[:-1].astype(float), out[1:].astype(float))[0, 1]) < 0.01
    assert abs(np.corrcoef(out.astype(float), np.arange(1_000_003))[0, 1]) < 0.01


def test_neighbours_land_far_apart() -> None:
    place = np.argsort(shuffled(100_000))  # when each window comes
    gaps = np.abs(np.diff(place))
    assert np.mean(gaps) == pytest.approx(100_000 / 3, rel=0.02)  # mean distance of two random places


def test_positions_are_uniform_by_chi_square() -> None:
    """Where the first tenth of the slots lands, over 100 bins; 99 degrees of freedom."""
    counts = np.bincount((shuffled(1_000_000)[:100_000] // 10_000).astype(int), minlength=100)
    # Without replacement the variance is 0.9 of the multinomial's.
    statistic = np.sum((counts - 1000.0) ** 2 / 1000.0) / 0.9
    assert 50 < statistic < 160


def test_seed_source_and_epoch_each_change_the_shuffle() -> None:
    shuffles = [
        shuffled(1000),
        shuffled(1000, seed=1),
        shuffled(1000, source="wiki"),
        shuffled(1000, epoch=1),
    ]
    for number, one in enumerate(shuffles):
        for other in shuffles[number + 1 :]:
            assert np.mean(one == other) < 0.02


def test_ten_thousand_keys_are_all_different() -> None:
    keys = {
        round_keys(seed, f"s{source}", epoch)
        for seed in range(10)
        for source in range(10)
        for epoch in range(100)
    }
    assert len(keys) == 10_000
    assert round_keys(1, "1\0a", 0) != round_keys(1, "a", 1)


@settings(max_examples=50)
@given(st.integers(1, 2**62), st.data())
def test_one_position_goes_where_many_go(size: int, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))
    keys = round_keys(3, "books", 9)
    many = permute(np.array(places, dtype=np.uint64), size, np.array(keys, dtype=np.uint64))
    table = np.repeat(np.array(keys, dtype=np.uint64)[:, None], len(places), axis=1)
    assert table.shape == (ROUNDS, len(places))
    assert many.tolist() == [permute_one(place, size, keys) for place in places]
    assert permute(np.array(places, dtype=np.uint64), size, table).tolist() == many.tolist()
    assert all(0 <= place < size for place in many.tolist())


def test_the_shuffle_is_fixed_for_all_time() -> None:
    """Recorded on the first release: a change would reorder every mixture that exists."""
    assert shuffled(10, seed=1, source="web", epoch=2).tolist() == [5, 1, 2, 7, 8, 9, 6, 0, 4, 3]

"""Sample number to place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.errors import MixtureError
from mixtures.sampler import Sampler, window_count

WEIGHTS = {"common_crawl": 60, "webtext2": 22, "books1": 8, "books2": 8, "wikipedia": 3}
WINDOWS = {"common_crawl": 4000, "webtext2": 97, "books1": 61, "books2": 300, "wikipedia": 13}


def numbers(start: int, count: int) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.uint64)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 5000)), min_size=1, max_size=8),
    st.integers(0, 2**40),
    st.integers(0, 100),
)
def test_one_by_one_is_the_same_as_many(sources: list[tuple[int, int]], start: int, seed: int) -> None:
    sampler = Sampler(
        {f"s{n}": weight for n, (weight, _) in enumerate(sources)},
        {f"s{n}": count for n, (_, count) in enumerate(sources)},
        seed=seed,
    )
    places = sampler.places(numbers(start, 200))
    for row in range(0, 200, 7):
        found = (places.source[row], places.epoch[row], places.slot[row], places.window[row])
        assert found == sampler.place(start + row)


def test_every_epoch_of_every_source_has_each_window_once() -> None:
    sampler = Sampler(WEIGHTS, WINDOWS, seed=5)
    places = sampler.places(numbers(0, 20_000))
    for source, windows in enumerate(sampler.windows):
        mine = places.source == source
        epochs = places.epoch[mine].astype(int)
        assert np.all(np.diff(epochs) >= 0)
        for epoch in range(epochs.max()):  # the last one is cut
            assert np.array_equal(np.sort(places.window[mine][epochs == epoch]), np.arange(windows))


def test_order_within_the_batch_and_size_of_the_batch_do_not_matter() -> None:
    sampler = Sampler(WEIGHTS, WINDOWS, seed=5)
    whole = sampler.places(numbers(0, 3000))
    mixed = np.random.default_rng(0).permutation(3000)
    parts = [sampler.places(part) for part in np.split(mixed.astype(np.uint64), [1, 2, 100, 1500])]
    assert np.array_equal(np.concatenate([part.window for part in parts]), whole.window[mixed])
    assert np.array_equal(np.concatenate([part.epoch for part in parts]), whole.epoch[mixed])


def test_the_order_of_the_file_does_not_matter() -> None:
    turned = Sampler(dict(reversed(WEIGHTS.items())), dict(reversed(WINDOWS.items())), seed=5)
    here, there = Sampler(WEIGHTS, WINDOWS, seed=5).places(numbers(0, 500)), turned.places(numbers(0, 500))
    assert turned.names == ("common_crawl", "webtext2", "books1", "books2", "wikipedia")
    assert np.array_equal(here.window, there.window)


def test_renaming_a_source_changes_its_own_shuffle_alone() -> None:
    renamed = {("wiki" if name == "wikipedia" else name): weight for name, weight in WEIGHTS.items()}
    windows = {("wiki" if name == "wikipedia" else name): count for name, count in WINDOWS.items()}
    here = Sampler(WEIGHTS, WINDOWS, seed=5).places(numbers(0, 2000))
    there = Sampler(renamed, windows, seed=5).places(numbers(0, 2000))
    changed = here.window != there.window
    assert np.array_equal(here.source, there.source)
    assert set(here.source[changed].tolist()) == {4}


def test_numbers_beyond_32_bits_are_exact() -> None:
    sampler = Sampler(WEIGHTS, WINDOWS, seed=1)
    for start in (2**31 - 5, 2**32 - 5, 2**53 - 5, 2**62):
        places = sampler.places(numbers(start, 10))
        for row in range(10):
            turn, step = divmod(start + row, 101)
            source = int(sampler.order[step])
            ordinal = turn * sampler.weights[source] + int(np.count_nonzero(sampler.order[:step] == source))
            assert (int(places.epoch[row]), int(places.slot[row])) == divmod(ordinal, sampler.windows[source])


@given(st.integers(0, 10**12))
def test_counts_are_the_weights_to_within_a_sample(samples: int) -> None:
    counts = Sampler(WEIGHTS, WINDOWS, seed=1).counts(samples)
    assert sum(counts) == samples
    for count, weight in zip(counts, WEIGHTS.values(), strict=True):
        assert abs(count * 101 - samples * weight) < 101


def test_the_order_can_be_turned_around() -> None:
    sampler = Sampler(WEIGHTS, WINDOWS, seed=1)
    places = sampler.places(numbers(0, 1000))
    for source, windows in enumerate(sampler.windows):
        mine = np.flatnonzero(places.source == source)
        for ordinal in (0, 1, len(mine) - 1):
            assert sampler.sample_of(source, ordinal) == mine[ordinal]
            assert divmod(ordinal, windows) == (places.epoch[mine[ordinal]], places.slot[mine[ordinal]])


def test_an_independent_sampler_would_fail_the_drift_test() -> None:
    """The chi-square of counts in blocks: far too small for chance when exact, about one per degree when drawn."""
    sampler = Sampler(WEIGHTS, WINDOWS, seed=1)
    shares = np.array(sampler.weights) / sampler.period

    def statistic(source: np.ndarray) -> float:
        counts = np.stack([np.bincount(block, minlength=5) for block in source.reshape(200, 1000)])
        return float(np.sum((counts - 1000 * shares) ** 2 / (1000 * shares)) / (200 * 4))

    drawn = np.random.default_rng(0).choice(5, 200_000, p=shares)
    assert statistic(sampler.places(numbers(0, 200_000)).source) < 0.01
    assert statistic(drawn) > 0.8


@pytest.mark.parametrize(("tokens", "windows"), [(0, 0), (1, 0), (64, 0), (65, 1), (128, 1), (129, 2)])
def test_a_window_needs_one_token_more_than_its_length(tokens: int, windows: int) -> None:
    assert window_count(tokens, 64) == windows


def test_a_source_without_a_window_is_refused_by_name() -> None:
    with pytest.raises(MixtureError, match="source `books1` has no whole window"):
        Sampler({"books1": 1}, {"books1": 0}, seed=0)


@pytest.mark.parametrize("call", [lambda s: s.place(-1), lambda s: s.places(np.array([-1]))])
def test_a_negative_sample_is_refused(call) -> None:
    with pytest.raises(MixtureError, match="sample -1: samples are numbered from 0"):
        call(Sampler({"a": 1}, {"a": 1}, seed=0))

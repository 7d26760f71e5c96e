import random
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.buckets import Template, bucket_edges, equal_runs
from pipeline.dedup.components import components_by_labels

# Values that share their high bits, so that the packed sort alone cannot tell them apart.
KEYS = st.lists(
    st.sampled_from([0, 1, 2, 3, 1 << 40, (1 << 40) + 1, (1 << 64) - 1, (1 << 64) - 2]), max_size=30
)


def test_interleaved_collisions_of_the_packed_bits_lose_no_edge() -> None:
    a, b = 0x123456789A000000, 0x123456789A000001
    found = bucket_edges(np.array([a, b, a, b], np.uint64), np.arange(4, dtype=np.uint64))
    assert sorted(found.edges.tolist()) == [[0, 2], [1, 3]]


@given(KEYS)
def test_runs_are_those_of_a_stable_sort(keys: list[int]) -> None:
    order, fresh = equal_runs(np.array(keys, np.uint64))
    runs = [part.tolist() for part in np.split(order, np.flatnonzero(fresh)[1:])] if len(order) else []
    groups = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    assert sorted(runs) == sorted(groups.values())


@given(KEYS, st.data())
def test_each_bucket_is_a_star_around_its_best(keys: list[int], data: st.DataObject) -> None:
    ids = data.draw(st.permutations(range(len(keys))))
    priorities = data.draw(st.lists(st.integers(0, 2), min_size=len(keys), max_size=len(keys)))
    groups = defaultdict(list)
    for key, number, priority in zip(keys, ids, priorities, strict=True):
        groups[key].append((priority, number))
    expected = sorted(
        [min(group)[1], member[1]] for group in groups.values() for member in group if member != min(group)
    )
    arrays = [np.array(part, np.uint64) for part in (keys, ids, priorities)]
    found = bucket_edges(*arrays)
    assert sorted(found.edges.tolist()) == expected
    assert found.sizes == Counter(len(group) for group in groups.values() if len(group) > 1)


def test_a_million_equal_pages_are_one_star_and_one_template() -> None:
    count = 1_000_000
    ids = np.random.default_rng(0).permutation(count).astype(np.uint64)
    found = bucket_edges(np.full(count, 7, np.uint64), ids)
    assert found.edges.shape == (count - 1, 2)
    assert (found.edges[:, 0] == 0).all()
    assert found.sizes == {count: 1}
    assert found.templates == [Template(key=7, size=count, best=0)]


@pytest.mark.parametrize("keys", [[], [5]])
def test_nothing_to_join(keys: list[int]) -> None:
    found = bucket_edges(np.array(keys, np.uint64), np.arange(len(keys), dtype=np.uint64))
    assert (found.edges.shape, found.sizes, found.templates) == ((0, 2), {}, [])


@given(st.lists(st.integers(0, 9), max_size=40), st.randoms(use_true_random=False))
def test_the_stars_of_a_band_are_a_forest(keys: list[int], draw: random.Random) -> None:
    """No edge is superfluous: so many as documents with company, less one for each bucket."""
    ids = list(range(len(keys)))
    draw.shuffle(ids)
    edges = bucket_edges(np.array(keys, np.uint64), np.array(ids, np.uint64)).edges
    found = components_by_labels(edges)
    assert len(edges) == len(found.nodes) - len(set(found.labels.tolist()))
    assert (
        dict(edges[:, ::-1].tolist()).items()
        <= dict(zip(found.nodes.tolist(), found.labels.tolist(), strict=True)).items()
    )

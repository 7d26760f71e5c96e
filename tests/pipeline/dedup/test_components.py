from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.components import (
    Components,
    both_directions,
    components,
    components_by_labels,
    components_by_stars,
    downward,
    edge_digest,
    large_star,
    small_star,
)

EDGES = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=40)
WAYS = [components, components_by_labels, components_by_stars]


def pairs(edges: list[tuple[int, int]]) -> np.ndarray:
    return np.array(edges, np.uint64).reshape(-1, 2)


def union_find(edges: list[tuple[int, int]]) -> dict[int, int]:
    parent = {node: node for edge in edges for node in edge}

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {node: root(node) for node in parent}


def as_dict(found: Components) -> dict[int, int]:
    return dict(zip(found.nodes.tolist(), found.labels.tolist(), strict=True))


@pytest.mark.parametrize("way", WAYS)
@given(edges=EDGES)
def test_all_ways_agree_with_union_find(
    way: Callable[[np.ndarray], Components], edges: list[tuple[int, int]]
) -> None:
    assert as_dict(way(pairs(edges))) == union_find(edges)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", ["chain", "shuffled chain", "star", "two stars", "pairs", "big ids"])
def test_shapes(way: Callable[[np.ndarray], Components], shape: str) -> None:
    size = 3000
    nodes = np.arange(size, dtype=np.uint64)
    if shape == "shuffled chain":
        nodes = np.random.default_rng(1).permutation(size).astype(np.uint64)
    edges = {
        "star": np.stack([np.full(size - 1, size - 1), np.arange(size - 1)], axis=1),
        "two stars": np.stack([np.arange(size - 2) % 2 + size - 2, np.arange(size - 2)], axis=1),
        "pairs": np.arange(size).reshape(-1, 2),
        "big ids": np.array([[(1 << 64) - 1, 1 << 63]] * 512, np.uint64),
    }.get(shape, np.stack([nodes[:-1], nodes[1:]], axis=1))
    found = way(edges.astype(np.uint64))
    assert as_dict(found) == union_find([tuple(edge) for edge in edges.tolist()])


@given(EDGES, st.integers(1, 4))
def test_star_rounds_over_partitions_are_those_of_the_whole(edges: list[tuple[int, int]], parts: int) -> None:
    """Each round may be spread by node: the parts together give what the whole gives."""
    array = pairs(edges)

    def spread(step: Callable[[np.ndarray], np.ndarray], adjacent: np.ndarray) -> list[list[int]]:
        out = [step(adjacent[adjacent[:, 0] % np.uint64(parts) == part]) for part in range(parts)]
        return np.unique(np.concatenate(out), axis=0).tolist()

    assert spread(large_star, both_directions(array)) == large_star(both_directions(array)).tolist()
    assert spread(small_star, downward(array)) == small_star(downward(array)).tolist()


@given(EDGES, st.randoms(use_true_random=False))
def test_digests_add_up_and_know_no_order(edges: list[tuple[int, int]], random: object) -> None:
    array = pairs(edges)
    shuffled = list(edges)
    random.shuffle(shuffled)
    half = len(edges) // 2
    first, second = edge_digest(array[:half]), edge_digest(array[half:])
    assert edge_digest(pairs(shuffled)) == edge_digest(array)
    assert edge_digest(array) == (first[0] + second[0], (first[1] + second[1]) % (1 << 64))

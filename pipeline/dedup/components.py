"""Connected components of edges between documents; the label of a component is its smallest id.

Three ways to the same labels, none of which depends on the order of edges:

- `components`: compressed ids and scipy, for all edges in one memory (about 100 bytes an edge);
- `components_by_labels`: numpy alone, min-label propagation with pointer jumping;
- `large_star` and `small_star`: one round each over edges grouped by node, for edges that fit no memory
  (Kiveris et al. 2014, Connected Components in MapReduce and Beyond); rounds until `edge_digest` stays.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.dedup.buckets import unique_edges
from text.buffers import Hashes
from text.hashes import fmix64

Indices = npt.NDArray[np.int64]


class Components(NamedTuple):
    """Documents that have an edge, and their component."""

    nodes: Hashes  # (n,) ids, rising
    labels: Hashes  # (n,) smallest id of the node's component


def components(edges: Hashes) -> Components:
    """Label the ends of (m, 2) edges, with scipy."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes, ends = _compress(edges)
    size = len(nodes)
    if size == 0:
        return Components(nodes, nodes)
    # Repeated edges are added up; as booleans they cannot overflow to none.
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(size, size))
    count, group = connected_components(graph, directed=False)
    smallest = np.full(count, size, np.int64)
    # Backwards, so that the smallest index of a group is written last.
    smallest[group[::-1]] = np.arange(size - 1, -1, -1)
    return Components(nodes, nodes[smallest[group]])


def components_by_labels(edges: Hashes) -> Components:
    """Label the ends of (m, 2) edges, with numpy alone; rounds grow with the logarithm of a component's diameter."""
    nodes, ends = _compress(edges)
    labels = np.arange(len(nodes))
    first, second = ends[:, 0], ends[:, 1]
    while len(first):
        # Hook the root of each end under the smaller root, then let all nodes point at their root.
        a, b = labels[first], labels[second]
        np.minimum.at(labels, np.maximum(a, b), np.minimum(a, b))
        while True:
            jumped = labels[labels]
            if np.array_equal(jumped, labels):
                break
            labels = jumped
        apart = labels[first] != labels[second]
        first, second = first[apart], second[apart]
    return Components(nodes, nodes[labels])


def both_directions(edges: Hashes) -> Hashes:
    """Each (m, 2) edge as (node, neighbour) seen from either end, for `large_star`; loops are dropped."""
    edges = edges[edges[:, 0] != edges[:, 1]]
    return unique_edges(np.concatenate([edges, edges[:, ::-1]]))


def downward(edges: Hashes) -> Hashes:
    """Each (m, 2) edge as (larger, smaller) end, for `small_star`; loops are dropped."""
    edges = edges[edges[:, 0] != edges[:, 1]]
    return unique_edges(np.stack([edges.max(axis=1), edges.min(axis=1)], axis=1))


def large_star(adjacent: Hashes) -> Hashes:
    """Join each node's larger neighbours to the smallest of the node and its neighbours.

    Args:
        adjacent: (m, 2) node, neighbour, from `both_directions`; holds all edges of every node in it.

    Returns:
        (k, 2) edges larger, smaller; sorted, each once.
    """
    node, neighbour, least = _with_least(adjacent)
    up = neighbour > node
    return unique_edges(np.stack([neighbour[up], least[up]], axis=1))


def small_star(adjacent: Hashes) -> Hashes:
    """Join each node and its smaller neighbours to the smallest of them.

    Args:
        adjacent: (m, 2) node, smaller neighbour, from `downward`; holds all edges down of every node in it.

    Returns:
        (k, 2) edges larger, smaller; sorted, each once.
    """
    node, neighbour, least = _with_least(adjacent)
    joined = np.concatenate([np.stack([neighbour, least], axis=1), np.stack([node, least], axis=1)])
    return unique_edges(joined[joined[:, 0] != joined[:, 1]])


def edge_digest(edges: Hashes) -> tuple[int, int]:
    """Number of (m, 2) edges and the sum of their hashes mod 2^64; digests of parts add up to that of the whole.

    Rounds of stars have come to rest when the digest before and after a round is the same.
    """
    mixed = fmix64(fmix64(edges[:, 0]) + edges[:, 1])
    return len(edges), int(mixed.sum(dtype=np.uint64))


def components_by_stars(edges: Hashes) -> Components:
    """Label the ends of (m, 2) edges by rounds of stars in one memory: what the distributed rounds compute."""
    nodes = np.unique(edges)
    while True:
        after = small_star(downward(large_star(both_directions(edges))))
        if edge_digest(after) == edge_digest(edges):
            break
        edges = after
    labels = nodes.copy()
    labels[np.searchsorted(nodes, edges[:, 0])] = edges[:, 1]
    return Components(nodes, labels)


def _compress(edges: Hashes) -> tuple[Hashes, Indices]:
    """Distinct ids, and the edges as indices of them."""
    nodes, ends = np.unique(edges, return_inverse=True)
    return nodes, ends.reshape(edges.shape).astype(np.int64, copy=False)


def _with_least(adjacent: Hashes) -> tuple[Hashes, Hashes, Hashes]:
    """Columns of adjacent sorted by node, and for each row the smallest of its node and the node's neighbours."""
    adjacent = unique_edges(adjacent)
    node, neighbour = adjacent[:, 0], adjacent[:, 1]
    first = np.flatnonzero(np.concatenate([np.ones(min(1, len(node)), bool), node[1:] != node[:-1]]))
    count = np.diff(np.append(first, len(node)))
    # Sorted by both columns: the first neighbour of a node is its smallest.
    return node, neighbour, np.repeat(np.minimum(node[first], neighbour[first]), count)

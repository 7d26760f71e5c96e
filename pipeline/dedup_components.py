"""Components of the edges in a folder: in one memory while they fit, else by rounds of Beam jobs."""

from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam
import numpy as np

from pipeline.dedup.components import (
    both_directions,
    components,
    downward,
    edge_digest,
    large_star,
    small_star,
)
from pipeline.dedup.partition import pack_edges, unpack
from pipeline.dedup_files import count_edges, edge_files, empty, load_all_edges, load_edges, save_edges
from pipeline.errors import CrawlmixError
from pipeline.storage.paths import join

_EDGES_PER_PARTITION = 1 << 20
_LABELS_PER_FILE = 1 << 20
_MAX_ROUNDS = 60  # of stars; they need about 2 log2 of the longest chain

Run = Callable[[str, Callable[[beam.Pipeline], None]], None]
Packed = tuple[int, tuple[bytes, bytes]]


def label_components(run: Run, edges: str, folder: str, *, max_edges: int) -> str:
    """Label the documents that have an edge.

    Args:
        run: runs a named pipeline.
        edges: folder of (m, 2) edges.
        folder: to work in.
        max_edges: more of them are joined by rounds of stars, whose memory does not grow with their number.

    Returns:
        A folder of (m, 2) files: a document and the smallest of its component. Each document stands there once;
        the smallest one itself only in the second column, maybe often.

    Raises:
        CrawlmixError: the rounds did not come to rest.
    """
    count = count_edges(edges)
    if count > max_edges:
        return _rounds(run, edges, folder, -(-count // _EDGES_PER_PARTITION))
    found = components(load_all_edges(edges))
    inner = found.labels != found.nodes
    pairs = np.stack([found.nodes[inner], found.labels[inner]], axis=1)
    labels = join(folder, "labels")
    for number, begin in enumerate(range(0, len(pairs), _LABELS_PER_FILE)):
        save_edges(join(labels, f"{number:08d}.npy"), pairs[begin : begin + _LABELS_PER_FILE])
    return labels


def _rounds(run: Run, edges: str, folder: str, partitions: int) -> str:
    source = edges
    before: tuple[int, int] | None = None
    for number in range(_MAX_ROUNDS):
        for name, large in (("large", True), ("small", False)):
            target = join(folder, f"{name}-{number:03d}")

            def build(
                pipeline: beam.Pipeline, *, source: str = source, target: str = target, large: bool = large
            ) -> None:
                (
                    pipeline
                    | "Folder" >> beam.Create([source])
                    | "Files" >> beam.FlatMap(edge_files)
                    | "Spread" >> beam.Reshuffle()
                    | "Ends" >> beam.ParDo(_ByEnd(partitions, both=large)).with_output_types(Packed)
                    | "Meet" >> beam.GroupByKey()
                    | "Star" >> beam.ParDo(_Star(target, large=large))
                )

            run(name, build)
            if source != edges:
                empty(source)
            source = target
        after = _digest(source)
        if after == before:
            return source
        before = after
    raise CrawlmixError(
        f"dedup: the components did not come to rest in {_MAX_ROUNDS} rounds; raise `dedup.max_edges`"
    )


def _digest(folder: str) -> tuple[int, int]:
    digests = [edge_digest(load_edges(file)) for file in edge_files(folder)]
    return sum(count for count, _ in digests), sum(total for _, total in digests) % (1 << 64)


class _ByEnd(beam.DoFn):
    """Sends the edges of a file to the partition of the node that the round looks from."""

    def __init__(self, partitions: int, *, both: bool) -> None:
        self._partitions, self._both = partitions, both

    def process(self, file: str) -> Iterator[Packed]:
        edges = (both_directions if self._both else downward)(load_edges(file))
        for partition, first, second in pack_edges(edges, self._partitions, by=0):
            yield partition, (first, second)


class _Star(beam.DoFn):
    def __init__(self, folder: str, *, large: bool) -> None:
        self._folder, self._large = folder, large

    def process(self, element: tuple[int, Iterable[tuple[bytes, bytes]]]) -> None:
        partition, packed = element
        edges = (large_star if self._large else small_star)(np.stack(unpack(packed), axis=1))
        if len(edges):
            save_edges(join(self._folder, f"{partition:08d}.npy"), edges)

"""The jobs of the dedup stage: exact copies, then near-duplicates by MinHash bands, as Beam jobs over packed arrays.

Only hashes, numbers and, for documents that have company, signatures go through a shuffle:

1. exact: (partition -> packed keys, numbers) -> stars of equal texts;
2. bands: the same for each band of the signatures of what is left;
3. components: one reducer over the contracted edges, or rounds of stars when they are too many for it;
4. decide: members by component -> which copy stays; decisions by part -> one `duplicates` file each.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from pipeline.context import Context
from pipeline.dedup import part as parts
from pipeline.dedup.bands import Bands, band_keys
from pipeline.dedup.buckets import bucket_edges
from pipeline.dedup.components import (
    Components,
    both_directions,
    components,
    downward,
    edge_digest,
    forest,
    large_star,
    small_star,
)
from pipeline.dedup.partition import pack, pack_edges, partitions_per_band, unpack
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.settings import minhash_bands, minhash_scheme
from pipeline.errors import CrawlmixError
from pipeline.sections import Dedup
from pipeline.stage import run_pipeline
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import join
from pipeline.storage.publish import publish
from pipeline.storage.reading import exists, open_input
from pipeline.tasks import Task
from text.buffers import Hashes

_MEMBER_PARTITIONS = 64
_MAX_ROUNDS = 60  # of stars; they need about 2 log2 of the longest chain

_Packed = tuple[int, tuple[bytes, bytes]]


def search(context: Context, tasks: Sequence[Task], documents: int) -> None:
    """Find the copies among `documents` living documents, and write the `duplicates` file of each task's part."""
    _Search(context, context.recipe.root.dedup, tasks, documents).run()


@dataclass
class _Search:
    """The jobs of one call, one after the other; what they hand on lies in files of the workspace."""

    context: Context
    settings: Dedup
    tasks: Sequence[Task]
    documents: int

    def run(self) -> None:
        self.folder = self.context.workspace.work("dedup")
        _empty(self.folder)
        self.manifest = join(self.folder, "parts.jsonl")
        with publish(self.manifest) as temporary:
            temporary.write_text("".join(json.dumps(task, sort_keys=True) + "\n" for task in self.tasks))
        per_band = partitions_per_band(self.documents)
        edges = join(self.folder, "edges")
        removed = join(self.folder, "exact.npy")
        if self.settings.exact:
            self._pairs("exact", _ExactKeys(per_band), edges)
            _save(removed, np.unique(_load_all(edges, "exact")[:, 1]))
        else:
            _save(removed, np.zeros(0, np.uint64))
        bands, scheme = minhash_bands(self.settings), minhash_scheme(self.settings)
        if bands is not None and scheme is not None:
            self._pairs("bands", _BandKeys(bands, scheme, per_band, removed), edges)
        found = self._components(edges)
        _save(join(self.folder, "nodes.npy"), found.nodes)
        _save(join(self.folder, "labels.npy"), found.labels)
        self._decide(bands.verify if bands is not None else 1.0)
        _empty(self.folder)

    def _pairs(self, name: str, keys: beam.DoFn, edges: str) -> None:
        def build(pipeline: beam.Pipeline) -> None:
            (
                self._parts(pipeline)
                | "Keys" >> beam.ParDo(keys).with_output_types(tuple[int, tuple[bytes, bytes]])
                | "Meet" >> beam.GroupByKey()
                | "Stars" >> beam.ParDo(_Stars(join(edges, name)))
            )

        self._run(name, build)

    def _components(self, edges: str) -> Components:
        files = _files(edges)
        count = sum(int(np.load(file, mmap_mode="r").shape[0]) for file in files) if files else 0
        if count <= self.settings.max_edges:
            return components(_load_all(edges, ""))
        return self._rounds(edges, max(64, count // self.settings.max_edges * 4))

    def _rounds(self, edges: str, partitions: int) -> Components:
        """Large-star and small-star until nothing changes, for edges that fit no single memory."""
        source = edges
        before: tuple[int, int] | None = None
        for number in range(_MAX_ROUNDS):
            for name, by, star in (("large", True, large_star), ("small", False, small_star)):
                target = join(self.folder, f"{name}-{number:03d}")

                def build(pipeline: beam.Pipeline, *, source: str = source, target: str = target, by: bool = by) -> None:
                    (
                        pipeline
                        | beam.Create(_files(source))
                        | beam.Reshuffle()
                        | "Spread" >> beam.ParDo(_SpreadEdges(partitions, both=by)).with_output_types(tuple[int, tuple[bytes, bytes]])
                        | beam.GroupByKey()
                        | beam.ParDo(_Star(target, large=by))
                    )

                self._run(name, build)
                source = target
            after = _digest_of(source)
            if after == before:
                pairs = _load_all(source, "")
                nodes = np.unique(pairs)
                labels = nodes.copy()
                labels[np.searchsorted(nodes, pairs[:, 0])] = pairs[:, 1]
                return Components(nodes, labels)
            before = after
        raise CrawlmixError(f"dedup: the components did not come to rest in {_MAX_ROUNDS} rounds; raise `dedup.max_edges`")

    def _decide(self, verify: float) -> None:
        def build(pipeline: beam.Pipeline) -> None:
            listed = self._parts(pipeline)
            decisions = (
                listed
                | "Members" >> beam.ParDo(_Members(self.folder)).with_output_types(tuple[int, bytes])
                | "Clusters" >> beam.GroupByKey()
                | "Decide" >> beam.ParDo(_Decide(verify)).with_output_types(tuple[int, bytes])
            )
            every = listed | "Every" >> beam.Map(lambda task: (task["number"], json.dumps(task).encode())).with_output_types(
                tuple[int, bytes]
            )
            (
                {"decisions": decisions, "task": every}
                | "Home" >> beam.CoGroupByKey()
                | "Write" >> beam.ParDo(_Write())
            )

        self._run("decide", build)

    def _parts(self, pipeline: beam.Pipeline) -> beam.PCollection[Task]:
        listed: beam.PCollection[Task] = (
            pipeline
            | "Manifest" >> beam.Create([self.manifest])
            | "Parts" >> beam.FlatMap(_read_tasks)
            | "Spread" >> beam.Reshuffle()
        )
        return listed

    def _run(self, name: str, build: Callable[[beam.Pipeline], None]) -> None:
        run_pipeline(f"dedup-{name}", build, self.context.beam_options)


def _read_tasks(path: str) -> Iterator[Task]:
    with open_input(path) as stream:
        for line in stream.read().decode().splitlines():
            yield json.loads(line)


class _ExactKeys(beam.DoFn):
    def __init__(self, per_band: int) -> None:
        self._per_band = per_band

    def process(self, task: Task) -> Iterator[_Packed]:
        found = parts.exact_keys(task)
        for partition, keys, numbers in pack(found.keys, found.numbers, self._per_band):
            Metrics.counter("dedup", "shuffled_bytes").inc(len(keys) + len(numbers))
            yield task["group"] * self._per_band + partition, (keys, numbers)


class _BandKeys(beam.DoFn):
    def __init__(self, bands: Bands, scheme: Scheme, per_band: int, removed: str) -> None:
        self._bands, self._scheme = asdict(bands), asdict(scheme)
        self._per_band, self._removed = per_band, removed

    def process(self, task: Task) -> Iterator[_Packed]:
        bands = Bands(**self._bands)
        minima, numbers = parts.signature_rows(task, Scheme(**self._scheme), _load(self._removed))
        partitions = bands.bands * self._per_band
        for partition, keys, ids in pack(band_keys(minima, bands), numbers, self._per_band):
            Metrics.counter("dedup", "shuffled_bytes").inc(len(keys) + len(ids))
            yield task["group"] * partitions + partition, (keys, ids)


class _Stars(beam.DoFn):
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def process(self, element: tuple[int, Iterable[tuple[bytes, bytes]]]) -> None:
        partition, packed = element
        keys, numbers = unpack(packed)
        found = bucket_edges(keys, numbers)
        if len(found.edges):
            _save(f"{self._prefix}-{partition:08d}.npy", forest(found.edges))


class _SpreadEdges(beam.DoFn):
    def __init__(self, partitions: int, *, both: bool) -> None:
        self._partitions, self._both = partitions, both

    def process(self, file: str) -> Iterator[_Packed]:
        edges = (both_directions if self._both else downward)(_load(file))
        for partition, first, second in pack_edges(edges, self._partitions, by=0):
            yield partition, (first, second)


class _Star(beam.DoFn):
    def __init__(self, folder: str, *, large: bool) -> None:
        self._folder, self._large = folder, large

    def process(self, element: tuple[int, Iterable[tuple[bytes, bytes]]]) -> None:
        partition, packed = element
        edges = np.stack(unpack(packed), axis=1)
        _save(join(self._folder, f"{partition:08d}.npy"), (large_star if self._large else small_star)(edges))


class _Members(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, task: Task) -> Iterator[tuple[int, bytes]]:
        batch = parts.members(task, _load(join(self._folder, "nodes.npy")), _load(join(self._folder, "labels.npy")))
        home = batch["label"].to_numpy() % np.uint64(_MEMBER_PARTITIONS)
        for partition in np.unique(home):
            rows = pa.array(np.flatnonzero(home == partition))
            yield int(partition), _to_bytes(batch.take(rows))


class _Decide(beam.DoFn):
    def __init__(self, verify: float) -> None:
        self._verify = verify

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        decided = parts.decide([_from_bytes(data) for data in element[1]], verify=self._verify)
        home = decided["number"].to_numpy() >> np.uint64(parts.ROW_BITS)
        for number in np.unique(home):
            yield int(number), _to_bytes(decided.take(pa.array(np.flatnonzero(home == number))))


class _Write(beam.DoFn):
    def process(self, element: tuple[int, dict[str, Iterable[bytes]]]) -> None:
        _, found = element
        task = json.loads(next(iter(found["task"])))
        state = parts.write_part(task, [_from_bytes(data) for data in found["decisions"]])
        for fate, number in (("kept", state.kept), ("removed", sum(state.removed.values()))):
            Metrics.counter("dedup", fate).inc(number)


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _from_bytes(data: bytes) -> pa.RecordBatch:
    return pa.ipc.open_stream(data).read_next_batch()


def _save(path: str, array: Hashes) -> None:
    with publish(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def _load(path: str) -> Hashes:
    with open_input(path) as stream:
        found: Hashes = np.load(stream, allow_pickle=False)
    return found


def _files(folder: str) -> list[str]:
    return [join(folder, name) for name in list_dir(folder) if name.endswith(".npy")]


def _load_all(folder: str, prefix: str) -> Hashes:
    found = [_load(file) for file in _files(folder) if file.rpartition("/")[2].startswith(prefix)]
    return np.concatenate(found) if found else np.zeros((0, 2), np.uint64)


def _digest_of(folder: str) -> tuple[int, int]:
    digests = [edge_digest(_load(file)) for file in _files(folder)]
    return sum(count for count, _ in digests), sum(total for _, total in digests) % (1 << 64)


def _empty(folder: str) -> None:
    for name in list_dir(folder):
        path = join(folder, name)
        if exists(path):
            remove(path)
        else:
            _empty(path)

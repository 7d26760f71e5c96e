"""What Beam does to the elements of the dedup jobs; the kernels are in `pipeline.dedup`."""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.metrics import Metrics

from pipeline.dedup.bands import Bands
from pipeline.dedup.buckets import bucket_edges, unique_edges
from pipeline.dedup.decide import Terms, decide
from pipeline.dedup.members import gather
from pipeline.dedup.part import (
    copies_file,
    decisions_file,
    gone_rows,
    held_file,
    save_array,
    save_decisions,
    write_part,
)
from pipeline.dedup.part_keys import Keys, exact_keys, signature_keys, url_keys
from pipeline.dedup.part_reference import find_held, kept_keys
from pipeline.dedup.partition import pack
from pipeline.dedup.row_gaps import Rows, pack_rows, parts_of, rows_of, unpack_keys
from pipeline.dedup.scheme import Scheme
from pipeline.dedup_files import load_edges, save_edges
from pipeline.storage.paths import join
from pipeline.storage.publish import write_json
from pipeline.storage.reading import exists
from pipeline.tasks import Task
from text.buffers import Hashes
from text.distinct import distinct

_NO_ROWS = np.zeros(0, np.int64)

Level = Literal["urls", "content"]
KeysOf = Literal["url", "exact", "bands"]
Packed = tuple[int, tuple[bytes, bytes]]


@dataclass(frozen=True)
class Setting:
    """What all jobs of a search know; small, for it travels with each."""

    folder: str  # for what one job leaves to the next
    sources: tuple[str, ...]  # by rank
    protected: tuple[str, ...]
    per_band: int  # partitions
    bands: Bands | None
    scheme: Scheme | None
    references: tuple[str, ...] = ()  # folders of keys that earlier builds hold

    def terms(self, level: Level) -> Terms:
        """What the decisions of a level go by."""
        if level == "urls":
            return Terms(self.sources, self.protected, 0, 0.0, by_url=True)
        if self.bands is None or self.scheme is None:
            return Terms(self.sources, self.protected, 0, 1.0)
        return Terms(self.sources, self.protected, self.scheme.num_hashes, self.bands.verify)


class Held(beam.DoFn):
    """Notes which documents of a part an earlier build holds."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def process(self, task: Task) -> None:
        """Look up one part."""
        if not task["protected"]:
            setting = self._setting
            held = find_held(task, setting.references, setting.scheme, setting.bands)
            if len(held):
                save_array(held_file(setting.folder, task["number"]), held)


class SendKeys(beam.DoFn):
    """Sends the keys of a part's documents to their partitions."""

    def __init__(self, setting: Setting, keys: KeysOf, before: tuple[Level, ...], name: str) -> None:
        self._setting, self._keys, self._before, self._name = setting, keys, before, name

    def process(self, element: tuple[int, dict[str, Iterable[bytes]]]) -> Iterator[Packed]:
        """Send the keys of one part, packed."""
        task: Task = json.loads(next(iter(element[1]["task"])))
        found = self._found(task, _rows(element[1]["rows"]))
        first = task["group"] * found.keys.shape[1] * self._setting.per_band
        packed: dict[bytes, bytes] = {}  # without partitions all bands share their rows
        for partition, keys, rows in pack(found.keys, found.rows.astype(np.uint64), self._setting.per_band):
            if rows not in packed:
                packed = {rows: pack_rows(task["number"], np.frombuffer(rows, "<i8"))}
            Metrics.counter(self._name, f"shuffled_{self._keys}_keys").inc(len(keys) + len(packed[rows]))
            yield first + partition, (keys, packed[rows])

    def _found(self, task: Task, copies: Rows) -> Keys:
        setting = self._setting
        gone = gone_rows(task, setting.folder, self._before)
        if self._keys == "url":
            return url_keys(task, gone)
        if self._keys == "exact":
            return exact_keys(task, gone)
        assert setting.scheme is not None
        assert setting.bands is not None
        if len(copies):
            save_array(_unsigned(setting.folder, task["number"]), copies)
        return signature_keys(task, setting.scheme, setting.bands, np.union1d(gone, copies))


class Stars(beam.DoFn):
    """Joins documents of equal keys, notes buckets that are templates, and tells parts which of their texts repeat."""

    def __init__(self, folder: str, level: Level, keys: KeysOf, name: str) -> None:
        self._edges = join(folder, level, "edges")
        self._templates = join(folder, f"{keys}-templates")
        self._keys, self._name = keys, name

    def process(self, element: tuple[int, Iterable[tuple[bytes, bytes]]]) -> Iterator[tuple[int, bytes]]:
        """Take one partition; yield by part the rows that repeat a text."""
        partition, packed = element
        found = bucket_edges(*unpack_keys(packed))
        if found.templates:
            told = [[f"{template.key:016x}", template.size, template.best] for template in found.templates]
            write_json(join(self._templates, f"{partition:08d}.json"), told)
        if len(found.edges):
            edges = unique_edges(
                found.edges
            )  # in order; stars of one band share no document, so none is superfluous
            save_edges(join(self._edges, f"{self._keys}-{partition:08d}.npy"), edges)
            if self._keys == "exact":
                yield from self._copies(np.sort(edges[:, 1]))

    def _copies(self, numbers: Hashes) -> Iterator[tuple[int, bytes]]:
        for part, begin, stop in _cut(numbers):
            rows = rows_of(numbers[begin:stop]).astype("<u4").tobytes()
            Metrics.counter(self._name, "shuffled_copies").inc(len(rows))
            yield part, rows


class LabelsByPart(beam.DoFn):
    """Tells each part which of its documents have company, and in which component."""

    def __init__(self, name: str) -> None:
        self._name = name

    def process(self, file: str) -> Iterator[Packed]:
        """Take one file of documents and their components."""
        pairs = load_edges(file)
        heads = distinct(pairs[:, 1])
        numbers, labels = np.concatenate([pairs[:, 0], heads]), np.concatenate([pairs[:, 1], heads])
        order = np.argsort(numbers)
        numbers, labels = numbers[order], labels[order]
        for part, begin, stop in _cut(numbers):
            rows = rows_of(numbers[begin:stop]).astype("<u4").tobytes()
            mine = labels[begin:stop].astype("<u8").tobytes()
            Metrics.counter(self._name, "shuffled_labels").inc(len(rows) + len(mine))
            yield part, (rows, mine)


class Members(beam.DoFn):
    """Sends what decides about a part's documents to the partitions of their components."""

    def __init__(self, setting: Setting, level: Level, partitions: int, name: str) -> None:
        self._setting, self._level, self._partitions, self._name = setting, level, partitions, name

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
        """Take one part with its documents that have company."""
        task: Task = json.loads(next(iter(element[1]["task"])))
        pieces = list(element[1]["labels"])
        if not pieces:
            return
        rows, first = np.unique(_rows(piece[0] for piece in pieces), return_index=True)
        labels = np.frombuffer(b"".join(piece[1] for piece in pieces), "<u8")[first]
        folder, number = self._setting.folder, task["number"]
        unsigned = _load_rows(_unsigned(folder, number)) if self._level == "content" else _NO_ROWS
        scheme = self._setting.scheme if self._setting.bands is not None else None
        found = gather(task, rows, labels, scheme=scheme, unsigned=unsigned, by_url=self._level == "urls")
        save_array(copies_file(folder, self._level, number), np.stack([found.rows, found.stands_for], axis=1))
        home = (found.batch["label"].to_numpy() * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) % np.uint64(
            self._partitions
        )
        for partition in np.unique(home):
            data = _to_bytes(found.batch.take(pa.array(np.flatnonzero(home == partition))))
            Metrics.counter(self._name, "shuffled_members").inc(len(data))
            yield int(partition), data


class Decide(beam.DoFn):
    """Chooses which copies stay, and notes what that comes to."""

    def __init__(self, terms: Terms, statistics: str, name: str) -> None:
        self._terms, self._statistics, self._name = asdict(terms), statistics, name

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        """Take one partition of whole components; yield decisions by part."""
        partition, packed = element
        decided, statistics = decide([_from_bytes(data) for data in packed], Terms(**self._terms))
        write_json(join(self._statistics, f"{partition:08d}.json"), statistics.to_dict())
        for part, batch in decided.items():
            data = _to_bytes(batch)
            Metrics.counter(self._name, "shuffled_decisions").inc(len(data))
            yield part, data


class Finish(beam.DoFn):
    """Notes what was decided about a part; after the last level, writes its `duplicates` file and what it holds."""

    def __init__(self, setting: Setting, level: Level, before: tuple[Level, ...], keys: str | None) -> None:
        self._setting, self._level, self._before, self._keys = setting, level, before, keys

    def process(self, element: tuple[int, dict[str, Iterable[bytes]]]) -> None:
        """Take one part with the decisions about it."""
        task: Task = json.loads(next(iter(element[1]["task"])))
        setting, number = self._setting, task["number"]
        decisions = [_from_bytes(data) for data in element[1]["decisions"]]
        if decisions:
            save_decisions(decisions_file(setting.folder, self._level, number), decisions)
        if self._level != "content":
            return
        for fate, count in write_part(task, setting.folder, (*self._before, self._level)).fates().items():
            Metrics.counter("dedup-content", fate).inc(count)
        if self._keys is not None:
            bands, texts = kept_keys(task, setting.scheme, setting.bands)
            save_edges(join(self._keys, f"bands-{number:08d}.npy"), bands)
            save_edges(join(self._keys, f"texts-{number:08d}.npy"), texts)


def _unsigned(folder: str, number: int) -> str:
    """Name the file of rows of a part whose text another document brings the signature of."""
    return join(folder, f"unsigned-{number:08d}.npy")


def _rows(packed: Iterable[bytes]) -> Rows:
    return np.frombuffer(b"".join(packed), "<u4").astype(np.int64)


def _load_rows(path: str) -> Rows:
    return distinct(load_edges(path).astype(np.int64)) if exists(path) else _NO_ROWS


def _cut(numbers: Any) -> Iterator[tuple[int, int, int]]:
    """Part, first and last + 1 of each run of rising document numbers that belong to one part."""
    parts = parts_of(numbers)
    borders = (
        np.concatenate([[0], np.flatnonzero(np.diff(parts)) + 1, [len(parts)]]).tolist() if len(parts) else []
    )
    for begin, stop in pairwise(borders):
        yield int(parts[begin]), begin, stop


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    # Ids and texts' keys shrink to a half; signatures do not, and cost next to nothing.
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _from_bytes(data: bytes) -> pa.RecordBatch:
    return pa.ipc.open_stream(data).read_next_batch()

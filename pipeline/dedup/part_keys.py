"""The keys that the living documents of a part bring to the search, read from its files batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dedup.bands import Bands, band_keys
from pipeline.dedup.canonical_url import canonical_url
from pipeline.dedup.columns import fixed_width
from pipeline.dedup.row_gaps import Rows
from pipeline.dedup.scheme import Scheme
from pipeline.storage.reading import open_input
from pipeline.tasks import Task
from text.buffers import Hashes
from text.hashes import fmix64, hash_strings

_BATCH_ROWS = 1 << 15


@dataclass(frozen=True)
class Keys:
    """Keys of documents of a part."""

    keys: Hashes  # (n, bands)
    rows: Rows  # (n,) rising


def read_batches(path: str, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Read columns of a part, each batch with the row that it begins at."""
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        first = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns)):
            yield first, batch
            first += batch.num_rows


def read_rows(path: str, columns: Sequence[str], rows: Rows) -> pa.Table:
    """Read columns of (n,) rising rows of a part."""
    taken = []
    for first, batch in read_batches(path, columns):
        begin, stop = np.searchsorted(rows, [first, first + batch.num_rows])
        taken.append(batch.take(pa.array(rows[begin:stop] - first)))
    return pa.Table.from_batches(taken) if taken else _schema(path, columns).empty_table()


def read_scheme(path: str) -> Scheme:
    """Read how the signatures of a part were made.

    Raises:
        UsageError: the part does not say it.
    """
    return Scheme.from_schema(_schema(path), place=path)


def text_keys(hashes: pa.Array) -> Hashes:
    """Fold (n,) 128-bit text hashes to 64 bits: (n,)."""
    halves = fixed_width(hashes, 16, np.uint64)
    folded: Hashes = fmix64(halves[:, 0] + fmix64(halves[:, 1]))
    return folded


def url_hashes(urls: pa.Array) -> Hashes:
    """Hash the canonical form of (n,) URLs without nulls: (n,)."""
    return hash_strings(pa.array([canonical_url(url) for url in urls.to_pylist()], pa.string()))


def exact_keys(task: Task, gone: Rows) -> Keys:
    """Give each living document one key, equal for equal normalised texts; `gone` rows (rising) are left out."""
    found = []
    for first, batch in read_batches(task["annotations"], ["fate", "text_hash"]):
        rows = _living(batch["fate"], first, gone)
        found.append((text_keys(batch["text_hash"].take(pa.array(rows - first)))[:, None], rows))
    return _joined(found, 1)


def url_keys(task: Task, gone: Rows) -> Keys:
    """Give each living document with a URL one key, equal for URLs of one canonical form."""
    found = []
    for (first, batch), (_, beside) in zip(
        read_batches(task["annotations"], ["fate"]), read_batches(task["documents"], ["url"]), strict=True
    ):
        rows = _living(batch["fate"], first, gone, pc.is_valid(beside["url"]))
        found.append((url_hashes(beside["url"].take(pa.array(rows - first)))[:, None], rows))
    return _joined(found, 1)


def signature_keys(task: Task, scheme: Scheme, bands: Bands, gone: Rows) -> Keys:
    """Give each living document that has a signature its band keys.

    Raises:
        UsageError: the signatures were made in another way than `scheme`.
    """
    place = task["annotations"]
    read_scheme(place).require(scheme, place=place)
    found = []
    for first, batch in read_batches(place, ["fate", "signature"]):
        rows = _living(batch["fate"], first, gone, pc.is_valid(batch["signature"]))
        minima = fixed_width(
            batch["signature"].take(pa.array(rows - first)), 4 * scheme.num_hashes, np.uint32
        )
        found.append((band_keys(minima, bands), rows))
    return _joined(found, bands.bands)


def contains(known: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Say which of (n,) values are among the rising `known` ones."""
    if len(known) == 0:
        return np.zeros(len(asked), bool)
    at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: npt.NDArray[np.bool_] = known[at] == asked
    return found


def _living(fate: pa.Array, first: int, gone: Rows, more: pa.BooleanArray | None = None) -> Rows:
    alive = pc.fill_null(pc.equal(fate, "kept"), False)
    if more is not None:
        alive = pc.and_(alive, more)
    rows = np.flatnonzero(alive.to_numpy(zero_copy_only=False)) + first
    return rows[~contains(gone, rows)]


def _joined(found: list[tuple[Hashes, Rows]], bands: int) -> Keys:
    if not found:
        return Keys(np.zeros((0, bands), np.uint64), np.zeros(0, np.int64))
    return Keys(np.concatenate([keys for keys, _ in found]), np.concatenate([rows for _, rows in found]))


def _schema(path: str, columns: Sequence[str] | None = None) -> pa.Schema:
    with open_input(path) as stream:
        schema = pq.read_schema(pa.PythonFile(stream))
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])

"""What the dedup jobs read of a part and write for it; Beam's side of them stands in `dedup_stage`.

A document's number is its part's number over all sources (high 32 bits) and its row (low 32 bits).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dedup.choose import choose
from pipeline.dedup.priority import priority_keys, ranks
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import Minima
from pipeline.storage.reading import open_input
from pipeline.tasks import Task
from pipeline.workspace import PartState, PartWriter
from text.buffers import Hashes
from text.hashes import fmix64

DUPLICATES = pa.schema(
    [
        ("cluster", pa.string()),  # id of the best document of the cluster; null when alone
        ("duplicate_of", pa.string()),  # id of the kept document that this one repeats
        ("similarity", pa.float32()),  # 1 for exact copies, else the share of equal signature entries
        ("fate", pa.string()),
        ("rule", pa.string()),
        ("detail", pa.string()),
    ]
)

# A document that has company, on its way to the decision.
MEMBERS = pa.schema(
    [
        ("number", pa.uint64()),
        ("label", pa.uint64()),
        ("id", pa.string()),
        ("source_rank", pa.int64()),
        ("protected", pa.bool_()),
        ("characters", pa.int64()),
        ("quality", pa.float32()),
        ("timestamp", pa.string()),
        ("text_hash", pa.binary(16)),
        ("signature", pa.binary()),
    ]
)

# The decision on its way back to the part.
DECISIONS = pa.schema(
    [
        ("number", pa.uint64()),
        ("cluster", pa.string()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float32()),
        ("rule", pa.string()),
    ]
)

ROW_BITS = 32
_ROWS = np.uint64((1 << ROW_BITS) - 1)


@dataclass(frozen=True)
class Keys:
    """Keys of the documents of a part: one row for each, one column for each band."""

    keys: Hashes  # (n, bands)
    numbers: Hashes  # (n,)


def _read(path: str, columns: list[str]) -> pa.Table:
    with open_input(path) as stream:
        return pq.read_table(pa.PythonFile(stream), columns=columns)


def _numbers(part: int, rows: npt.NDArray[np.int64]) -> Hashes:
    return np.uint64(part) << np.uint64(ROW_BITS) | rows.astype(np.uint64)


def exact_keys(task: Task) -> Keys:
    """Give each living document of a part one key: equal for equal normalised texts."""
    table = _read(task["annotations"], ["fate", "text_hash"])
    rows = np.flatnonzero(pc.equal(table["fate"], "kept").to_numpy(zero_copy_only=False) == True)  # noqa: E712  null is not kept
    halves = _fixed(table["text_hash"].combine_chunks().take(pa.array(rows)), 16, np.uint64)
    return Keys(fmix64(halves[:, 0] + fmix64(halves[:, 1]))[:, None], _numbers(task["number"], rows))


def signature_rows(task: Task, scheme: Scheme, without: Hashes) -> tuple[Minima, Hashes]:
    """Read the signatures of a part's living documents, but for those whose number is in the sorted `without`."""
    table = _read(task["annotations"], ["fate", "signature"])
    Scheme.from_schema(_schema(task["annotations"]), place=task["annotations"]).require(
        scheme, place=task["annotations"]
    )
    alive = pc.and_(pc.fill_null(pc.equal(table["fate"], "kept"), False), pc.is_valid(table["signature"]))
    rows = np.flatnonzero(alive.to_numpy(zero_copy_only=False))
    numbers = _numbers(task["number"], rows)
    fresh = ~_contains(without, numbers)
    column = table["signature"].combine_chunks().take(pa.array(rows[fresh]))
    return _fixed(column, 4 * scheme.num_hashes, np.uint32), numbers[fresh]


def _schema(path: str) -> pa.Schema:
    with open_input(path) as stream:
        return pq.read_schema(pa.PythonFile(stream))


def members(task: Task, nodes: Hashes, labels: Hashes) -> pa.RecordBatch:
    """Gather what decides about the documents of a part that have company: rows of `MEMBERS`."""
    first = np.searchsorted(nodes, np.uint64(task["number"]) << np.uint64(ROW_BITS))
    last = np.searchsorted(nodes, np.uint64(task["number"] + 1) << np.uint64(ROW_BITS))
    rows = pa.array((nodes[first:last] & _ROWS).astype(np.int64))
    documents = _read(task["documents"], ["id", "timestamp"]).take(rows).combine_chunks()
    annotations = (
        _read(task["annotations"], ["characters", "quality", "text_hash", "signature"]).take(rows).combine_chunks()
    )
    count = len(rows)
    columns = {
        "number": pa.array(nodes[first:last]),
        "label": pa.array(labels[first:last]),
        "id": documents["id"],
        "source_rank": pa.array(np.full(count, task["source_rank"])),
        "protected": pa.array(np.full(count, task["protected"])),
        "characters": annotations["characters"],
        "quality": annotations["quality"],
        "timestamp": documents["timestamp"],
        "text_hash": annotations["text_hash"],
        "signature": annotations["signature"],
    }
    arrays = [_one(columns[field.name], field.type) for field in MEMBERS]
    return pa.record_batch(arrays, schema=MEMBERS)


def decide(batches: list[pa.RecordBatch], *, verify: float) -> pa.RecordBatch:
    """Choose the copies that stay in whole components: `MEMBERS` in, one row of `DECISIONS` for each."""
    table = pa.Table.from_batches(batches, MEMBERS).sort_by("number").combine_chunks()
    ids = _one(table["id"], pa.string())
    numbers = table["number"].to_numpy()
    keys = priority_keys(
        ids,
        source_rank=table["source_rank"].to_numpy(),
        quality=table["quality"].to_numpy().astype(np.float64),
        length=table["characters"].to_numpy(),
        date=_dates(table["timestamp"]),
    )
    places = ranks(keys, numbers)
    labels = table["label"].to_numpy()
    halves = _fixed(_one(table["text_hash"], pa.binary(16)), 16, np.uint64)
    minima = _comparable(table["signature"], halves)
    choice = choose(labels, places, minima, table["protected"].to_numpy(zero_copy_only=False), verify=verify)
    kept, of = choice.kept, choice.duplicate_of
    exact = ~kept & (halves == halves[of]).all(axis=1)
    similarity = np.where(exact, np.float32(1), choice.similarity)
    order = np.lexsort((places, labels))
    begins = (
        np.concatenate([[True], labels[order][1:] != labels[order][:-1]]) if len(order) else np.zeros(0, bool)
    )
    best = np.empty(len(order), np.int64)
    best[order] = order[begins][np.cumsum(begins) - 1]
    rule = pc.if_else(pa.array(exact), "exact_duplicate", "near_duplicate")
    return pa.record_batch(
        [
            table["number"].combine_chunks(),
            ids.take(pa.array(best)),
            pc.if_else(pa.array(kept), pa.scalar(None, pa.string()), ids.take(pa.array(of))),
            pa.array(similarity, pa.float32(), mask=kept),
            pc.if_else(pa.array(kept), pa.scalar(None, pa.string()), rule),
        ],
        schema=DECISIONS,
    )


def write_part(task: Task, decisions: list[pa.RecordBatch]) -> PartState:
    """Write the `duplicates` file of a part."""
    state = PartState(task["fingerprint"])
    alive = pc.fill_null(
        pc.equal(_read(task["annotations"], ["fate"])["fate"], "kept"), False
    ).combine_chunks()
    size = len(alive)
    table = pa.Table.from_batches(decisions, DECISIONS)
    place = np.full(size, -1)
    place[(table["number"].to_numpy() & _ROWS).astype(np.int64)] = np.arange(len(table))
    index = pa.array(place, mask=place < 0)
    rule = _one(table["rule"], pa.string()).take(index)
    fate = pc.if_else(alive, pc.if_else(pc.is_valid(rule), "removed", "kept"), pa.scalar(None, pa.string()))
    columns = [
        _one(table[name], DUPLICATES.field(name).type).take(index)
        for name in ("cluster", "duplicate_of", "similarity")
    ]
    detail = pc.if_else(
        pc.is_valid(rule),
        pc.binary_join_element_wise("copy of", columns[1], " "),
        pa.scalar(None, pa.string()),
    )
    with PartWriter(task["output"], DUPLICATES, state) as writer:
        writer.write(pa.record_batch([*columns, fate, rule, detail], schema=DUPLICATES))
    return state


def _comparable(column: pa.ChunkedArray, halves: Hashes) -> Minima:
    """Signatures as (n, K) uint32; documents without one get their text hash, which equals an exact copy's only."""
    array = _one(column, pa.binary())
    lengths = pc.binary_length(array.drop_null())
    width = int(lengths[0].as_py()) if len(lengths) else 16
    stand_in = pa.array(
        [half.tobytes() * (width // 16) + b"\0" * (width % 16) for half in halves.astype("<u8")], pa.binary()
    )
    minima: Minima = _fixed(pc.coalesce(array, stand_in), width, np.uint32)
    return minima


def _dates(column: pa.ChunkedArray) -> npt.NDArray[np.datetime64]:
    texts = pc.utf8_slice_codeunits(column, 0, 19)
    right = pc.match_substring_regex(
        texts, r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d$"
    )
    clean = pc.if_else(right, texts, pa.scalar(None, pa.string()))
    parsed = pc.strptime(clean, format="%Y-%m-%dT%H:%M:%S", unit="s", error_is_null=True)
    dates: npt.NDArray[np.datetime64] = parsed.to_numpy()
    return dates


def _contains(values: Hashes, asked: Hashes) -> npt.NDArray[np.bool_]:
    if len(values) == 0:
        return np.zeros(len(asked), bool)
    place = np.minimum(np.searchsorted(values, asked), len(values) - 1)
    found: npt.NDArray[np.bool_] = values[place] == asked
    return found


def _fixed(array: pa.Array, width: int, dtype: Any) -> Any:
    """View n binary values of `width` bytes as an (n, width / itemsize) array of numbers."""
    joined = b"".join(array.to_pylist())
    return (
        np.frombuffer(joined, np.dtype(dtype).newbyteorder("<"))
        .reshape(len(array), -1)
        .astype(dtype, copy=False)
        if joined
        else np.zeros((0, width // np.dtype(dtype).itemsize), dtype)
    )


def _one(column: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.cast(kind)

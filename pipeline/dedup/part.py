"""The `duplicates` file of a part: decisions come back, rows get their fates.

While a search runs, its folder holds for each part what the levels of the search found:
`held-N.npy` (rows that an earlier build holds), `LEVEL-copies-N.npy` (which member stands for which row) and
`LEVEL-decisions-N.arrow` (what became of each member).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.columns import one_array
from pipeline.dedup.decide import DECISIONS, EXACT, RULES, URL
from pipeline.dedup.part_keys import read_batches, read_rows
from pipeline.dedup.row_gaps import Rows
from pipeline.storage.paths import join
from pipeline.storage.publish import publish
from pipeline.storage.reading import exists, open_input
from pipeline.tasks import Task
from pipeline.workspace import PartState, PartWriter
from text.distinct import distinct

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
HELD_RULES = ("exact_duplicate_of_reference", "near_duplicate_of_reference")

_NONE = pa.scalar(None, pa.string())


class Found(NamedTuple):
    """What one level says of the rows of a part that have company there."""

    rows: Rows  # (n,) rising
    cluster: pa.Array  # (n,) ids, never null
    duplicate_of: pa.Array  # (n,) ids; null: it stays
    similarity: pa.Array  # (n,) null where it stays, and for copies by URL
    rule: pa.Array  # (n,) null: it stays


def held_file(folder: str, number: int) -> str:
    """Name the file of rows of part `number` that an earlier build holds: (n, 2) row, index of the rule."""
    return join(folder, f"held-{number:08d}.npy")


def copies_file(folder: str, level: str, number: int) -> str:
    """Name the file of rows with company: (n, 2) row, row of the member that stands for it."""
    return join(folder, f"{level}-copies-{number:08d}.npy")


def decisions_file(folder: str, level: str, number: int) -> str:
    """Name the file of decisions about members."""
    return join(folder, f"{level}-decisions-{number:08d}.arrow")


def save_array(path: str, array: npt.NDArray[np.int64]) -> None:
    """Write an array whole or not at all."""
    with publish(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def save_decisions(path: str, decisions: Sequence[pa.RecordBatch]) -> None:
    """Write the decisions about a part's members, rows rising, whatever the order of the batches."""
    table = pa.Table.from_batches(decisions, DECISIONS).sort_by("row")
    with (
        publish(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, DECISIONS) as writer,
    ):
        writer.write_table(table.combine_chunks())


def gone_rows(task: Task, folder: str, levels: Sequence[str]) -> Rows:
    """Rows that earlier levels dropped, rising: they take no part in the next one."""
    gone = [_held(folder, task["number"])[:, 0]]
    for level in levels:
        found = read_level(task, folder, level)
        if found is not None:
            gone.append(found.rows[pc.is_valid(found.rule).to_numpy(zero_copy_only=False)])
    return distinct(np.concatenate(gone))


def read_level(task: Task, folder: str, level: str) -> Found | None:
    """Spread the decisions about members over the rows that they stand for; None where no row has company."""
    copies = copies_file(folder, level, task["number"])
    decided = decisions_file(folder, level, task["number"])
    if not exists(copies) or not exists(decided):
        return None
    rows, members = _load(copies).T
    with open_input(decided) as stream:
        table = pa.ipc.open_file(pa.PythonFile(stream)).read_all().combine_chunks()
    ids = one_array(read_rows(task["documents"], ["id"], rows)["id"], pa.string())
    # Every member has one decision, and both are sorted by row.
    at = np.searchsorted(table["row"].to_numpy(), members)
    itself = rows == members
    cluster, of = (
        one_array(table[name], pa.string()).take(pa.array(at)) for name in ("cluster", "duplicate_of")
    )
    member_ids = ids.take(pa.array(np.searchsorted(rows, members)))
    cluster = pc.coalesce(cluster, of, member_ids)
    rule = one_array(table["rule"], pa.string()).take(pa.array(at))
    similarity = one_array(table["similarity"]).take(pa.array(at))
    if not itself.all() and not task["protected"]:
        # A member that stays is what its copies in this part repeat.
        repeats = pa.array(~itself & pc.is_null(rule).to_numpy(zero_copy_only=False))
        by_url = bool(pc.any(pc.equal(rule, RULES[URL])).as_py()) or level == "urls"
        of = pc.if_else(repeats, member_ids, of)
        alike = pa.scalar(None, pa.float32()) if by_url else pa.scalar(1, pa.float32())
        similarity = pc.if_else(repeats, alike, similarity)
        rule = pc.if_else(repeats, RULES[URL if by_url else EXACT], rule)
    return Found(rows, cluster, of, similarity, rule)


def write_part(task: Task, folder: str, levels: Sequence[str]) -> PartState:
    """Write the `duplicates` file of a part; a later level's word about a row counts more."""
    state = PartState(task["fingerprint"])
    fates = [batch["fate"] for _, batch in read_batches(task["annotations"], ["fate"])]
    alive = pc.fill_null(pc.equal(pa.chunked_array(fates, pa.string()), "kept"), False)
    size = len(alive)
    columns = [
        pa.nulls(size, DUPLICATES.field(name).type)
        for name in ("cluster", "duplicate_of", "similarity", "rule")
    ]
    for level in levels:
        found = read_level(task, folder, level)
        if found is not None:
            columns = [
                _put(column, found.rows, values) for column, values in zip(columns, found[1:], strict=True)
            ]
    cluster, of, similarity, rule = columns
    detail = pc.if_else(pc.is_valid(of), pc.binary_join_element_wise("copy of", of, " "), _NONE)
    held = _held(folder, task["number"])
    if len(held):
        rule = _put(rule, held[:, 0], pa.array(HELD_RULES).take(pa.array(held[:, 1])))
        said = pa.array(["an earlier build holds it"] * len(held), pa.string())
        detail = _put(detail, held[:, 0], said)
    fate = pc.if_else(one_array(alive), pc.if_else(pc.is_valid(rule), "removed", "kept"), _NONE)
    with PartWriter(task["output"], DUPLICATES, state) as writer:
        writer.write(pa.record_batch([cluster, of, similarity, fate, rule, detail], schema=DUPLICATES))
    return state


def _put(column: pa.Array, rows: Rows, values: pa.Array) -> pa.Array:
    """Replace the values of some rows."""
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), values)


def _held(folder: str, number: int) -> npt.NDArray[np.int64]:
    path = held_file(folder, number)
    return _load(path) if exists(path) else np.zeros((0, 2), np.int64)


def _load(path: str) -> npt.NDArray[np.int64]:
    with open_input(path) as stream:
        found: npt.NDArray[np.int64] = np.load(stream, allow_pickle=False)
    return found

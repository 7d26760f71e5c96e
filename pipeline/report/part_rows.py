"""The rows of some parts with their final fates: what figures and examples are made of. Reads small columns only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import CrawlmixError
from pipeline.exclusions import RULE
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace
from text.hashes import uniform

MAX_PARTS = 64  # of a source
MAX_ROWS = 1_000_000  # of a source; the part that passes it is the last
_BULKY = frozenset({"text_hash", "signature"})


@dataclass(frozen=True)
class PartRows:
    """The rows of one part; all arrays are row-aligned."""

    source: str
    part: str  # file name
    fate: pa.Array  # (n,) string
    rule: pa.Array  # (n,) string; null where kept
    table: pa.Array  # (n,) string: the table that decided
    hidden: pa.Array  # (n,) bool: taken out by request, so that no page may show it
    documents: pa.Table  # id, opt_out
    annotations: pa.Table | None  # language, quality, signals


@dataclass(frozen=True)
class Chosen:
    """Which parts of a source are read."""

    parts: tuple[str, ...]
    total: int

    @property
    def all(self) -> bool:
        """Whether that is every part."""
        return len(self.parts) == self.total


def choose_parts(workspace: Workspace, source: str) -> Chosen:
    """Choose the parts that a report reads: all, or those whose names hash smallest; the same on every machine."""
    names = [name for name in list_dir(workspace.path("documents", source)) if name.endswith(".parquet")]
    drawn = uniform(
        pa.array([f"{source}/{name}" for name in names], pa.string()), seed=0, rule="report_parts"
    )
    chosen: list[str] = []
    rows = 0
    for place in np.argsort(drawn, kind="stable").tolist():
        if len(chosen) == MAX_PARTS or rows >= MAX_ROWS:
            break
        chosen.append(names[place])
        with open_input(workspace.path("documents", source, names[place])) as stream:
            rows += pq.read_metadata(stream).num_rows
    return Chosen(tuple(sorted(chosen)), len(names))


def read_parts(
    workspace: Workspace,
    source: str,
    parts: Sequence[str],
    tables: Sequence[str],
    excluded: frozenset[str] = frozenset(),
) -> Iterator[PartRows]:
    """Read parts of a source, one at a time.

    Args:
        workspace: to read.
        source: its name.
        parts: file names.
        tables: of the judging stages done, in order, `documents` first.
        excluded: ids of the documents that were taken out by hand.

    Raises:
        CrawlmixError: a table does not have the rows of its part.
    """
    for part in parts:
        documents = _read(workspace.path("documents", source, part), ["id", "opt_out", "fate", "rule"])
        fate, rule = _one(documents["fate"]), _one(documents["rule"])
        table = pa.array(["documents"] * len(fate), pa.string())
        held: dict[str, pa.Table] = {}
        for name in tables[1:]:
            path = workspace.path(name, source, part)
            held[name] = _read(path, _COLUMNS.get(name, ["fate", "rule"]))
            if len(held[name]) != len(fate):
                raise CrawlmixError(
                    f"{path}: has not the rows of its part's documents; build the workspace again"
                )
            standing = pc.and_(pc.equal(fate, "kept"), pc.is_valid(_one(held[name]["fate"])))
            decided = pc.and_(standing, pc.not_equal(pc.fill_null(_one(held[name]["fate"]), "kept"), "kept"))
            fate = pc.if_else(decided, _one(held[name]["fate"]), fate)
            rule = pc.if_else(decided, _one(held[name]["rule"]), rule)
            table = pc.if_else(decided, name, table)
        hidden = pc.is_in(_one(documents["id"]), value_set=pa.array(sorted(excluded), pa.string()))
        out = pc.and_(hidden, pc.equal(fate, "kept"))
        fate, rule = pc.if_else(out, "removed", fate), pc.if_else(out, RULE, rule)
        yield PartRows(
            source,
            part,
            fate,
            rule,
            table,
            hidden,
            documents,
            held.get("annotations"),
        )


def numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """A numeric column as (n,) float64; null is NaN."""
    return np.asarray(column.cast(pa.float64()).to_numpy())


_COLUMNS: dict[str, list[str] | None] = {
    "annotations": None,  # all that are small
}


def _read(path: str, columns: list[str] | None) -> pa.Table:
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        if columns is None:
            columns = [
                field.name
                for field in file.schema_arrow
                if field.name not in _BULKY and not pa.types.is_list(field.type)
            ]
        return file.read(columns=columns)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()

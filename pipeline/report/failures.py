"""Errors that records failed with, each with how often and one example."""

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.report.facts import TABLES, without_secrets
from pipeline.report.html_parts import clean
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace, read_state


@dataclass(frozen=True)
class Failure:
    """An error of one source and stage."""

    source: str
    stage: str
    error: str
    records: int
    example: dict[str, Any] | None  # id, url, file, offset and detail of the first record with it


def failures(workspace: Workspace, ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """List the errors of a ledger, the most frequent first; reads one part for each."""
    found = []
    for source, told in ledger["sources"].items():
        for stage, sums in told["stages"].items():
            for error, records in sums["failed"].items():
                example = _example(workspace, source, TABLES[stage], error) if stage in TABLES else None
                found.append(Failure(source, stage, error, records, example))
    found.sort(key=lambda failure: (-failure.records, failure.source, failure.error))
    return [asdict(failure) for failure in found]


def _example(workspace: Workspace, source: str, table: str, error: str) -> dict[str, Any] | None:
    for part in list_dir(workspace.path(table, source)):
        path = workspace.path(table, source, part)
        state = read_state(path)
        if state is None or error not in state.failed:
            continue
        rows = _read(path, ["fate", "rule", "detail"])
        row = pc.index(pc.and_(pc.equal(rows["fate"], "failed"), pc.equal(rows["rule"], error)), True).as_py()
        if row >= 0:
            document = (
                _read(workspace.path("documents", source, part), ["id", "url", "origin"])
                .slice(row, 1)
                .to_pylist()[0]
            )
            return {
                "id": document["id"],
                "url": document["url"] and without_secrets(document["url"][:1000]),
                "file": document["origin"]["file"],
                "offset": document["origin"]["offset"],
                "detail": (rows["detail"][row].as_py() or "")[:1000],
            }
    return None


def failures_text(found: list[dict[str, Any]]) -> list[str]:
    """Two lines for each error: how often, and where it was seen first."""
    lines = []
    for failure in found:
        lines.append(
            f"failed: {failure['records']:,} of {failure['source']} with {clean(failure['error'])} at {failure['stage']}"
        )
        example = failure["example"]
        if example is not None:
            detail = f": {clean(example['detail'], 160)}" if example["detail"] else ""
            lines.append(
                f"  such as {clean(example['url'] or example['id'], 160)} in {clean(example['file'])} at byte {example['offset']:,}{detail}"
            )
    return lines


def _read(path: str, columns: list[str]) -> pa.Table:
    with open_input(path) as stream:
        return pq.read_table(pa.PythonFile(stream), columns=columns)

"""What became of one page at every stage, and why."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import exists, open_input
from pipeline.workspace import Workspace

_TABLES = ("annotations", "duplicates", "contamination")
_MAX_FOUND = 20
_SHOWN_TEXT = 600


def explain(root: str, url_or_id: str) -> dict[str, Any]:
    """Find all records with this URL or id, and their rows in every table.

    Raises:
        UsageError: no workspace, or no such record in it.
    """
    workspace = Workspace(root)
    if not list_dir(workspace.path("documents")):
        raise UsageError(f"{root}: no workspace with documents; `crawlmix build` fills one")
    records = []
    for source, part, row in _find(workspace, url_or_id):
        records.append(_record(workspace, source, part, row))
        if len(records) == _MAX_FOUND:
            break
    if not records:
        raise UsageError(f"{root}: no record has the URL or id `{url_or_id}`; both are compared exactly")
    return {"asked": url_or_id, "records": records}


def _find(workspace: Workspace, wanted: str) -> Iterator[tuple[str, str, int]]:
    for source in list_dir(workspace.path("documents")):
        for part in list_dir(workspace.path("documents", source)):
            with open_input(workspace.path("documents", source, part)) as stream:
                table = pq.read_table(pa.PythonFile(stream), columns=["id", "url"])
            hits = pc.or_kleene(pc.equal(table["id"], wanted), pc.equal(table["url"], wanted))
            for row in pc.indices_nonzero(hits).to_pylist():
                yield source, part, row


def _record(workspace: Workspace, source: str, part: str, row: int) -> dict[str, Any]:
    document = _row(workspace.path("documents", source, part), row)
    text = document.pop("text", None)
    found: dict[str, Any] = {
        "source": source,
        "part": part,
        "row": row,
        "document": document,
        "characters": len(text) if text is not None else None,
        "text_begins": text[:_SHOWN_TEXT] if text is not None else None,
    }
    fate = {"stage": "extract", "fate": document["fate"], "rule": document["rule"], "detail": document["detail"]}
    for table in _TABLES:
        path = workspace.path(table, source, part)
        if exists(path):
            told = found[table] = _row(path, row)
            if fate["fate"] == "kept" and told["fate"] is not None:
                fate = {"stage": table, "fate": told["fate"], "rule": told["rule"], "detail": told.get("detail")}
    found["outcome"] = fate
    return found


def _row(path: str, row: int) -> dict[str, Any]:
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < rows:
                values: dict[str, Any] = file.read_row_group(group).slice(row, 1).to_pylist()[0]
                return values
            row -= rows
    raise UsageError(f"{path}: has fewer rows than the part's documents; build the workspace again")


def explanation_text(found: dict[str, Any]) -> str:
    """Show an explanation to a person."""
    blocks = []
    for record in found["records"]:
        document, outcome = record["document"], record["outcome"]
        origin = document["origin"]
        lines = [
            f"{document['id']}  ({record['source']}, {record['part']}, row {record['row']})",
            f"  url        {document['url']}",
            f"  origin     {origin['file']} at byte {origin['offset']:,}, {origin['length']:,} bytes",
            f"  fetched    {document['timestamp']}, status {document['http_status']}, {document['mime']},"
            f" charset {document['charset']} ({document['charset_from']})",
        ]
        if document["truncated"]:
            lines.append(f"  truncated  {document['truncated']}")
        if document["opt_out"]:
            lines.append(f"  opt-out    {', '.join(document['opt_out'])}")
        lines.append(f"  extract    {_fate(document)}")
        for table in _TABLES:
            if table in record:
                lines.append(f"  {table:<10} {_fate(record[table])}{_details(record[table])}")
        why = f" by `{outcome['rule']}`" if outcome["rule"] else ""
        more = f" ({outcome['detail']})" if outcome["detail"] else ""
        lines.append(f"  => {outcome['fate']} at {outcome['stage']}{why}{more}")
        if record["text_begins"]:
            lines.append(f"  text ({record['characters']:,} characters): {' '.join(record['text_begins'].split())[:300]}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _fate(row: dict[str, Any]) -> str:
    if row["fate"] is None:
        return "not judged: gone before"
    return " ".join(str(value) for value in (row["fate"], row["rule"], row.get("detail")) if value)


def _details(row: dict[str, Any]) -> str:
    shown = {k: v for k, v in row.items() if k not in {"fate", "rule", "detail"} and v is not None and not isinstance(v, bytes)}
    return "".join(f"\n    {name:<28} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in shown.items())

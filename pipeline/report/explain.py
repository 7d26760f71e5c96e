"""What became of one page at every stage, and why."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from pipeline.annotate.judge import keep_rule
from pipeline.annotate.trained_text import text_edits
from pipeline.dedup.canonical_url import canonical_url
from pipeline.errors import UsageError
from pipeline.exclusions import RULE, Exclusions
from pipeline.find_documents import Line, Wanted
from pipeline.report.explain_checks import checks, edits, lowest_kept
from pipeline.report.facts import TABLES
from pipeline.sections.root import Root
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import exists, open_input
from pipeline.workspace import Workspace

MAX_FOUND = 20
MAX_CHARS = 2000  # of a string
MAX_ITEMS = 50  # of a list
_SHOWN_TEXT = 600

Place = tuple[str, str, int]  # source, file of the part, row


def explain(root: str, url_or_id: str) -> dict[str, Any]:
    """Find all records with this URL or id, their rows in every table, and what each rule in force says of them.

    A URL is compared exactly at first; where no record has it, in its canonical spelling.

    Returns:
        `asked`; `more`, whether there are more than the records shown; `records`, each with `document`, `outcome`,
        `checks`, `duplicate`, `contamination` and `trained_text` as far as the stages got. Long values are cut.

    Raises:
        UsageError: no workspace, or no such record in it.
    """
    workspace = Workspace(root)
    if not list_dir(workspace.path("documents")):
        raise UsageError(f"{root}: no workspace with documents; `crawlmix build` fills one")
    places = _find(workspace, url_or_id)
    if not places:
        raise UsageError(f"{root}: no record has the URL or id `{url_or_id[:MAX_CHARS]}`")
    recipe = _recipe(workspace)
    exclusions = Exclusions.read(workspace)
    records = [_record(workspace, recipe, exclusions, place) for place in places[:MAX_FOUND]]
    # Requests and metadata of a page follow the page itself.
    records.sort(key=lambda record: record["document"]["rule"] == "record_type")
    return {
        "asked": url_or_id,
        "more": len(places) > MAX_FOUND,
        "records": [bounded(record) for record in records],
    }


def bounded(value: Any) -> Any:
    """Cut what is too long to be read, and write bytes as hexadecimal digits."""
    if isinstance(value, bytes):
        return bounded(value.hex())
    if isinstance(value, str):
        return value if len(value) <= MAX_CHARS else f"{value[:MAX_CHARS]}... ({len(value):,} characters)"
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [bounded(item) for item in value[:MAX_ITEMS]]
    return value


def _find(workspace: Workspace, wanted: str) -> list[Place]:
    found = []
    for source, part, row, _ in _rows_with(workspace, {wanted}, ("id", "url")):
        found.append((source, part, row))
        if len(found) > MAX_FOUND:
            return found
    if found:
        return found
    url = canonical_url(wanted if "://" in wanted else f"http://{wanted}")
    for match in Wanted([Line("url", wanted, url)]).find(workspace):
        found.append((match.source, f"part-{match.part:05d}.parquet", match.row))
        if len(found) > MAX_FOUND:
            break
    return found


def _rows_with(
    workspace: Workspace, wanted: Collection[str], columns: tuple[str, ...]
) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield the rows of `documents` with one of these strings in one of the columns: place, and `id` and `url`."""
    values = pa.array(sorted(wanted), pa.string())
    for source in list_dir(workspace.path("documents")):
        for part in list_dir(workspace.path("documents", source)):
            with open_input(workspace.path("documents", source, part)) as stream:
                table = pq.read_table(pa.PythonFile(stream), columns=["id", "url"])
            hits = pc.is_in(table[columns[0]], value_set=values)
            for name in columns[1:]:
                hits = pc.or_(hits, pc.is_in(table[name], value_set=values))
            # Of no chunks at all, as a part without rows has them, it ends the process.
            for row in pc.indices_nonzero(hits.combine_chunks()).to_pylist():
                yield source, part, row, table.slice(row, 1).to_pylist()[0]


def _recipe(workspace: Workspace) -> Root | None:
    """The recipe that the tables were made with; None if the workspace has none, or of another version."""
    text = workspace.read_text("recipe.yaml")
    try:
        return Root.model_validate(yaml.safe_load(text)) if text else None
    except (yaml.YAMLError, ValueError):
        return None


def _record(
    workspace: Workspace, recipe: Root | None, exclusions: Exclusions, place: Place
) -> dict[str, Any]:
    source, part, row = place
    held = _row(workspace.path("documents", source, part), row)
    document = held.to_pylist()[0]
    text = document.pop("text", None)
    found: dict[str, Any] = {
        "source": source,
        "part": part,
        "row": row,
        "document": document,
        "characters": len(text) if text is not None else None,
        "text_begins": text[:_SHOWN_TEXT] if text is not None else None,
    }
    fate = {"stage": "extract", **{key: document[key] for key in ("fate", "rule", "detail")}}
    tables: dict[str, pa.Table] = {}
    for stage, table in list(TABLES.items())[1:]:
        path = workspace.path(table, source, part)
        if exists(path):
            tables[table] = _row(path, row)
            told = found[table] = tables[table].to_pylist()[0]
            if fate["fate"] == "kept" and told["fate"] is not None:
                fate = {
                    "stage": stage,
                    "fate": told["fate"],
                    "rule": told["rule"],
                    "detail": told.get("detail"),
                }
    excluded = exclusions.documents.get((source, document["id"]))
    if excluded is not None and fate["fate"] == "kept":
        fate = {"stage": "exclude", "fate": "removed", "rule": RULE, "detail": excluded.reason}
    found["outcome"] = fate
    if (
        recipe is not None
        and source in recipe.sources
        and found.get("annotations", {}).get("fate") is not None
    ):
        _add_judgement(found, workspace, recipe, held, tables, text)
    _add_copy(found, workspace)
    return found


def _add_judgement(
    found: dict[str, Any],
    workspace: Workspace,
    recipe: Root,
    held: pa.Table,
    tables: Mapping[str, pa.Table],
    text: str,
) -> None:
    source = found["source"]
    row = tables["annotations"]
    for name in ("id", "url", "opt_out"):
        row = row.append_column(name, held[name])
    border = None
    chosen = recipe.sources[source].filter
    if chosen in recipe.filters and keep_rule(recipe.filters[chosen]).kind == "top_percent":
        border = _border(workspace, source)
    found["checks"] = checks(workspace, recipe, source, row, border)
    what = text_edits(recipe, source)
    told = edits(what, text, row, tables["repeats"]["cut"].combine_chunks() if "repeats" in tables else None)
    trained = told.pop("text")
    if what.spans or what.pii or told.get("repeats_cut"):
        found["trained_text"] = told
    contamination = found.get("contamination") or {}
    if contamination.get("spans"):
        contamination["texts"] = [
            trained[span["start"] : span["end"]] for span in contamination["spans"][:MAX_ITEMS]
        ]


def _border(workspace: Workspace, source: str) -> float | None:
    found = []
    for part in list_dir(workspace.path("annotations", source)):
        with open_input(workspace.path("annotations", source, part)) as stream:
            score = lowest_kept(pq.read_table(pa.PythonFile(stream), columns=["fate", "quality"]))
        if score is not None:
            found.append(score)
    return min(found, default=None)


def _add_copy(found: dict[str, Any], workspace: Workspace) -> None:
    """Name the document that this one repeats, or that stands for its cluster, with its URL."""
    told = found.get("duplicates") or {}
    other = told.get("duplicate_of") or told.get("cluster")
    if other is None:
        return
    copy: dict[str, Any] = {
        "url": found["document"]["url"],
        "duplicate_of": told.get("duplicate_of"),
        "cluster": told.get("cluster"),
        "similarity": told.get("similarity"),
        "other_url": None,
        "other_source": None,
    }
    if other != found["document"]["id"]:
        for source, _, _, row in _rows_with(workspace, {other}, ("id",)):
            copy |= {"other_url": row["url"], "other_source": source}
            break
    found["duplicate"] = copy


def _row(path: str, row: int) -> pa.Table:
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < rows:
                return file.read_row_group(group).slice(row, 1).combine_chunks()
            row -= rows
    raise UsageError(f"{path}: has fewer rows than the part's documents; build the workspace again")

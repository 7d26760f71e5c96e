"""Sources that read only what an index selects, or only pages that somebody linked to.

What a selection came to is counted step by step and goes into the ledger. It is made once and kept under its
fingerprint: index files and dumps are not read again while they and the filter stay as they are.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.recipe import Recipe
from pipeline.sections.source import Index, Links
from pipeline.sources.cdx import CAPTURES, IndexCounts, read_captures
from pipeline.sources.cdx_select import IndexFilter, SelectCounts, select
from pipeline.sources.reddit import read_links
from pipeline.sources.stored import StoredBytes
from pipeline.sources.webtext import LinkTable, write_links
from pipeline.storage.globs import expand
from pipeline.storage.identity import identity
from pipeline.storage.paths import is_remote, join, resolve, shown
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import exists, open_input, size
from pipeline.workspace import Workspace, fingerprint

VERSION = 1


def selected_captures(recipe: Recipe, workspace: Workspace, name: str, index: Index) -> list[dict[str, Any]]:
    """Select captures, and cut them into parts by file and number.

    Returns:
        For each part: `captures`, a Parquet file of its rows; `file`, the archive as the index names it; `url`
        where it lies; `rows`; `fingerprint`.

    Raises:
        UsageError: an index or a dump is missing or none; a filter is wrong.
    """
    base = str(recipe.base)
    files = expand(index.paths, base)
    own = fingerprint(
        VERSION,
        name,
        index.model_dump(mode="json"),
        [identity(file) for file in files],
        _dumps(recipe, index.links),
    )
    folder = workspace.work("index", f"{name}-{own}")
    note = join(folder, "parts.json")
    if not exists(note):
        table, counts = _select(recipe, workspace, index, files)
        parts = []
        for number, (file, rows) in enumerate(_by_file(table, index.part_records)):
            captures = join(folder, f"part-{number:05d}.parquet")
            with publish(captures) as temporary:
                pq.write_table(rows, str(temporary), compression="zstd")
            root = index.base_url if is_remote(index.base_url) else resolve(index.base_url, base)
            parts.append(
                {
                    "captures": captures,
                    "file": file,
                    "base_url": root,
                    "rows": rows.num_rows,
                    "fingerprint": fingerprint(own, number),
                }
            )
        write_json(note, {"parts": parts, "counts": counts})
    return list(_read(note)["parts"])


def selection_counts(recipe: Recipe, workspace: Workspace, name: str) -> dict[str, Any] | None:
    """What the selection of a source came to, for the ledger; None for a source that reads all it is given."""
    source = recipe.root.sources[name]
    if source.index is not None:
        files = expand(source.index.paths, str(recipe.base))
        told = fingerprint(
            VERSION,
            name,
            source.index.model_dump(mode="json"),
            [identity(file) for file in files],
            _dumps(recipe, source.index.links),
        )
        counts: dict[str, Any] = _read(workspace.work("index", f"{name}-{told}", "parts.json"))["counts"]
        return counts
    if source.links is not None:
        return {"links": _read(links_file(recipe, workspace, source.links) + ".json")}
    return None


def links_file(recipe: Recipe, workspace: Workspace, links: Links) -> str:
    """Make the table of links of some dumps, once; returns its path, beside which the counts lie as `.json`."""
    own = fingerprint(VERSION, links.min_score, _dumps(recipe, links))
    path = workspace.work("links", f"{own}.parquet")
    if not (exists(path) and exists(path + ".json")):
        files = expand(links.dumps, str(recipe.base))
        table, counts = read_links(_opened(files), min_score=links.min_score)
        with publish(path) as temporary:
            write_links(table, str(temporary))
        write_json(path + ".json", counts.to_dict())
    return path


def _opened(files: list[str]) -> Iterator[tuple[str, StoredBytes]]:
    for file in files:
        with open_input(file) as stream:
            yield shown(file), StoredBytes(stream, size(file))


def _dumps(recipe: Recipe, links: Links | None) -> list[Any]:
    if links is None:
        return []
    return [identity(file) for file in expand(links.dumps, str(recipe.base))]


def _select(
    recipe: Recipe, workspace: Workspace, index: Index, files: list[str]
) -> tuple[pa.Table, dict[str, Any]]:
    table = None
    counts: dict[str, Any] = {}
    if index.links is not None:
        path = links_file(recipe, workspace, index.links)
        with open_input(path) as stream:
            table = LinkTable.read(stream, path)
        counts["links"] = _read(path + ".json")
    keep = IndexFilter(
        languages=frozenset(index.languages),
        statuses=frozenset(index.statuses),
        media_types=frozenset(index.media_types),
        domains=frozenset(index.domains),
        first_date=index.first_date,
        last_date=index.last_date,
        links=table,
    )
    held, chosen = IndexCounts(), SelectCounts()

    def captures() -> Iterator[pa.RecordBatch]:
        for file in files:
            with open_input(file) as stream:
                yield from read_captures(stream, shown(file), size(file), held)

    found = select(captures(), keep, chosen)
    return found, {"index": asdict(held), "selection": asdict(chosen), **counts}


def _by_file(table: pa.Table, most: int) -> Iterator[tuple[str, pa.Table]]:
    """Cut a selection, which is sorted by file, at the borders of files and after `most` rows."""
    assert table.schema.names == CAPTURES.names
    names = pc.run_end_encode(table["filename"].combine_chunks())
    start = 0
    for file, end in zip(names.values.to_pylist(), names.run_ends.to_pylist(), strict=True):
        while start < end:
            rows = table.slice(start, min(most, end - start))
            yield file, rows
            start += rows.num_rows


def _read(path: str) -> dict[str, Any]:
    with open_input(path) as stream:
        found: dict[str, Any] = json.loads(stream.read())
    return found

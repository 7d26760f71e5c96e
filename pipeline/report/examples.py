"""A few documents for every reason: always the same ones, whatever the order of parts and rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.report.part_rows import PartRows
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace
from text.hashes import uniform

PER_REASON = 3
SHOWN_CHARS = 200  # of a document's text
_FIELD_CHARS = 1000  # of a URL, title or detail; more is never held

Reason = tuple[str, str]  # fate and rule; of kept documents `kept` and the source


@dataclass(frozen=True)
class Example:
    """One document, as far as a page shows it; texts are cut."""

    source: str
    id: str
    url: str | None
    title: str | None
    detail: str | None
    text: str | None


@dataclass(order=True, frozen=True)
class _Place:
    draw: float
    id: str
    source: str = field(compare=False)
    part: str = field(compare=False)
    row: int = field(compare=False)
    table: str = field(compare=False)


class ExampleChooser:
    """Keeps, for each reason, the documents with the smallest draws."""

    def __init__(self) -> None:
        self._best: dict[Reason, list[_Place]] = {}

    def add(self, rows: PartRows) -> None:
        """Look at the rows of a part."""
        ids = rows.documents["id"].combine_chunks()
        draws = uniform(pc.fill_null(ids, ""), seed=0, rule="report_examples")
        reason = pc.if_else(pc.equal(rows.fate, "kept"), rows.source, pc.fill_null(rows.rule, ""))
        both = pc.binary_join_element_wise(rows.fate, reason, "\0").dictionary_encode()
        codes = both.indices.to_numpy()
        order = np.lexsort((draws, codes))
        order = order[~rows.hidden.to_numpy(zero_copy_only=False)[order]]
        ordered = codes[order]
        fresh = np.ones(len(order), bool)
        fresh[1:] = ordered[1:] != ordered[:-1]
        for start in np.flatnonzero(fresh).tolist():
            fate, _, rule = both.dictionary[int(ordered[start])].as_py().partition("\0")
            # More than are wanted: equal draws are ordered by id, not by row.
            taken = order[start : start + 4 * PER_REASON]
            taken = taken[codes[taken] == ordered[start]]
            places = [
                _Place(
                    float(draws[row]),
                    ids[int(row)].as_py() or "",
                    rows.source,
                    rows.part,
                    int(row),
                    rows.table[int(row)].as_py(),
                )
                for row in taken
            ]
            best = self._best.setdefault((fate, rule), [])
            self._best[fate, rule] = sorted([*best, *places])[:PER_REASON]

    def read(self, workspace: Workspace) -> dict[Reason, list[Example]]:
        """Read what is shown of the chosen documents."""
        wanted = sorted(
            {
                (place.source, place.part, place.row, place.table)
                for best in self._best.values()
                for place in best
            }
        )
        found: dict[tuple[str, str, int], Example] = {}
        for (source, part), group in groupby(wanted, key=lambda place: place[:2]):
            places = [(row, table) for _, _, row, table in group]
            shown = _rows(workspace.path("documents", source, part), [row for row, _ in places], _SHOWN)
            for table in {table for _, table in places} - {"documents"}:
                mine = [row for row, decided in places if decided == table]
                for row, told in _rows(workspace.path(table, source, part), mine, ["detail"]).items():
                    shown[row]["detail"] = told["detail"]
            for row, told in shown.items():
                found[source, part, row] = Example(source, **told)
        return {
            reason: [found[place.source, place.part, place.row] for place in best]
            for reason, best in sorted(self._best.items())
        }


_SHOWN = ["id", "url", "title", "detail", "text"]


def _rows(path: str, rows: Iterable[int], columns: list[str]) -> dict[int, dict[str, Any]]:
    """Read some rows of a part, their strings cut, out of the row groups that hold them."""
    wanted = sorted(rows)
    found: dict[int, dict[str, Any]] = {}
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        first = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            mine = [row for row in wanted if first <= row < first + size]
            if mine:
                table = file.read_row_group(group, columns=columns).take(
                    pa.array([row - first for row in mine])
                )
                cut = {
                    name: pc.utf8_slice_codeunits(
                        table[name], 0, SHOWN_CHARS + 1 if name == "text" else _FIELD_CHARS
                    )
                    for name in columns
                }
                found |= dict(zip(mine, pa.table(cut).to_pylist(), strict=True))
            first += size
    return found

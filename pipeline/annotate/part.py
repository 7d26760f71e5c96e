"""The `annotations` file of one part: what is measured on its texts, and what the filter makes of it.

Row-aligned with the part's `documents`: a row whose record was removed or failed before has nulls, and a null fate,
since it was not this stage's to judge. Where only the rules changed, the measured columns of the file that is there
are judged again, and no text is read.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.keep import Cut
from pipeline.annotate.judge import judge
from pipeline.annotate.measure import Measures, measure
from pipeline.annotate.rules import DECISIONS
from pipeline.dedup.scheme import Scheme
from pipeline.sections.filter import Filter
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.workspace import PartState, PartWriter, read_state


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the `annotations` file of a part; returns its counts by fate."""
    state = PartState(task["fingerprint"], more={"measures": task["measures_fingerprint"]})
    told = task["measures"]
    what = Measures(**{**told, "scheme": Scheme(**told["scheme"]) if told["scheme"] else None})
    settings = Filter(**task["filter"]) if task["filter"] is not None else None
    cut = Cut(**task["cut"]) if task["cut"] else None
    before = read_state(task["output"])
    reuse = before is not None and before.more.get("measures") == task["measures_fingerprint"]
    schema = pa.schema([*what.schema(), *DECISIONS], what.schema().metadata)
    with open_input(task["documents"]) as stream, PartWriter(task["output"], schema, state) as writer:
        file = pq.ParquetFile(stream)
        columns = ["id", "url", "opt_out", "fate"]
        measured = _measured_before(task["output"], what) if reuse else None
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns if reuse else [*columns, "text"])
            alive = pc.equal(table["fate"], "kept").combine_chunks()
            living = table.filter(alive).combine_chunks()
            found = next(measured).filter(alive) if measured else measure(_whole(living["text"]), what)
            verdict = _judge(living, found, settings, seed=task["seed"], cut=cut, blocklist=task["blocklist"])
            writer.write(_spread([*found.columns, *verdict.columns], alive, schema))
            report(table.num_rows, 0)
    return {"fates": state.fates()}


def _measured_before(path: str, what: Measures) -> Iterator[pa.RecordBatch]:
    with open_input(path) as stream:
        file = pq.ParquetFile(stream)
        names = what.schema().names
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=names).cast(what.schema())
            yield pa.record_batch([_whole(column) for column in table.columns], schema=what.schema())


def _judge(
    living: pa.Table,
    found: pa.RecordBatch,
    settings: Filter | None,
    *,
    seed: int,
    cut: Cut | None,
    blocklist: str | None,
) -> pa.RecordBatch:
    if settings is None:
        kept = pa.array(["kept"] * found.num_rows, pa.string())
        nothing = pa.nulls(found.num_rows, pa.string())
        return pa.record_batch([kept, nothing, nothing], schema=DECISIONS)
    table = pa.Table.from_batches([found])
    for name in ("id", "url", "opt_out"):
        table = table.append_column(name, living[name])
    return judge(table, settings, seed=seed, cut=cut, blocklist=blocklist)


def _spread(columns: list[pa.Array], alive: pa.BooleanArray, schema: pa.Schema) -> pa.RecordBatch:
    """Put the values of living rows in their places, nulls elsewhere."""
    mask = alive.to_numpy(zero_copy_only=False)
    place = pa.array(np.cumsum(mask) - 1, pa.int64(), mask=~mask)
    return pa.record_batch([column.take(place) for column in columns], schema=schema)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

"""The documents of one part that survived, as tokens.

A document's text is read once more, row group by row group; whatever an earlier stage removed is left out.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.storage.paths import local_path
from pipeline.storage.publish import write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.tokenize.encoder import Encoder
from pipeline.tokenize.part_tokens import pieces, write_part


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the token files of a part, and last the note that says so."""
    summary = write_part(
        local_path(task["stem"]), pieces(_survivors(task, report)), _encoder(task["tokenizer"])
    )
    write_json(
        task["output"],
        {
            "fingerprint": task["fingerprint"],
            "documents": summary.documents,
            "tokens": summary.tokens,
            "empty": summary.empty,
        },
    )
    return {"fates": {"documents": summary.documents, "tokens": summary.tokens}}


@lru_cache(maxsize=1)
def _encoder(name: str) -> Encoder:
    return Encoder.load(name)


def _survivors(task: Task, report: Report) -> Iterator[pa.RecordBatch]:
    """Yield `document_id`, `row` and `text` of the rows whose fate is `kept` in every table."""
    kept = _kept(task["tables"])
    with open_input(task["tables"][0]) as stream:
        file = pq.ParquetFile(stream)
        first = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["id", "text"])
            rows = pc.indices_nonzero(kept.slice(first, table.num_rows)).cast(pa.int64())
            yield pa.record_batch(
                [
                    table["id"].combine_chunks().take(rows),
                    pc.add(rows, first),
                    table["text"].combine_chunks().take(rows),
                ],
                names=["document_id", "row", "text"],
            )
            first += table.num_rows
            report(table.num_rows, 0)


def _kept(tables: list[str]) -> pa.BooleanArray:
    """Say for each row of a part whether its fate is `kept` in every table."""
    kept: pa.BooleanArray | None = None
    for path in tables:
        with open_input(path) as stream:
            fate = pq.read_table(pa.PythonFile(stream), columns=["fate"])["fate"].combine_chunks()
        mine = pc.fill_null(pc.equal(fate, "kept"), False)
        kept = mine if kept is None else pc.and_(kept, mine)
    assert kept is not None
    return kept

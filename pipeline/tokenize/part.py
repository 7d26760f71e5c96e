"""The documents of one part that survived, as tokens.

A document's text is read once more, row group by row group; whatever an earlier stage removed is left out.
"""

from collections.abc import Iterator
from contextlib import ExitStack
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
    with ExitStack() as stack:
        files = [pq.ParquetFile(stack.enter_context(open_input(path))) for path in task["tables"]]
        first = 0
        for group in range(files[0].num_row_groups):
            table = files[0].read_row_group(group, columns=["id", "text", "fate"])
            kept = pc.equal(table["fate"], "kept")
            for file in files[1:]:
                kept = pc.and_(
                    kept,
                    pc.fill_null(
                        pc.equal(file.read_row_group(group, columns=["fate"])["fate"], "kept"), False
                    ),
                )
            kept = kept.combine_chunks()
            rows = pc.add(pc.indices_nonzero(kept).cast(pa.int64()), first)
            yield pa.record_batch(
                [
                    table["id"].combine_chunks().filter(kept),
                    rows,
                    table["text"].combine_chunks().filter(kept),
                ],
                names=["document_id", "row", "text"],
            )
            first += table.num_rows
            report(table.num_rows, 0)

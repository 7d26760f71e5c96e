"""The documents of one part that survived, as tokens.

A document's text is read once more, row group by row group, and edited as the source's filter says.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.annotate.trained_text import TextEdits, read_texts
from pipeline.decontaminate.pieces import cut_documents
from pipeline.storage.publish import write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.tokenize.encoder import Encoder
from pipeline.tokenize.part_tokens import pieces, write_part


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the token files of a part, and last the note that says so."""
    summary = write_part(task["stem"], survivors(task, report), _encoder(task["tokenizer"]))
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


def survivors(task: Task, report: Report) -> Iterator[pa.RecordBatch]:
    """Yield the documents of a part that survived, or what was left of them, in the columns of `PIECES`.

    Reads `tables`, `edits` and `contamination` of the task.
    """
    cuts = _cuts(task["contamination"]) if task.get("contamination") else None
    for ids, rows, texts, total in read_texts(task["tables"], TextEdits(**task["edits"])):
        if cuts is not None and pc.any(pc.is_valid(mine := cuts.take(rows))).as_py():
            yield cut_documents(ids, rows, texts, mine)
        else:
            yield from pieces([pa.record_batch([ids, rows, texts], names=["document_id", "row", "text"])])
        report(total, 0)


def _cuts(path: str) -> pa.Array:
    """For each row of a part the pieces that stay; null where the text stays whole."""
    with open_input(path) as stream:
        return pq.read_table(pa.PythonFile(stream), columns=["pieces"])["pieces"].combine_chunks()

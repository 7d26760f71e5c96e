"""The documents of one part that survived, as tokens.

A document's text is read once more, row group by row group, and edited as the source's filter says.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa

from pipeline.annotate.trained_text import TextEdits, read_texts
from pipeline.storage.paths import local_path
from pipeline.storage.publish import write_json
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
    """Yield `document_id`, `row` and `text` of the documents that survived."""
    for ids, rows, texts, total in read_texts(task["tables"], TextEdits(**task["edits"])):
        yield pa.record_batch([ids, rows, texts], names=["document_id", "row", "text"])
        report(total, 0)

"""Training documents for the quality classifier, drawn from one part: the same for any order of the parts."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.documents import TRAINING_DOCUMENTS
from classifiers.groups import registered_domain
from classifiers.train import TrainOptions
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the part's sample, and last the note that says so."""
    sampler = TrainOptions(**task["options"]).sampler()
    with open_input(task["documents"]) as stream:
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["id", "url", "text", "fate"])
            living = table.filter(pc.equal(table["fate"], "kept"))
            sampler.add(_training_documents(living, task["source"]))
            report(table.num_rows, 0)
    found = sampler.table()
    with publish(task["sample"]) as temporary:
        pq.write_table(found, str(temporary), compression="zstd")
    write_json(task["output"], {"fingerprint": task["fingerprint"], "documents": found.num_rows})
    return {"fates": {"sampled": found.num_rows}}


def _training_documents(table: pa.Table, source: str) -> pa.Table:
    groups = [
        registered_domain(url or "") or f"{source}\0{name}"
        for url, name in zip(table["url"].to_pylist(), table["id"].to_pylist(), strict=True)
    ]
    named = pa.array([source] * table.num_rows, pa.string())
    return pa.table(
        [table["id"], table["text"], named, pa.array(groups, pa.string())], schema=TRAINING_DOCUMENTS
    )

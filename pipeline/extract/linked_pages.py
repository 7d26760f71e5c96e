"""A source made of another source's pages: those that somebody linked to, as WebText was.

The table of links is mapped by every worker and joined where the pages lie, so nothing is shuffled.
"""

from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.document import DOCUMENTS
from pipeline.sources.webtext import LinkTable
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.workspace import PartState, PartWriter


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the `documents` rows of a part's pages that were linked to; ids and origins stay those of the pages."""
    links = _links(task["links"])
    state = PartState(task["fingerprint"])
    pages = 0
    with open_input(task["documents"]) as stream, PartWriter(task["output"], DOCUMENTS, state) as writer:
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            living = table.filter(pc.equal(table["fate"], "kept"))
            pages += living.num_rows
            found = living.filter(pa.array(links.match(living["url"]).mask)).combine_chunks()
            if found.num_rows:
                writer.write(found.cast(DOCUMENTS).to_batches()[0])
            report(table.num_rows, 0)
        state.more = {
            "skipped": [],
            "first_offset": None,
            "next_offset": 0,
            "pages": pages,
            "file": task["shown"],
        }
    return {"fates": state.fates()}


@lru_cache(maxsize=1)
def _links(path: str) -> LinkTable:
    with open_input(path) as stream:
        return LinkTable.read(stream, path)

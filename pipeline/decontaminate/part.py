"""The two passes over a part: find the benchmarks' n-grams, then decide, knowing in how many documents each was found.

The first pass reads texts as they are trained on; what it found is small and goes to a file. The second needs no
text. Spans and pieces count characters of the text as trained on.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate.trained_text import TextEdits, read_texts
from pipeline.decontaminate.counts import DocumentCounts, add_counts, count_documents
from pipeline.decontaminate.decide import CONTAMINATION, contamination_columns, decide
from pipeline.decontaminate.index import Index, open_index
from pipeline.decontaminate.scan import Hits, scan
from pipeline.decontaminate.settings import FilterSettings
from pipeline.decontaminate.statistics import merge_statistics, part_statistics
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.workspace import PartState, PartWriter

_Arrays = dict[str, npt.NDArray[Any]]


def scan_part(task: Task, report: Report) -> dict[str, Any]:
    """Write what the scan of a part found, and last the note that says so."""
    index = _index(task["index"])
    arrays: _Arrays = {}
    counts: list[DocumentCounts] = []
    groups = 0
    for _, rows, texts, total in read_texts(task["tables"], TextEdits(**task["edits"])):
        hits = scan(texts, index)
        counts.append(count_documents(hits, index))
        lengths = pc.fill_null(pc.utf8_length(texts), 0)
        arrays |= {
            f"hits_{groups}": np.stack(hits),
            f"rows_{groups}": rows.to_numpy(),
            f"lengths_{groups}": lengths.to_numpy().astype(np.int64),
            f"total_{groups}": np.array([total]),
        }
        groups += 1
        report(total, 0)
    found = add_counts(counts)
    arrays |= {"groups": np.array([groups]), "grams": found.grams, "documents": found.documents}
    with publish(task["hits"]) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stub takes each array for `allow_pickle`
    write_json(task["output"], {"fingerprint": task["fingerprint"]})
    return {"fates": {"scanned": sum(len(arrays[f"rows_{group}"]) for group in range(groups))}}


def read_counts(path: str) -> DocumentCounts:
    """Read in how many documents of a part each n-gram was found."""
    with open_input(path) as stream, np.load(stream, allow_pickle=False) as arrays:
        return DocumentCounts(arrays["grams"], arrays["documents"])


def decide_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the `contamination` file of a part, and its statistics for the report."""
    index = _index(task["index"])
    settings = FilterSettings(**task["settings"])
    with open_input(task["common"]) as stream:
        common = np.load(stream, allow_pickle=False)
    state = PartState(task["fingerprint"])
    statistics = []
    with (
        open_input(task["hits"]) as stream,
        np.load(stream, allow_pickle=False) as arrays,
        PartWriter(task["output"], CONTAMINATION, state) as writer,
    ):
        first = 0
        for group in range(int(arrays["groups"][0])):
            hits = Hits(*arrays[f"hits_{group}"])
            lengths, total = arrays[f"lengths_{group}"], int(arrays[f"total_{group}"][0])
            decision = decide(hits, lengths, common, index, settings)
            place = np.full(total, -1)
            place[arrays[f"rows_{group}"] - first] = np.arange(len(lengths))
            columns = contamination_columns(decision, index)
            where = pa.array(place, mask=place < 0)
            writer.write(
                pa.record_batch([column.take(where) for column in columns.columns], schema=CONTAMINATION)
            )
            statistics.append(part_statistics(hits, lengths, decision, index))
            first += total
            report(total, 0)
    with publish(task["statistics"]) as temporary:
        temporary.write_bytes(merge_statistics(statistics).to_bytes())
    return {"fates": state.fates()}


@lru_cache(maxsize=1)
def _index(folder: str) -> Index:
    return open_index(folder)

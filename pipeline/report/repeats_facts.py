"""The lines or runs of sentences that stand in the most documents of a workspace, as a person can read them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.annotate.trained_text import TextEdits, text_edits
from pipeline.exclusions import Exclusions
from pipeline.sections.root import Root
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace

SHOWN_CHARS = 300


def repeats_facts(workspace: Workspace, recipe: Root, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Put words to `repeats/summary.json`.

    Returns:
        What it says, with `documents`, `source`, `id` and `text` of each of the `largest`; those whose place is in a
        document that was taken out by hand are left out.
    """
    excluded = Exclusions.read(workspace).documents
    largest = []
    for documents, source, part, row, start, end in summary["largest"]:
        document = _row(workspace.part("documents", source, part), row, ["id", "text"])
        name = document["id"][0].as_py()
        if (source, name) in excluded:
            continue
        edits = TextEdits(spans=text_edits(recipe, source).spans)
        spans = None
        if edits.spans is not None:
            spans = _row(workspace.part("annotations", source, part), row, [edits.spans])[edits.spans]
            spans = spans.combine_chunks()
        text = edits.apply(document["text"].combine_chunks(), spans)[0].as_py()
        passage = text.encode()[start:end].decode().strip()[:SHOWN_CHARS]
        largest.append({"documents": documents, "source": source, "id": name, "text": passage})
    told = {key: value for key, value in summary.items() if key != "of"}
    return {**told, "largest": largest}


def _row(path: str, row: int, columns: Sequence[str]) -> pa.Table:
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        group = 0
        while row >= file.metadata.row_group(group).num_rows:
            row -= file.metadata.row_group(group).num_rows
            group += 1
        return file.read_row_group(group, columns=list(columns)).slice(row, 1)

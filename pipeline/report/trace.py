"""The documents, URLs and archive offsets behind a training sample."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixtures.dataset import MixtureDataset
from mixtures.trace import trace
from pipeline.errors import UsageError
from pipeline.storage.paths import is_remote, local_path
from pipeline.storage.reading import exists, open_input
from pipeline.workspace import Workspace


def trace_sample(root: str, mixture: str, sample: int) -> dict[str, Any]:
    """Name the documents of a sample with their URL, archive file and offset.

    Args:
        root: the workspace.
        mixture: name of a mixture in it, or the path of a mixture file.
        sample: number of the sample, from 0.

    Raises:
        UsageError: no such workspace or mixture.
        MixtureError: the sample or the shards are not there.
    """
    if is_remote(root):
        raise UsageError(f"{root}: trace reads local workspaces; copy shards/, mixtures/ and documents/ first")
    workspace = Workspace(root)
    path = local_path(workspace.path("mixtures", f"{mixture}.json"))
    if not path.is_file():
        path = Path(mixture)
    if not path.is_file():
        raise UsageError(f"{root}: no mixture `{mixture}`; `crawlmix status {root}` lists those that are there")
    found = trace(MixtureDataset(path), sample)
    documents = []
    for stretch in found.documents:
        told = asdict(stretch)
        table = workspace.path("documents", stretch.source, f"{stretch.part}.parquet")
        told |= _document(table, stretch.row) if exists(table) else {}
        documents.append(told)
    return {"mixture": str(path), "sample": sample, "source": found.source, "place": found.place._asdict(), "documents": documents}


def _document(path: str, row: int) -> dict[str, Any]:
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < rows:
                table = file.read_row_group(group, columns=["url", "timestamp", "origin", "title"])
                values: dict[str, Any] = table.slice(row, 1).to_pylist()[0]
                return values
            row -= rows
    raise UsageError(f"{path}: has no row {row}; the documents are of another build than the shards")


def trace_text(found: dict[str, Any]) -> str:
    """Show a trace to a person."""
    place = found["place"]
    lines = [f"sample {found['sample']:,} of {found['mixture']}: source {found['source']}, epoch {place['epoch']}, window {place['window']}"]
    for document in found["documents"]:
        origin = document.get("origin") or {}
        lines.append(f"  {document['document_id']}")
        if document.get("url"):
            lines.append(f"    url      {document['url']}")
        if origin:
            lines.append(f"    archive  {origin['file']} at byte {origin['offset']:,}, {origin['length']:,} bytes")
        lines.append(
            f"    tokens   {document['first_token']:,} to {document['end_token']:,} of {document['document_tokens']:,}"
            f" (characters {document['first_char']:,} to {document['end_char']:,}), in {document['shard']} from token"
            f" {document['shard_token']:,}"
        )
    return "\n".join(lines)

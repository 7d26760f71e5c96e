"""The documents, characters, URLs and archive offsets behind a training sample."""

from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixtures.dataset import MixtureDataset
from mixtures.shards import ShardSet
from mixtures.trace import TracedDocument, trace
from pipeline.errors import UsageError
from pipeline.mixture_files import local_sample
from pipeline.storage.paths import is_remote
from pipeline.storage.reading import exists, open_input
from pipeline.tokenize.token_bytes import TokenBytes, token_bytes
from pipeline.workspace import Workspace
from pipeline.workspace_tokenizer import workspace_tokenizer

_EXCERPT = 60  # characters from each end of a stretch


def trace_sample(root: str, mixture: str, sample: int) -> dict[str, Any]:
    """Name the documents of a sample with their characters, URL, archive file and offset.

    `first_char` and `end_char` count characters of the text as it is trained on (lines removed, personal data replaced);
    they are exact for byte-level tokenizers, and those of the whole document or piece for others (`exact` says which).

    Args:
        root: the workspace.
        mixture: name of a mixture in it, or the path or URL of a mixture file.
        sample: number of the sample, from 0.

    Raises:
        UsageError: no such workspace or mixture.
        MixtureError: the sample or the shards are not there.
    """
    workspace = Workspace(root)
    place = mixture
    if not mixture.endswith(".json") and exists(named := workspace.path("mixtures", f"{mixture}.json")):
        place = named
    elif not exists(mixture):
        raise UsageError(
            f"{root}: no mixture `{mixture}`; `crawlmix status {root}` lists those that are there"
        )
    dataset = MixtureDataset(local_sample(place, sample), complete=not is_remote(place))
    found = trace(dataset, sample)
    shards = dataset.shards[found.place.source]
    words = _words(workspace, dataset)
    documents = []
    for stretch in found.documents:
        told = asdict(stretch) | _characters(stretch, shards, words)
        table = workspace.path("documents", stretch.source, f"{stretch.part}.parquet")
        told |= _document(table, stretch) if exists(table) else {}
        documents.append(told)
    return {
        "mixture": place,
        "sample": sample,
        "source": found.source,
        "place": found.place._asdict(),
        "documents": documents,
    }


def _words(workspace: Workspace, dataset: MixtureDataset) -> TokenBytes | None:
    tokenizer = workspace_tokenizer(workspace)
    return token_bytes(tokenizer) if tokenizer.fingerprint == dataset.mixture.tokenizer else None


def _characters(stretch: TracedDocument, shards: ShardSet, words: TokenBytes | None) -> dict[str, Any]:
    """Characters of a stretch, from the tokens of its document up to its end."""
    if words is None:
        return {"exact": False, "text_begins": None, "text_ends": None}
    number = [entry.file for entry in shards.manifest.shards].index(stretch.shard)
    start = stretch.shard_token - stretch.first_token
    tokens = shards.view(number)[start : start + stretch.end_token]
    first, end, text = words.stretch(tokens, stretch.first_token, stretch.end_token)
    return {
        "exact": True,
        "first_char": stretch.first_char + first,
        "end_char": stretch.first_char + end,
        "text_begins": text if len(text) <= 2 * _EXCERPT else text[:_EXCERPT],
        "text_ends": "" if len(text) <= 2 * _EXCERPT else text[-_EXCERPT:],
    }


def _document(path: str, stretch: TracedDocument) -> dict[str, Any]:
    row = stretch.row
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if row < rows:
                columns = ["id", "url", "timestamp", "origin", "title"]
                values: dict[str, Any] = (
                    file.read_row_group(group, columns=columns).slice(row, 1).to_pylist()[0]
                )
                if values.pop("id") == stretch.document_id:
                    return values
                break
            row -= rows
    raise UsageError(
        f"{path}: row {stretch.row} is not document {stretch.document_id}; the documents are of another build than the"
        " shards, build the workspace again"
    )


def trace_text(found: dict[str, Any]) -> str:
    """Show a trace to a person."""
    place = found["place"]
    lines = [
        f"sample {found['sample']:,} of {found['mixture']}: source {found['source']}, epoch {place['epoch']}, window {place['window']}"
    ]
    for document in found["documents"]:
        origin = document.get("origin") or {}
        lines.append(f"  {document['document_id']}")
        if document.get("url"):
            lines.append(f"    url         {document['url']}")
        if origin:
            lines.append(
                f"    origin      {origin['file']} at byte {origin['offset']:,}, {origin['length']:,} bytes; "
                f"{document['part']}, row {document['row']:,}"
            )
        lines.append(
            f"    tokens      {document['first_token']:,} to {document['end_token']:,} of {document['document_tokens']:,},"
            f" in {document['shard']} from token {document['shard_token']:,}"
        )
        some = "" if document["exact"] else "somewhere in "
        lines.append(f"    characters  {some}{document['first_char']:,} to {document['end_char']:,}")
        if document["text_begins"]:
            gap = " ... " if document["text_ends"] else ""
            lines.append(
                f"    text        {_one_line(document['text_begins'] + gap + document['text_ends'])}"
            )
    return "\n".join(lines)


def _one_line(text: str) -> str:
    """Text of the crawl for a terminal: no line ends, no control characters."""
    return "".join(character if character.isprintable() else " " for character in text)

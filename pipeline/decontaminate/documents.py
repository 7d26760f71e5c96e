"""Documents of one's own for the command: read in batches, written as JSON lines."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import pyarrow as pa

from pipeline.decontaminate.rows import Row, read_rows
from pipeline.document import document_id
from pipeline.sources.jsonl import without_surrogates
from pipeline.storage.paths import name, shown

MAX_DOCUMENT_BYTES = 256 << 20
_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 4096
_LEVEL = 5  # of gzip: within 4 % of level 9 on text at a third of its time
_SHOWN_FAILURES = 10


@dataclass(slots=True)
class Batch:
    """Some documents of one file, in order."""

    ids: list[str]
    texts: pa.Array  # (n,) large_string
    others: list[dict[str, Any]]  # the fields besides `id`, `parent` and `text`


@dataclass(slots=True)
class Failures:
    """Rows that are no documents, and how many of those that are held bytes that are no UTF-8."""

    count: int = 0
    replaced: int = 0
    first: list[str] = field(default_factory=list)  # messages, each with file and place

    def add(self, message: str) -> None:
        """Count one, and keep the message if it is among the first ten."""
        self.count += 1
        if len(self.first) < _SHOWN_FAILURES:
            self.first.append(message)


def read_batches(files: Sequence[str], text_field: str, failures: Failures) -> Iterator[Batch]:
    """Read all files in order, in batches of about 8 MB; the same files always give the same batches.

    Args:
        files: JSON lines, Parquet, or plain text of one document a file.
        text_field: of JSON lines and Parquet.
        failures: is told of rows without such a field, that are no JSON or too large.

    Raises:
        UsageError: a file is not there or of no known kind.
    """
    for file in files:
        ids: list[str] = []
        texts: list[str] = []
        others: list[dict[str, Any]] = []
        held = 0
        for row in read_rows(file, max_bytes=MAX_DOCUMENT_BYTES, unit="file"):
            text, reason = _text(row, text_field)
            if text is None:
                failures.add(f"{shown(file)}: {row.place}: {reason}")
                continue
            failures.replaced += row.replaced
            ids.append(_id(row, file))
            texts.append(text)
            others.append(_others(row, text_field))
            held += len(text)
            if held >= _BATCH_BYTES or len(texts) == _BATCH_ROWS:
                yield Batch(ids, pa.array(texts, pa.large_string()), others)
                ids, texts, others, held = [], [], [], 0
        if texts:
            yield Batch(ids, pa.array(texts, pa.large_string()), others)


class DocumentWriter:
    """Writes JSON lines, gzipped so that the same documents give the same bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=stream, mtime=0)

    def write(self, document: dict[str, Any]) -> None:
        """Write one document."""
        line = json.dumps(document, ensure_ascii=False, default=str)
        self._zipped.write(without_surrogates(line).encode() + b"\n")

    def close(self) -> None:
        """End the gzip stream; the file below stays open."""
        self._zipped.close()


def _text(row: Row, text_field: str) -> tuple[str | None, str]:
    if row.error is not None:
        return None, row.error
    value: Any = row.value
    if isinstance(value, dict):
        if text_field not in value:
            return None, f"no field `{text_field}`; fields: {', '.join(map(str, list(value)[:20])) or 'none'}"
        value = value[text_field]
    if not isinstance(value, str):
        return None, f"`{text_field}` holds {type(value).__name__}, expected a text"
    if len(value) > MAX_DOCUMENT_BYTES:
        return None, f"more than {MAX_DOCUMENT_BYTES:,} bytes"
    return without_surrogates(value), ""


def _id(row: Row, file: str) -> str:
    found = row.value.get("id") if isinstance(row.value, dict) else None
    if isinstance(found, str) and found:
        return without_surrogates(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return document_id("", name(file), 0, row.number)


def _others(row: Row, text_field: str) -> dict[str, Any]:
    if not isinstance(row.value, dict):
        return {}
    return {key: value for key, value in row.value.items() if key not in {"id", "parent", "text", text_field}}

"""Training documents read from JSON Lines files, in batches of Arrow records."""

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import zstandard

from classifiers.errors import ClassifierError
from classifiers.groups import registered_domain

# What training reads: `group` keeps documents of one origin on one side of every split.
TRAINING_DOCUMENTS = pa.schema(
    [("id", pa.string()), ("text", pa.string()), ("source", pa.string()), ("group", pa.string())]
)
MAX_LINE_BYTES = 64 << 20
_SUFFIXES = (".gz", ".zst", ".jsonl", ".json", ".ndjson")


def read_documents(paths: Iterable[Path | str], *, rows: int = 1024) -> Iterator[pa.RecordBatch]:
    """Read documents of JSON Lines files (`id`, `text`, optionally `url`, `source`, `group`), `.gz` and `.zst` too.

    A document without `source` belongs to a source named after its file; one without `id` is named by file and
    line. The group is the row's own, else the registered domain of its URL, else its source and id.

    Args:
        paths: files, read in this order.
        rows: documents in a batch, at most.

    Yields:
        Batches of `TRAINING_DOCUMENTS`.

    Raises:
        ClassifierError: a file cannot be read or decompressed, a line is not a JSON object or over 64 MiB, or
            none of a file's documents has text; the message names file and line.
    """
    for path in paths:
        yield from _read_file(Path(path), rows)


def source_name(path: Path) -> str:
    """Name a source after its file, without the suffixes of format and compression."""
    name = path.name
    while name.endswith(_SUFFIXES) and len(Path(name).stem) > 0:
        name = Path(name).stem
    return name


def _read_file(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    columns: list[dict[str, str]] = []
    usable = 0
    default = source_name(path)
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        row = _row(path, number, line)
        text = row.get("text")
        if text is None or text == "":
            continue
        if not isinstance(text, str):
            raise ClassifierError(
                f"{path}: line {number}: `text` must be a string, got {type(text).__name__}"
            )
        usable += bool(text.strip())
        source = _string(row, "source") or default
        name = _string(row, "id") or f"{path.name}:{number}"
        group = _string(row, "group") or registered_domain(_string(row, "url") or "") or f"{source}\0{name}"
        columns.append({"id": name, "text": _clean(text), "source": source, "group": group})
        if len(columns) == rows:
            yield pa.RecordBatch.from_pylist(columns, schema=TRAINING_DOCUMENTS)
            columns = []
    if columns:
        yield pa.RecordBatch.from_pylist(columns, schema=TRAINING_DOCUMENTS)
    if not usable:
        raise ClassifierError(
            f"{path}: no document with text: each line must be a JSON object with `id` and `text`"
        )


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ClassifierError(f"{path}: line {number}: not a JSON object: {line[:60]!r}") from None
    if not isinstance(row, dict):
        raise ClassifierError(f"{path}: line {number}: expected a JSON object, got {type(row).__name__}")
    return row


def _string(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    return _clean(str(value)) if isinstance(value, str | int) and str(value) else None


def _clean(value: str) -> str:
    """Replace lone surrogates, which JSON can spell and UTF-8 cannot."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with _opened(path) as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise ClassifierError(
                        f"{path}: line {number}: over {MAX_LINE_BYTES >> 20} MiB: not a document a line"
                    )
                yield line
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ClassifierError(f"{path}: cannot be read: {reason}") from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.open(raw) as stream:
                yield io.BufferedReader(stream)
        elif path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
                yield io.BufferedReader(stream)
        else:
            yield raw

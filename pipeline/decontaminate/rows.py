"""Rows of JSON lines, Parquet and plain text files, compressed or not, one bounded row at a time."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decontaminate.settings import Unit
from pipeline.errors import UsageError
from pipeline.sources.stored import StoredBytes
from pipeline.sources.streams import InflatedFile
from pipeline.storage.paths import name, shown
from pipeline.storage.reading import open_input, size

_COMPRESSED = (".gz", ".zst", ".lz4")
_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".text": "text",
}
ENDINGS = tuple(_FORMATS)
_PARQUET_ROWS = 64
_ESCAPED = 6  # JSON may spell one byte of text as `\u0041`
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True, frozen=True)
class Row:
    """One row of a file: an object, a text, or the reason why it is neither."""

    number: int  # from 0, of the rows of its file
    place: str  # for messages: `line 3`
    value: dict[str, Any] | str | None
    error: str | None = None
    replaced: bool = False  # it held bytes that are no UTF-8, now U+FFFD


def stem(path: str) -> str:
    """Return a file's name without the endings that name its format and compression."""
    base, _ = _split(path)
    return base


def format_of(path: str) -> str | None:
    """Return `jsonl`, `parquet` or `text` by the file's ending, else None."""
    _, ending = _split(path)
    return _FORMATS.get(ending)


def read_rows(path: str, *, max_bytes: int, unit: Unit) -> Iterator[Row]:
    """Read a file row by row.

    Args:
        path: a local path or URL; its ending names the format, its content the compression.
        max_bytes: of a row's text; a larger row comes as an error and is not held.
        unit: what a row of a plain text file is.

    Raises:
        UsageError: the file is not there, or its ending names no format.
    """
    kind = format_of(path)
    if kind is None:
        raise UsageError(
            f"{shown(path)}: unknown kind of file; expected {', '.join(ENDINGS)}, also with .gz, .zst or .lz4"
        )
    with open_input(path) as stream:
        if kind == "parquet":
            yield from _parquet(stream)
            return
        inflated = InflatedFile(StoredBytes(stream, size(path)))
        pieces = _without_bom(iter(inflated))
        if kind == "jsonl":
            yield from _json_lines(pieces, max_bytes)
        else:
            yield from _texts(pieces, max_bytes, unit)
        if inflated.lost:
            lost = inflated.lost
            yield Row(-1, f"byte {lost.offset}", None, f"the rest of the file cannot be read: {lost.reason}")


def _split(path: str) -> tuple[str, str]:
    base = name(path)
    for ending in _COMPRESSED:
        base = base.removesuffix(ending)
    head, dot, tail = base.rpartition(".")
    return (head, dot + tail.lower()) if head and dot + tail.lower() in _FORMATS else (base, "")


def _without_bom(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for first in pieces:
        yield first.removeprefix(_BOM)
        break
    yield from pieces


def _json_lines(pieces: Iterable[bytes], max_bytes: int) -> Iterator[Row]:
    number = 0
    for line_number, line in enumerate(_lines(pieces, _ESCAPED * max_bytes + (1 << 20)), 1):
        place = f"line {line_number}"
        if line is None:
            yield Row(number, place, None, f"more than {max_bytes:,} bytes")
        elif line.strip():
            yield _parse(number, place, line)
        else:
            continue
        number += 1


def _parse(number: int, place: str, line: bytes) -> Row:
    text, replaced = _decode(line)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return Row(number, place, None, f"is no JSON ({error.msg} at character {error.pos})")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or nesting as deep
        return Row(number, place, None, f"cannot be read as JSON ({error})")
    if not isinstance(value, dict):
        return Row(number, place, None, f"expected a JSON object, found {type(value).__name__}")
    return Row(number, place, value, replaced=replaced)


def _parquet(stream: BinaryIO) -> Iterator[Row]:
    number = 0
    try:
        for batch in pq.ParquetFile(stream).iter_batches(_PARQUET_ROWS, use_threads=False):
            for value in batch.to_pylist():
                yield Row(number, f"row {number + 1}", value)
                number += 1
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        yield Row(-1, f"row {number + 1}", None, f"the rest of the file cannot be read: {reason}")


def _texts(pieces: Iterable[bytes], max_bytes: int, unit: Unit) -> Iterator[Row]:
    found = _whole(pieces, max_bytes) if unit == "file" else _units(pieces, max_bytes, unit)
    for number, (place, data) in enumerate(found):
        if data is None:
            yield Row(number, place, None, f"more than {max_bytes:,} bytes")
        else:
            text, replaced = _decode(data)
            yield Row(number, place, text, replaced=replaced)


def _whole(pieces: Iterable[bytes], max_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    held, size_held = [], 0
    for piece in pieces:
        size_held += len(piece)
        if size_held > max_bytes:
            yield "line 1", None
            return
        held.append(piece)
    if size_held:
        yield "line 1", b"".join(held)


def _units(pieces: Iterable[bytes], max_bytes: int, unit: Unit) -> Iterator[tuple[str, bytes | None]]:
    """Yield lines, or runs of lines that no blank line parts; None in place of one that is too long."""
    held: list[bytes] = []
    size_held, first = 0, 1
    for number, line in enumerate(_lines(pieces, max_bytes), 1):
        blank = line is not None and not line.strip()
        if not blank:
            first = first if size_held else number
            size_held += max_bytes + 1 if line is None else len(line) + 1
            if line is not None and size_held <= max_bytes + 1:
                held.append(line)
        if size_held and (blank or unit == "line"):
            yield f"line {first}", b"\n".join(held) if size_held <= max_bytes + 1 else None
            held, size_held = [], 0
    if size_held:
        yield f"line {first}", b"\n".join(held) if size_held <= max_bytes + 1 else None


def _decode(data: bytes) -> tuple[str, bool]:
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), True


def _lines(pieces: Iterable[bytes], limit: int) -> Iterator[bytes | None]:
    """Yield each line without its end; None for one of more than `limit` bytes, which is not held."""
    held: list[bytes] = []
    size_held = 0
    for piece in pieces:
        begin = 0
        while (end := piece.find(b"\n", begin)) >= 0:
            size_held += end - begin
            held.append(piece[begin:end])
            yield b"".join(held).removesuffix(b"\r") if size_held <= limit else None
            held, size_held, begin = [], 0, end + 1
        size_held += len(piece) - begin
        if size_held <= limit:
            held.append(piece[begin:])
        else:
            held = []
    if size_held:
        yield b"".join(held) if size_held <= limit else None

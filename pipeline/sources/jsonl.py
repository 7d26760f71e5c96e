"""JSON lines, plain or compressed: one document a line, one failed record for each line that is none."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.sources.record import FileRange, Record, Skipped
from pipeline.sources.stored import PLAIN_STEP, StoredBytes
from pipeline.sources.streams import InflatedFile

_MAX_SHORT = 64 << 10  # characters of an id, URL, title or date
# JSON may spell one byte of text as `\u0041`: a longer line holds a text of more than `max_bytes` for sure.
_MAX_ESCAPE = 6


@dataclass(slots=True, frozen=True)
class JsonlFields:
    """Names of the fields that hold a document; a dot leads into an object (`meta.url`)."""

    text: str = "text"
    id: str = "id"
    url: str = "url"
    title: str = "title"
    timestamp: str = "timestamp"


def json_record(value: Any, fields: JsonlFields, max_bytes: int) -> Record:
    """Turn one object into a Record without its place; `failed` if it has no text, `removed` if that is too large."""
    record = Record(0)
    if not isinstance(value, dict):
        return _fail(record, "no_object", f"expected an object, found {_kind(value)}")
    for name in ("id", "url", "title", "timestamp"):
        found = _lookup(value, getattr(fields, name))
        if isinstance(found, str) and found:
            setattr(record, name, without_surrogates(found[:_MAX_SHORT]))
        elif name == "id" and isinstance(found, int) and not isinstance(found, bool):
            record.id = str(found)
    text = _lookup(value, fields.text)
    if not isinstance(text, str):
        return _fail(record, "no_text_field", f"expected a string in `{fields.text}`, found {_kind(text)}")
    text = without_surrogates(text)
    size = len(text) if text.isascii() else len(text.encode())
    if size > max_bytes:
        record.fate, record.rule, record.detail = "removed", "too_large", f"{size} bytes"
    else:
        record.text = text
    return record


def without_surrogates(text: str) -> str:
    r"""Replace lone surrogates, which JSON can spell (`\ud800`) and UTF-8 cannot hold, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _lookup(value: dict[str, Any], path: str) -> Any:
    if path in value:
        return value[path]
    found: Any = value
    for step in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


def _kind(value: Any) -> str:
    names = {type(None): "nothing", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "an array" if isinstance(value, list) else "an object")


def _fail(record: Record, rule: str, detail: str) -> Record:
    record.fate, record.rule, record.detail = "failed", rule, detail
    return record


class JsonlReader:
    """Reads the lines that begin in a byte range; implements `Reader`.

    A plain file may be cut anywhere: a line belongs to the range that holds its first byte. Of a compressed file
    the range that begins at 0 reads everything, and a record's `offset` is 0 and its `index` the line's number
    from 0; in a plain file `offset` and `length` are the line's. Empty lines are no records.

    Rules: `bad_json`, `bad_utf8`, `no_object`, `no_text_field` (failed), `too_large` (removed; the text, or a line
    too long to hold so small a text). `detail` names the line in a compressed or whole file, from 1, and the byte
    in a range.
    """

    def __init__(self, file_range: FileRange, fields: JsonlFields | None = None) -> None:
        self._range = file_range
        self._fields = fields or JsonlFields()
        self._max_bytes = file_range.selection.max_bytes
        self._max_line = _MAX_ESCAPE * self._max_bytes + (1 << 20)
        self.first_offset: int | None = None
        self.next_offset = file_range.start

    def __iter__(self) -> Iterator[Record | Skipped]:
        given = self._range
        stored = StoredBytes(given.stream, given.size)
        end = given.size if given.end is None else min(given.end, given.size)
        inflated = InflatedFile(stored)
        if inflated.compressed:
            yield from self._compressed(inflated, stored, end)
        else:
            yield from self._plain(stored, end)

    def _compressed(
        self, inflated: InflatedFile, stored: StoredBytes, end: int
    ) -> Iterator[Record | Skipped]:
        if self._range.start > 0:
            self.next_offset = end
            return
        self.first_offset = 0
        for number, (_, _, line) in enumerate(_lines(iter(inflated), 0, self._max_line)):
            record = self._record(line, f"line {number + 1}")
            if record is not None:
                record.index = number
                record.length = stored.size
                if inflated.lost:
                    record.truncated = "cut_record"
                yield record
        if inflated.lost:
            yield inflated.lost
        self.next_offset = stored.size

    def _plain(self, stored: StoredBytes, end: int) -> Iterator[Record | Skipped]:
        start = self._range.start
        if start > 0 and not self._range.exact:
            # The line that holds the byte before the range belongs to the range before.
            begins = _next_line(stored, start - 1)
            if begins >= min(end, stored.size):
                self.next_offset = end
                return
            start = begins
        if start >= end:
            return
        self.first_offset = start
        for number, (offset, length, line) in enumerate(
            _lines(_pieces(stored, start), start, self._max_line)
        ):
            if offset >= end:
                self.next_offset = offset
                return
            self.next_offset = offset + length
            record = self._record(line, f"line {number + 1}" if start == 0 else f"byte {offset}")
            if record is not None:
                record.offset, record.length = offset, length
                yield record

    def _record(self, line: bytes | None, place: str) -> Record | None:
        if line is None:
            record = Record(
                0, fate="removed", rule="too_large", detail=f"line of more than {self._max_line} bytes"
            )
        elif not line.strip():
            return None
        else:
            record = self._parse(line)
        if record.fate != "kept":
            record.detail = f"{place}: {record.detail}"
        return record

    def _parse(self, line: bytes) -> Record:
        record = Record(0)
        try:
            value = json.loads(line.decode("utf-8-sig"), parse_int=_bounded_int)
        except UnicodeDecodeError as error:
            return _fail(record, "bad_utf8", f"{error.reason} at byte {error.start} of the line")
        except json.JSONDecodeError as error:
            return _fail(record, "bad_json", f"{error.msg} at character {error.pos} of the line")
        except RecursionError:
            return _fail(record, "bad_json", "nested too deeply")
        return json_record(value, self._fields, self._max_bytes)


def _bounded_int(digits: str) -> int | float:
    return (
        int(digits) if len(digits) < 400 else float("inf")
    )  # Python refuses to parse more than 4,300 digits


def _pieces(stored: StoredBytes, position: int) -> Iterator[bytes]:
    while piece := stored.read(position, PLAIN_STEP):
        position += len(piece)
        yield piece


def _next_line(stored: StoredBytes, position: int) -> int:
    """Return the offset behind the first line end at or after `position`."""
    for piece in _pieces(stored, position):
        found = piece.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(piece)
    return stored.size


def _lines(pieces: Iterator[bytes], offset: int, limit: int) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield (offset, length, line) for each line; the line is None if it is longer than `limit`, and not held."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        begin = 0
        while (end := piece.find(b"\n", begin)) >= 0:
            size += end + 1 - begin
            held.append(piece[begin:end])
            yield offset, size, b"".join(held) if size <= limit else None
            offset += size
            held, size, begin = [], 0, end + 1
        size += len(piece) - begin
        if size <= limit:
            held.append(piece[begin:])
        else:
            held = []
    if size:
        yield offset, size, b"".join(held) if size <= limit else None

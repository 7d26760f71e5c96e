"""WARC files: grammar of a record, and the reader that goes on after damage and cuts files into byte ranges."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, ClassVar

from pipeline.sources.archive import ArchiveReader, first_record
from pipeline.sources.fast_warc import read_run
from pipeline.sources.header_fields import Fields, HeaderFields, text
from pipeline.sources.http_body import looks_like_text
from pipeline.sources.page import MAX_URL, fill_page
from pipeline.sources.record import FileRange, Record, Selection
from pipeline.sources.scan import MAX_HEADER, Feed, Found, Head
from pipeline.sources.stored import StoredBytes

_VERSION = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r{0,2}\n")
_SEARCH = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r{0,2}\n[A-Za-z][A-Za-z-]{1,40}[ \t]*:")
_BLANK_LINE = re.compile(rb"\n\r{0,2}\n")
_LENGTH = re.compile(rb"\d{1,18}")
_DATE = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T((?:[01]\d|2[0-3]):[0-5]\d:[0-6]\d)(?:[.,]\d{1,9})?Z"
)
_TRUNCATED = frozenset({"length", "time", "disconnect", "unspecified"})


class WarcGrammar:
    """Records as ISO 28500 has them, read as leniently as archives need it."""

    name: ClassVar[str] = "WARC"
    start: ClassVar[re.Pattern[bytes]] = _VERSION
    search: ClassVar[re.Pattern[bytes]] = _SEARCH

    def head(self, feed: Feed, start: int) -> Head[Fields] | None:
        """Read the header of the record at `start`; see `scan.Grammar`."""
        if not feed.ended:
            feed.fill(start + 4096)
        begin = start - feed.base
        version = _VERSION.match(feed.buffer, begin)
        if not version:
            return None
        buffer = feed.buffer
        end = buffer.find(b"\r\n\r\n", begin, begin + 4096)
        if end >= 0 and buffer.find(b"\n\n", begin, end) < 0:
            block_start = end + 4
        else:
            feed.fill(start + MAX_HEADER)
            begin = start - feed.base
            buffer = feed.buffer
            blank = _BLANK_LINE.search(buffer, begin, begin + MAX_HEADER)
            if not blank:
                return None
            end, block_start = blank.start(), blank.end()
        fields = HeaderFields(buffer[begin + version.end() - version.start() - 1 : end])
        length = fields.get(b"\ncontent-length:")
        return Head(feed.base + block_start, int(length) if _LENGTH.fullmatch(length) else None, fields)

    def record(self, found: Found[Fields], selection: Selection) -> Record:
        """Turn a framed record into a Record, its place in the file still to be set."""
        get = found.fields.get
        record = Record(0)
        record.id = text(get(b"\nwarc-record-id:")[:1024]).strip("<> ") or None
        record.timestamp = normal_date(text(get(b"\nwarc-date:")[:64]))
        url = get(b"\nwarc-target-uri:")
        if len(url) <= MAX_URL:
            record.url = text(url).strip("<> ") or None
        if found.problem == "bad_length":
            stated = text(get(b"\ncontent-length:")[:40])
            record.fate, record.rule, record.detail = "failed", "bad_content_length", stated or "missing"
            return record
        record_type = text(get(b"\nwarc-type:")[:80]).lower()
        if cut := get(b"\nwarc-truncated:"):
            reason = text(cut[:80]).lower()
            record.truncated = reason if reason in _TRUNCATED else "unspecified"
        elif get(b"\nwarc-segment-number:"):
            record.truncated = "segmented"
        record.truncated = record.truncated or found.problem
        if record_type not in selection.record_types:
            record.fate, record.rule, record.detail = "removed", "record_type", record_type or "missing"
            return record
        if len(url) > MAX_URL:
            record.fate, record.rule, record.detail = "removed", "url_too_long", f"{len(url)} bytes"
            return record
        content_type = text(get(b"\ncontent-type:")[:1024])
        declared = text(get(b"\nwarc-identified-payload-type:")[:1024]) or None
        http = record_type == "response" and (
            not content_type or content_type.lower().startswith("application/http")
        )
        if not http and not found.data.startswith(b"HTTP/", found.block_start, found.block_stop):
            # A resource or a conversion is its own payload; a response by another protocol too (`text/dns`).
            declared = content_type or declared
        if record_type == "conversion":
            _fill_text(record, found, selection, declared)
        else:
            fill_page(record, found, selection, declared=declared, http=http)
        return record


def _fill_text(record: Record, found: Found[Fields], selection: Selection, declared: str | None) -> None:
    """Take the text of a WET record; other conversions are judged like a page."""
    if declared is None or declared.partition(";")[0].strip().lower() != "text/plain":
        fill_page(record, found, selection, declared=declared, http=False)
        return
    record.mime = "text/plain"
    if record.mime not in selection.media_types:
        record.fate, record.rule, record.detail = "removed", "media_type", record.mime
    elif found.size > selection.max_bytes:
        record.fate, record.rule, record.detail = "removed", "too_large", f"{found.size} bytes"
    elif not looks_like_text(found.data[found.block_start : found.block_start + 1024]):
        record.fate, record.rule, record.detail = "removed", "media_type", "binary (declared text/plain)"
    else:
        record.charset = "utf-8"
        record.text = found.payload(found.block_start).decode("utf-8", "replace")


def normal_date(date: str) -> str | None:
    """Return a WARC-Date as `YYYY-MM-DDTHH:MM:SSZ`; None if it is no W3C date and time in UTC."""
    found = _DATE.fullmatch(date)
    if not found or len(date) == 20:
        return date if found else None
    return f"{found[1]}T{found[2]}Z"


class WarcReader(ArchiveReader[Fields]):
    """Reads the records of a WARC (or WET) file, plain, gzip, zstd or LZ4, by content; see `ArchiveReader`."""

    def __init__(self, file_range: FileRange) -> None:
        super().__init__(file_range, WarcGrammar())

    def _run(self, stored: StoredBytes, start: int, end: int) -> Iterator[Record]:
        selection = self._range.selection
        run = read_run(stored, start, end, limit=self._limit, record_types=selection.record_types)
        for offset, stop, found in run:
            record = self._grammar.record(found, selection)
            record.offset, record.length = offset, stop - offset
            yield record


def read_record(
    stream: BinaryIO, name: str, offset: int, index: int, selection: Selection, *, size: int
) -> Record | None:
    """Read the one record that a reader gave as (`offset`, `index`); None if there is none any more.

    Args:
        stream: seekable, at any position.
        name: of the file, for messages.
        offset: as in `Record.offset`, in bytes of the file as stored.
        index: as in `Record.index`.
        selection: decides the record's fate, as in a reader.
        size: bytes of the whole file.
    """
    place = FileRange(stream, name, size, start=offset, end=offset + 1, exact=True)
    return first_record(WarcReader(replace(place, selection=selection)), offset, index)

"""WARC files: grammar of a record, and the reader that goes on after damage and cuts files into byte ranges."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, ClassVar

from pipeline.sources.archive import ArchiveReader, first_record
from pipeline.sources.fast_members import read_run
from pipeline.sources.header_fields import HeaderFields
from pipeline.sources.record import FileRange, Record, Selection
from pipeline.sources.scan import MAX_HEADER, Feed, Found, Head
from pipeline.sources.stored import StoredBytes
from pipeline.sources.warc_fields import WARC_NAMES, WarcFields, describe, fill

_VERSION = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r{0,2}\n")
_SEARCH = re.compile(rb"WARC/\d{1,2}\.\d{1,3}[ \t]*\r{0,2}\n[A-Za-z][A-Za-z-]{1,40}[ \t]*:")
_BLANK_LINE = re.compile(rb"\n\r{0,2}\n")
_LENGTH = re.compile(rb"\d{1,18}")
_KEYS = tuple(b"\n%b:" % name for name in WARC_NAMES)


class WarcGrammar:
    """Records as ISO 28500 has them, read as leniently as archives need it."""

    name: ClassVar[str] = "WARC"
    start: ClassVar[re.Pattern[bytes]] = _VERSION
    search: ClassVar[re.Pattern[bytes]] = _SEARCH

    def head(self, feed: Feed, start: int) -> Head[WarcFields] | None:
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
        header = HeaderFields(buffer[begin + version.end() - version.start() - 1 : end])
        fields: WarcFields = tuple(map(header.get, _KEYS))
        length = fields[3]
        return Head(feed.base + block_start, int(length) if _LENGTH.fullmatch(length) else None, fields)

    def record(self, found: Found[WarcFields], selection: Selection) -> Record:
        """Turn a framed record into a Record, its place in the file still to be set."""
        record = describe(found.fields, found.problem, selection)
        if record.fate == "kept":
            fill(record, found, selection)
        return record


class WarcReader(ArchiveReader[WarcFields]):
    """Reads the records of a WARC (or WET) file, plain, gzip, zstd or LZ4, by content; see `ArchiveReader`."""

    def __init__(self, file_range: FileRange) -> None:
        super().__init__(file_range, WarcGrammar())

    def _run(self, stored: StoredBytes, start: int, end: int) -> Iterator[Record]:
        return read_run(stored, start, end, limit=self._limit, selection=self._range.selection)


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

"""ARC files, the format before WARC: grammar of a record, read by the reader of all web archives."""

import re
from typing import ClassVar

from pipeline.sources.archive import ArchiveReader
from pipeline.sources.header_fields import text
from pipeline.sources.page import MAX_URL, fill_page
from pipeline.sources.record import FileRange, Record, Selection
from pipeline.sources.scan import Feed, Found, Head

# URL, address, date, media type, [status, checksum, location, offset, file name,] length: version 1 has five fields,
# version 2 ten. A URL may hold spaces, so the line is read from its right end.
# Source: https://archive.org/web/researcher/ArcFileFormat.php
_LINE = re.compile(
    rb"([A-Za-z][A-Za-z0-9+.-]{1,20}:[^\r\n]{0,%d}?)[ ]([0-9A-Fa-f.:]+|-|unknown)[ ](\d{1,17}|-)[ ]([^ \r\n]{0,200})"
    rb"(?:[ ](\d{3}|-)[ ](\S+)[ ]([^\r\n]{0,4096}?)[ ](\d+|-)[ ]([^\r\n]{0,1024}?))?[ ](\d{1,18})[ \t]*\r?\n"
    % MAX_URL
)
_SEARCH = re.compile(
    rb"(?<=\n)[A-Za-z][A-Za-z0-9+.-]{1,20}:[^\r\n]{0,2048}?[ ](?:\d{1,3}(?:\.\d{1,3}){3}|-)[ ]\d{14}[ ][^ \r\n]{1,200}"
    rb"(?:[ ][^\r\n]{1,1024}?)?[ ]\d{1,18}[ \t]*\r?\n"
)


class ArcFields(tuple[bytes, bytes, bytes]):
    """URL, date and media type of an ARC record's header line."""

    __slots__ = ()


class ArcGrammar:
    """Records of ARC version 1 and 2."""

    name: ClassVar[str] = "ARC"
    start: ClassVar[re.Pattern[bytes]] = _LINE
    search: ClassVar[re.Pattern[bytes]] = _SEARCH

    def head(self, feed: Feed, start: int) -> Head[ArcFields] | None:
        """Read the header of the record at `start`; see `scan.Grammar`."""
        feed.fill(start + MAX_URL + 8192)
        line = _LINE.match(feed.buffer, start - feed.base)
        if not line:
            return None
        return Head(feed.base + line.end(), int(line[10]), ArcFields((line[1], line[3], line[4])))

    def record(self, found: Found[ArcFields], selection: Selection) -> Record:
        """Turn a framed record into a Record, its place in the file still to be set."""
        url, date, media_type = found.fields
        record = Record(0, url=text(url), timestamp=normal_arc_date(date), truncated=found.problem)
        if url.startswith(b"filedesc:"):
            record.fate, record.rule, record.detail = "removed", "record_type", "filedesc"
        else:
            http = url[:5].lower() in {b"http:", b"https"}
            fill_page(record, found, selection, declared=text(media_type), http=http)
        return record


def normal_arc_date(date: bytes) -> str | None:
    """Return the 14 digits of an ARC date as `YYYY-MM-DDTHH:MM:SSZ`; None if they are no date."""
    found = re.fullmatch(
        rb"(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])([0-5]\d)([0-6]\d)\d{0,3}", date
    )
    if not found:
        return None
    year, month, day, hour, minute, second = (part.decode() for part in found.groups())
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"


class ArcReader(ArchiveReader[ArcFields]):
    """Reads the records of an ARC file, plain or compressed, by content; see `ArchiveReader`."""

    def __init__(self, file_range: FileRange) -> None:
        super().__init__(file_range, ArcGrammar())

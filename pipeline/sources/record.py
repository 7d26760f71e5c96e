"""One item of an input file, as every reader hands it over."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from pipeline.document import Fate


@dataclass(slots=True)
class Record:
    """A record with its place in the file; its fate is already decided if the reader removed or failed it.

    `body` holds the payload of a web page with transfer and content encodings undone; `text` holds text that
    needs no extraction (WET, JSONL, books). At most one of the two is set, and neither on a record whose fate is
    not `kept`.
    """

    offset: int  # bytes: start of the record (compressed: of its member) in the file as stored
    length: int = 0  # bytes: to the end of the record (compressed: of its member) as stored
    index: int = 0  # position among the records that share this offset
    id: str | None = None  # from WARC-Record-ID or the data's own id; None when it has none
    url: str | None = None
    timestamp: str | None = None
    http_status: int | None = None
    mime: str | None = None  # lower case, without parameters
    charset: str | None = None  # as the HTTP header states it
    robots: tuple[str, ...] = ()  # raw values of opt-out headers, as `name: value`
    truncated: str | None = None
    title: str | None = None
    body: bytes | None = None
    text: str | None = None
    fate: Fate = "kept"
    rule: str | None = None
    detail: str | None = None


@dataclass(slots=True, frozen=True)
class Skipped:
    """Bytes of a file in which no record could be read."""

    offset: int
    length: int
    reason: str


@dataclass(slots=True, frozen=True)
class Selection:
    """Which records of a web archive go on to extraction; the others are removed, each with its rule."""

    record_types: frozenset[str] = frozenset({"response", "resource", "conversion"})
    statuses: frozenset[int] = frozenset({200})
    media_types: frozenset[str] = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
    max_bytes: int = (
        4 << 20
    )  # of a decoded payload; larger ones are removed as `too_large` without being held


class Reader(Protocol):
    """Reads the records whose offset lies in [start, end) of one file, in order, each exactly once.

    After iteration `first_offset` is the offset of the first record or damaged byte it accounted for (None: the
    range held no start of a record) and `next_offset` the offset of the first byte it did not account for: the
    next reader must start there, or it has synchronised on something that is no record.
    """

    first_offset: int | None
    next_offset: int

    def __iter__(self) -> Iterator[Record | Skipped]: ...


@dataclass(slots=True, frozen=True)
class FileRange:
    """What a reader is given: an open file, its name for messages, and the bytes to answer for."""

    stream: BinaryIO  # seekable, at any position
    name: str
    size: int  # bytes of the whole file
    start: int = 0
    end: int | None = None  # None: to the end of the file
    exact: bool = False  # `start` is known to be the start of a record: do not search for one
    selection: Selection = field(default_factory=Selection)

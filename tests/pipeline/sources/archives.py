"""Small web archives for tests, made here; and the ways to read them."""

import gzip
import io
import itertools
import random
import zlib
from collections.abc import Iterable

import zstandard
from fastwarc.stream_io import Lz4Writer

from pipeline.sources.record import FileRange, Record, Selection, Skipped
from pipeline.sources.warc import WarcReader

Item = Record | Skipped


def page(number: int, size: int = 600) -> bytes:
    """Return an HTML page that differs from every other in its incompressible middle."""
    noise = random.Random(number).randbytes(size // 2).hex()
    return f"<!doctype html><html><title>Page {number}</title><p>{noise}</p></html>".encode()


def http(body: bytes, *headers: str, status: str = "200 OK", mime: str = "text/html") -> bytes:
    """Return an HTTP response; `mime` "" leaves the Content-Type out."""
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {mime}"] if mime else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def warc(
    block: bytes,
    *headers: str,
    number: int = 0,
    kind: str = "response",
    length: str | None = None,
    version: str = "WARC/1.0",
    mime: str = "application/http; msgtype=response",
) -> bytes:
    """Return one WARC record as it stands in a plain file."""
    lines = [
        version,
        f"WARC-Type: {kind}",
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>",
        "WARC-Date: 2024-05-17T12:34:56Z",
        f"WARC-Target-URI: http://example.org/{number}",
        f"Content-Type: {mime}",
        *headers,
        f"Content-Length: {len(block) if length is None else length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def pages(count: int, first: int = 0) -> list[bytes]:
    return [warc(http(page(number)), number=number) for number in range(first, first + count)]


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def stored_gz(data: bytes) -> bytes:
    """Return a gzip member that keeps its contents readable, in stored blocks."""
    squeeze = zlib.compressobj(0, zlib.DEFLATED, 31)
    return squeeze.compress(data) + squeeze.flush()


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def lz4(data: bytes) -> bytes:
    out = _Kept()
    writer = Lz4Writer(out)
    writer.write(data)
    writer.close()
    return out.getvalue()


class _Kept(io.BytesIO):
    def close(self) -> None:
        """Stay open: the writer closes what it writes to."""


def zst_with_dictionary(records: list[bytes]) -> bytes:
    """Return a .warc.zst as the IIPC proposal has it: the dictionary in a skippable first frame."""
    dictionary = zstandard.train_dictionary(
        2048, [part for record in records for part in (record[:300], record)]
    )
    raw = dictionary.as_bytes()
    squeeze = zstandard.ZstdCompressor(dict_data=dictionary)
    frames = b"".join(squeeze.compress(record) for record in records)
    return b"\x5d\x2a\x4d\x18" + len(raw).to_bytes(4, "little") + raw + frames


def read(
    data: bytes,
    *,
    start: int = 0,
    end: int | None = None,
    exact: bool = False,
    selection: Selection | None = None,
    reader: type = WarcReader,
) -> list[Item]:
    place = FileRange(
        io.BytesIO(data),
        "made",
        len(data),
        start=start,
        end=end,
        exact=exact,
        selection=selection or Selection(),
    )
    return list(reader(place))


def records(items: Iterable[Item]) -> list[Record]:
    return [item for item in items if isinstance(item, Record)]


def skipped(items: Iterable[Item]) -> list[Skipped]:
    return [item for item in items if isinstance(item, Skipped)]


def kept(items: Iterable[Item]) -> list[Record]:
    return [record for record in records(items) if record.fate == "kept"]


def whole(items: Iterable[Item]) -> list[Record]:
    return [record for record in kept(items) if record.truncated is None]


def numbers(items: Iterable[Item]) -> list[int]:
    """Return the numbers of the made pages that were read whole, bodies unchanged; -1 for another body."""
    known = {page(number): number for number in range(120)}
    return [known.get(record.body or b"", -1) for record in whole(items)]


def read_in_ranges(data: bytes, cuts: list[int], *, reader: type = WarcReader) -> tuple[list[Item], bool]:
    """Read ranges between cuts as a caller would: check that they fit, and read again what does not.

    Returns:
        The items of all ranges, and whether a range had to be read again.
    """
    edges = [0, *sorted(cuts), len(data)]
    items: list[Item] = []
    expected, again = 0, False
    for start, end in itertools.pairwise(edges):
        if start >= end:
            continue
        if expected >= end:
            continue  # accounted for by a range before
        part = reader(FileRange(io.BytesIO(data), "made", len(data), start=start, end=end))
        found = list(part)
        if start > 0 and part.first_offset != expected:
            again = True
            part = reader(FileRange(io.BytesIO(data), "made", len(data), start=expected, end=end, exact=True))
            found = list(part)
        items += found
        expected = part.next_offset
    return items, again


def tiles(items: list[Item], size: int) -> bool:
    """Say whether records (those of one member as one) and skipped bytes cover [0, size) once."""
    extents = sorted({(item.offset, item.offset + item.length) for item in items if item.length})
    position = 0
    for begin, end in extents:
        if begin != position:
            return False
        position = end
    return position == size

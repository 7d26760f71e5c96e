"""Runs of healthy records, one in each gzip member, read by FastWARC and checked to be exactly that."""

import io
from collections.abc import Iterator

from fastwarc.warc import ArchiveIterator, WarcRecord

from pipeline.sources.header_fields import Fields, LaidOutFields, Layout
from pipeline.sources.scan import Found
from pipeline.sources.stored import StoredBytes

WINDOW = 4 << 20  # bytes read at once; a record that its end cuts is read twice
_MAGIC = b"\x1f\x8b\x08"
_BLANK = frozenset({b"\r\n", b"\n", b""})
_MAX_LAYOUTS = 64


def read_run(
    stored: StoredBytes, position: int, end: int, *, limit: int, record_types: frozenset[str]
) -> Iterator[tuple[int, int, Found[Fields]]]:
    """Yield (start, end, record) of members from `position` on for as long as nothing is odd, within one window.

    FastWARC frames and inflates. A record is given out only if what `scan` would make of its member is known to
    be the same: a member begins where FastWARC begins the next record, so the checksum was right; and the size
    that gzip states there is that of the header in its plainest form, of the block by Content-Length and of two
    line ends. Everything else, the window's last record too, is left to the caller, who goes on at the end of the
    last member that was given.

    Args:
        stored: the file.
        position: offset of a member.
        end: no member at or after this offset is given.
        limit: bytes that a member may inflate to.
        record_types: of which the blocks are read; other records come with an empty `data`.
    """
    window = stored.load(position, WINDOW)
    records = ArchiveIterator(io.BytesIO(window), parse_http=False)
    layouts: dict[tuple[bytes, ...], Layout] = {}
    ready: tuple[int, Found[Fields]] | None = None
    expected = 0
    while True:
        try:
            record = next(records, None)
        except OSError:
            return
        if record is None:
            return
        begin = record.stream_pos
        if ready is None:
            if begin != expected:
                return
        else:
            size = int.from_bytes(window[begin - 4 : begin], "little")
            if begin <= expected or size != ready[1].end or window[begin : begin + 3] != _MAGIC:
                return
            yield position + expected, position + begin, ready[1]
            expected = begin
        if position + begin >= end:
            return
        found = _plainest(record, layouts, record_types) if record.content_length < limit else None
        if found is None or found.end > limit:
            return
        ready = begin, found


def _plainest(
    record: WarcRecord, layouts: dict[tuple[bytes, ...], Layout], record_types: frozenset[str]
) -> Found[Fields] | None:
    """Return a record as it is if its header is in its plainest form; None if it shows that it is not."""
    headers = record.headers
    version = headers.status_line_bytes
    items = headers.items_bytes()
    if not items or version is None:
        return None
    names, values = zip(*items, strict=True)
    layout = layouts.get(names)
    if layout is None:
        if len(layouts) > _MAX_LAYOUTS:
            layouts.clear()
        layout = layouts[names] = Layout(names)
    joined = b"".join(values)
    fields = LaidOutFields(layout, values)
    length = record.content_length
    stated = fields.get(b"\ncontent-length:")
    if b"\n" in joined or stated != b"%d" % length:
        return None
    # Version line, `name: value` lines, blank line, block and trailer.
    size = len(version) + 2 + layout.name_chars + len(joined) + 4 * len(values) + 2 + length + 4
    if fields.get(b"\nwarc-type:").decode("latin-1").lower() not in record_types:
        return Found(0, size, fields, b"", 0, 0, length)
    reader = record.reader
    line = reader.readline()
    lines = [line]
    if not line.startswith(b"HTTP/"):
        block = line + reader.read()
        return Found(0, size, fields, block, 0, length, length) if len(block) == length else None
    while line not in _BLANK:
        line = reader.readline()
        lines.append(line)
    head = b"".join(lines)
    body = reader.read()
    if len(head) + len(body) != length:
        return None
    return Found(0, size, fields, head, 0, len(head), length, None, (body,), 0)

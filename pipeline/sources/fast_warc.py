"""Runs of healthy records, one in each gzip member, read by FastWARC and checked to be exactly that."""

from collections.abc import Iterator

from fastwarc.warc import ArchiveIterator, WarcRecordPayloadReader

from pipeline.sources.header_fields import Layout
from pipeline.sources.record import Record, Selection
from pipeline.sources.scan import Found
from pipeline.sources.stored import StoredBytes
from pipeline.sources.warc_fields import WARC_NAMES, WarcFields, describe, fill

_MAGIC = b"\x1f\x8b\x08"
_MAX_SIZE = (1 << 32) - 1  # what gzip can state
_MAX_LAYOUTS = 64


def read_run(
    stored: StoredBytes, position: int, end: int, *, limit: int, selection: Selection
) -> Iterator[Record]:
    """Yield the records of members from `position` on for as long as nothing is odd.

    FastWARC frames and inflates. A record is given out only if what `scan` would make of its member is known to
    be the same: a member begins where FastWARC begins the next record, so the checksum was right; and the size
    that gzip states there is that of the header in its plainest form, of the block by Content-Length and of two
    line ends. Everything else, the file's last record too, is left to the caller, who goes on at the end of the last
    member that was given.

    Args:
        stored: the file.
        position: offset of a member.
        end: no member at or after this offset is given.
        limit: bytes that a member may inflate to.
        selection: what to take.
    """
    limit = min(limit, _MAX_SIZE)
    tape = stored.tape(position)
    layouts: list[Layout] = []
    ready: Record | None = None
    expected = position
    mark = b""
    try:
        # Of a stream it uses `read` and `tell`.
        for item in ArchiveIterator(tape, parse_http=False):  # type: ignore[arg-type]
            begin = item.stream_pos
            if ready is not None:
                if begin <= expected or tape.look_back(begin - 4, 7) != mark:
                    return
                ready.offset, ready.length = expected, begin - expected
                yield ready
                expected = begin
            elif begin != expected:
                return
            length = item.content_length
            if begin >= end or length >= limit:
                return
            headers = item.headers
            version = headers.status_line_bytes
            names, values = headers.keys_bytes(), headers.values_bytes()
            for layout in layouts:
                if layout.names == names:
                    break
            else:
                if len(layouts) >= _MAX_LAYOUTS:
                    layouts.clear()
                layout = Layout(names, WARC_NAMES)
                layouts.append(layout)
            joined = b"".join(values)
            fields: WarcFields = layout.pick((*values, b""))
            if version is None or b"\n" in joined or fields[3] != b"%d" % length:
                return
            # Version line, `name: value` lines, blank line, block and trailer.
            size = len(version) + layout.size + len(joined) + length + 8
            if size > limit:
                return
            ready = describe(fields, None, selection)
            if ready.fate == "kept":
                found = _block(item.reader, fields, length)
                if found is None:
                    return
                fill(ready, found, selection)
            mark = size.to_bytes(4, "little") + _MAGIC
    except OSError:  # damage: FastWARC cannot go on
        return


def _block(reader: WarcRecordPayloadReader, fields: WarcFields, length: int) -> Found[WarcFields] | None:
    """Read a block, an HTTP head apart from its body; None if it is not of that length."""
    line = reader.readline()
    if not line.startswith(b"HTTP/"):
        block = line + reader.read()
        return Found(0, length, fields, block, 0, length, length) if len(block) == length else None
    lines = [line]
    while len(line) > 2 or line not in {b"\r\n", b"\n", b""}:
        line = reader.readline()
        lines.append(line)
    head = b"".join(lines)
    body = reader.read()
    if len(head) + len(body) != length:
        return None
    return Found(0, length, fields, head, 0, len(head), length, None, (body,), 0)

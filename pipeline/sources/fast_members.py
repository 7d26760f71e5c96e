"""Runs of healthy WARC records, one in each gzip member, inflated member by member in one call each."""

import re
from collections.abc import Iterator

import deflate

from pipeline.sources.header_fields import Layout
from pipeline.sources.record import Record, Selection
from pipeline.sources.scan import Found
from pipeline.sources.stored import WINDOW, StoredBytes
from pipeline.sources.warc_fields import WARC_NAMES, WarcFields, describe, fill

_MAGIC = re.compile(rb"\x1f\x8b\x08")
_SMALLEST = 18  # bytes of a gzip header and trailer
_NAMED = 0x18  # gzip flags: a file name or a comment, of any length
_MAX_RATIO = 1032  # deflate makes no more bytes out of one
_TRIES = 3  # magics looked at for the end of a member: deflate data hold a false one every 16 MB
_MAX_HEAD = 4096  # bytes of a header
_MAX_LAYOUTS = 64
_STEP = 256 << 10  # bytes that the file is read by
_VERSION = re.compile(rb"WARC/\d{1,2}\.\d{1,3}")


def read_run(
    stored: StoredBytes, position: int, end: int, *, limit: int, selection: Selection
) -> Iterator[Record]:
    """Yield the records of members from `position` on for as long as nothing is odd.

    A record is given out only if what `scan` would make of its member is known to be the same: the checksum is
    right, the member ends where the next one (or nothing) begins, and it holds one record with a header in its
    plainest form, a block of Content-Length and two line ends. Everything else is left to the caller, who goes on
    at the end of the last member that was given.

    Args:
        stored: the file.
        position: offset of a member.
        end: no member at or after this offset is given.
        limit: bytes that a member may inflate to.
        selection: what to take.
    """
    layouts: dict[int, list[Layout]] = {}  # by their number of lines
    learnt = 0
    while position < end:
        found = _inflate(stored, position, limit)
        if found is None:
            return
        data, following = found
        size = data.find(b"\r\n\r\n", 0, _MAX_HEAD)
        if size < 0 or not data.endswith(b"\r\n\r\n"):
            return
        view = memoryview(data)
        head = bytes(view[:size])
        version, *lines = head.split(b"\r\n")
        if head.count(b"\n") != len(lines) or not _VERSION.fullmatch(version):
            return
        alike = layouts.get(len(lines), [])
        for layout in alike:
            if layout.fits(lines):
                break
        else:
            layout = Layout(lines, WARC_NAMES)
            if not layout.plain:
                return
            if learnt == _MAX_LAYOUTS:
                layouts, alike, learnt = {}, [], 0
            layouts[len(lines)] = [layout, *alike]
            learnt += 1
        fields: WarcFields = layout.pick(lines)
        length = fields[3]
        if not length.isdigit() or len(length) > 18 or size + 4 + int(length) + 4 != len(data):
            return
        record = describe(fields, None, selection)
        if record.fate == "kept":
            fill(record, _block(data, view, size + 4, fields), selection)
        del found, data, view  # before the next member is inflated: the same memory does for both
        record.offset, record.length = position, following - position
        yield record
        position = following


def _inflate(stored: StoredBytes, position: int, limit: int) -> tuple[bytearray, int] | None:
    """Inflate the member at `position`, checksum verified; return its contents and its end, None if it is odd.

    The inflater is silent about bytes behind the trailer. It has found the size of the contents there, so if those
    four bytes stand nowhere else than at the supposed end, that is where the trailer is.
    """
    begin = position - stored.base
    if not 0 <= begin < len(stored.window):
        stored.load(position, _STEP)
        begin = 0
    stop = begin + _SMALLEST
    tries = 0
    while tries < _TRIES:
        window = stored.window
        magic = _MAGIC.search(window, stop)
        if magic is None and stored.base + len(window) < stored.size:
            if begin == 0 and len(window) >= WINDOW:
                return None
            stored.load(position, _STEP if begin else WINDOW)
            begin, stop = 0, _SMALLEST
            continue
        stop = magic.start() if magic else len(window)
        if stop - begin < _SMALLEST or window[begin + 3] & _NAMED:
            return None
        mark = window[stop - 4 : stop]
        size = int.from_bytes(mark, "little")
        if 0 < size <= limit and size <= _MAX_RATIO * (stop - begin):
            try:
                data: bytearray = deflate.gzip_decompress(memoryview(window)[begin:stop], size)
            except deflate.DeflateError:
                data = bytearray()
            if len(data) == size and window.rfind(mark, begin, stop - 1) < 0:
                return data, stored.base + stop
        if magic is None:
            return None
        stop += 1
        tries += 1
    return None


def _block(data: bytearray, view: memoryview, begin: int, fields: WarcFields) -> Found[WarcFields]:
    """Take the block of a record out of `data`, an HTTP head apart from its body."""
    stop = len(data) - 4
    length = stop - begin
    if data.startswith(b"HTTP/", begin):
        body = data.find(b"\r\n\r\n", begin, stop) + 4
        if body >= 4 and data.find(b"\n\n", begin, body) < 0:
            head = bytes(view[begin:body])
            return Found(0, length, fields, head, 0, len(head), length, None, (bytes(view[body:stop]),), 0)
    return Found(0, length, fields, bytes(view[begin:stop]), 0, length, length)

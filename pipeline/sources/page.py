"""What a web archive's record is: its HTTP head, its media type, and whether the selection takes it."""

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from pipeline.sources.header_fields import BLANKS, HeaderFields, text
from pipeline.sources.http_body import decode_body
from pipeline.sources.record import Record, Selection

MAX_URL = 128 << 10  # bytes; longer ones are no address of anything
MAX_OPT_OUT = 64  # headers kept of a response
_STATUS_LINE = re.compile(rb"[A-Za-z]{2,8}(?:/\d+(?:\.\d+)?)?[ \t]+(\d{3})(?![0-9A-Za-z])[^\n]*(?:\n|\Z)")
_PROTOCOL_LINE = re.compile(rb"HTTP/\d[^\n]*(?:\n|\Z)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_READ = (b"\ncontent-type:", b"\ncontent-encoding:", b"\ntransfer-encoding:")
_OPT_OUT = (b"\nx-robots-tag:", b"\ntdm-reservation:", b"\ntdm-policy:")
# What is read of a head, found in one pass; a folded line or a blank before a colon is found as the name b"".
_FIELDS = re.compile(
    rb"\n(?:(content-type|content-encoding|transfer-encoding|x-robots-tag|tdm-reservation|tdm-policy):([^\n]*)"
    rb"|[ \t\r\x0b\f]|[^\n:]*+(?<=[ \t\r\x0b\f]):)",
    re.IGNORECASE,
)
_PLAIN = {key[1:-1] for key in _READ}

# Types that say nothing about the content (WHATWG MIME sniffing, section 7, and servers' defaults).
_UNKNOWN = {"unknown/unknown", "application/unknown", "application/octet-stream", "binary/octet-stream"}
_HTML_STARTS = re.compile(
    rb"(?:<\?xml[^>]{0,256}>\s*)?(?:<!--.{0,2048}?-->\s*)*"
    rb"<(?:!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
_HTML_INSIDE = re.compile(rb"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_SURE_HTML = re.compile(
    rb"(?:<\?xml[^>]{0,256}>\s*)?(?:<!--.{0,2048}?-->\s*)*<(?:!doctype\s+html|html)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
# First bytes of formats that servers send as text (WHATWG MIME sniffing, section 6, and office files).
_BINARY = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"BZh", "application/x-bzip2"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"RIFF", "application/x-riff"),
    (b"OggS\x00", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x7fELF", "application/x-executable"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
)
_MAGIC = tuple(magic for magic, _ in _BINARY)


class Block(Protocol):
    """A record's block as it is held; see `scan.Found`."""

    @property
    def data(self) -> bytes: ...  # noqa: D102 - the class says it
    @property
    def block_start(self) -> int: ...  # noqa: D102
    @property
    def block_stop(self) -> int: ...  # noqa: D102
    @property
    def complete(self) -> bool: ...  # noqa: D102
    @property
    def rest(self) -> Sequence[bytes]: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    def payload(self, start: int) -> bytes: ...  # noqa: D102
    def join(self) -> None: ...  # noqa: D102


class HttpHead(NamedTuple):
    """Status (None: no status line that says one), fields, raw opt-out headers, start of the body in the data.

    `ended` says whether the end of the head was seen.
    """

    status: int | None
    status_line: bytes
    content_type: bytes
    content_encoding: bytes
    transfer_encoding: bytes
    opt_out: tuple[str, ...]
    body_start: int
    ended: bool


def parse_http(data: bytes, start: int, stop: int) -> HttpHead | None:
    """Read the HTTP head at the start of a record's block, data[start:stop]; None if there is none.

    A head without an end stops at the first line that begins a tag.
    """
    begin = data.find(b"\n", start, stop) + 1 or stop
    line = data[start:begin]
    found = _status(line) if len(line) < 256 else _read_status(line)
    if not found:
        return None
    status, status_line = found
    end = data.find(b"\r\n\r\n", begin - 2, stop)
    body_start = end + 4
    bare = data.find(b"\n\n", begin - 1, end if end >= 0 else stop)
    if bare >= 0:
        end, body_start = bare, bare + 2
    ended = end >= 0
    if end < 0:
        end = body_start = stop
    if data.find(b"<", begin, end) >= 0 and (tag := data.find(b"\n<", begin - 1, end)) >= 0:
        end = body_start = tag + 1
    names = {name.lower(): value for name, value in reversed(_FIELDS.findall(data, begin - 1, end))}
    if names.keys() <= _PLAIN:
        get = names.get
        content_type = get(b"content-type", b"").strip(BLANKS)
        content_encoding = get(b"content-encoding", b"").strip(BLANKS)
        transfer_encoding = get(b"transfer-encoding", b"").strip(BLANKS)
        opt_out: tuple[str, ...] = ()
    else:
        fields = HeaderFields(b"\n" + data[begin:end])
        content_type, content_encoding, transfer_encoding = map(fields.get, _READ)
        opt_out = _opt_out(fields.raw) if any(map(fields.get, _OPT_OUT)) else ()
    return HttpHead(
        status, status_line, content_type, content_encoding, transfer_encoding, opt_out, body_start, ended
    )


def _read_status(line: bytes) -> tuple[int | None, bytes] | None:
    """Return the status (None: it says none) and the line without blanks around it; None if it is no such line."""
    status = _STATUS_LINE.match(line)
    if not status and not _PROTOCOL_LINE.match(line):
        return None
    return int(status[1]) if status else None, line.strip()


_status = lru_cache(maxsize=64)(_read_status)


def _opt_out(head: bytes) -> tuple[str, ...]:
    lines = (line.partition(b":") for line in head.split(b"\n"))
    found = ((name.strip().lower(), value.strip()) for name, _, value in lines)
    given = (f"{name.decode()}: {text(value[:1024])}" for name, value in found if b"\n%b:" % name in _OPT_OUT)
    return tuple(itertools.islice(given, MAX_OPT_OUT))


def fill_page(
    record: Record, found: Block, selection: Selection, *, declared: str | None, http: bool
) -> None:
    """Judge a record by the page in it, and set its body if it stays.

    Sets `http_status`, `mime`, `charset`, `robots`, `truncated`, `body`, `fate`, `rule`, `detail`. Rules, in this
    order: `http_status`, `media_type` (as declared), `too_large`, `bad_content_encoding` (failed), `media_type`
    (of the content).

    Args:
        record: of a type that the selection takes.
        found: where its block lies.
        selection: what to take.
        declared: media type that the archive states for the payload, used where HTTP states none.
        http: the block should begin with an HTTP head (one is recognised elsewhere too).
    """
    data, body_start, stop = found.data, found.block_start, found.block_stop
    head = parse_http(data, body_start, stop) if http or data.startswith(b"HTTP/", body_start, stop) else None
    if head is not None and not head.ended and found.rest:
        found.join()  # the head is longer than what was held in one piece
        data, stop = found.data, found.block_stop
        head = parse_http(data, body_start, stop)
    transfer = coding = ""
    media_type = None
    if head is not None:
        body_start = head.body_start
        record.http_status = head.status
        record.robots = head.opt_out
        if head.status not in selection.statuses:
            _remove(
                record,
                "http_status",
                str(head.status) if head.status is not None else text(head.status_line[:80]),
            )
            return
        record.charset, media_type = _content_type(head.content_type[:1024])
        if head.content_encoding or head.transfer_encoding:
            coding = text(head.content_encoding[:1024])
            transfer = text(head.transfer_encoding[:1024])
    if media_type is None or media_type in _UNKNOWN:
        media_type = (_media_type(declared) if declared else None) or media_type
    known = media_type is not None and media_type not in _UNKNOWN
    record.mime = media_type
    if known and media_type not in selection.media_types:
        _remove(record, "media_type", media_type)
        return
    if not found.complete:
        _remove(record, "too_large", f"{found.size - (body_start - found.block_start)} bytes as stored")
        return
    raw = found.payload(body_start)
    if transfer or coding:
        decoded = decode_body(raw, transfer, coding, selection.max_bytes)
        if decoded.error == "too_large":
            _remove(record, "too_large", f"more than {selection.max_bytes} bytes decoded")
            return
        if decoded.error:
            record.fate, record.rule, record.detail = "failed", decoded.error, (coding or transfer)[:80]
            return
        raw = decoded.data
        record.truncated = record.truncated or decoded.truncated
    if len(raw) > selection.max_bytes:
        _remove(record, "too_large", f"{len(raw)} bytes")
        return
    seen = sniff(raw, media_type if known else None)
    record.mime = seen
    if seen not in selection.media_types:
        _remove(record, "media_type", f"{seen or 'unknown'} (declared {media_type or 'nothing'})")
        return
    record.body = raw


def sniff(body: bytes, declared: str | None) -> str | None:
    """Return the media type of a body: what it is for sure, else `declared`; None if nothing tells.

    A body that opens like a binary format is that, whatever was declared. Undeclared content is HTML if it opens
    with one of the tags of WHATWG MIME sniffing or has a doctype in a foreign wrapper, plain text only where that was declared. A plain text that opens
    with a doctype or `<html>` is HTML.
    """
    if not body.startswith(b"<") and body.startswith(_MAGIC):
        return next(media_type for magic, media_type in _BINARY if body.startswith(magic))
    if declared is not None and declared != "text/plain":
        return declared
    start = body[:4096]
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        start = start.replace(b"\0", b"")[2:]
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if declared is None:
        wrapped = (
            start.startswith(b"<") and not start.startswith(b"<?xml") and _HTML_INSIDE.search(start[:1024])
        )
        return "text/html" if wrapped or _HTML_STARTS.match(start) else None
    return "text/html" if _SURE_HTML.match(start) else declared


@lru_cache(maxsize=256)
def _content_type(value: bytes) -> tuple[str | None, str | None]:
    """Return the charset and the media type that a Content-Type names."""
    content_type = text(value)
    charset = _CHARSET.search(content_type)
    return charset[1] if charset else None, _media_type(content_type)


def _media_type(value: str) -> str | None:
    found = _MEDIA_TYPE.match(value.strip().lower())
    return found[0][:100] if found else None


def _remove(record: Record, rule: str, detail: str | None) -> None:
    record.fate, record.rule, record.detail = "removed", rule, detail

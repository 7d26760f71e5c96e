"""What a WARC record's header says, and the Record that this makes."""

import re
from functools import lru_cache
from typing import TypeAlias

from pipeline.sources.header_fields import text
from pipeline.sources.http_body import looks_like_text
from pipeline.sources.page import MAX_URL, fill_page
from pipeline.sources.record import Record, Selection
from pipeline.sources.scan import Found

# Names in lower case of the fields that are read, in the order of `WarcFields`.
WARC_NAMES = (
    b"warc-record-id",
    b"warc-date",
    b"warc-target-uri",
    b"content-length",
    b"warc-type",
    b"warc-truncated",
    b"warc-segment-number",
    b"content-type",
    b"warc-identified-payload-type",
)
# Their nine values, b"" for an absent one.
WarcFields: TypeAlias = tuple[bytes, ...]

_DATE = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T((?:[01]\d|2[0-3]):[0-5]\d:[0-6]\d)(?:[.,]\d{1,9})?Z"
)
_TRUNCATED = frozenset({"length", "time", "disconnect", "unspecified"})


def describe(fields: WarcFields, problem: str | None, selection: Selection) -> Record:
    """Return what a header alone tells: fate `kept` says that the block decides; see `fill`.

    Args:
        fields: of the header.
        problem: of its framing, as in `scan.Found`.
        selection: what to take.
    """
    identifier, date, url, length, kind, cut, segment, _, _ = fields
    # In the order of Record's fields up to `timestamp`: names would cost a tenth of the time.
    record = Record(
        0,
        0,
        0,
        text(identifier[:1024]).strip("<> ") or None,
        _address(url) if len(url) <= MAX_URL else None,
        _date(date[:64]),
    )
    if problem == "bad_length":
        record.fate, record.rule = "failed", "bad_content_length"
        record.detail = text(length[:40]) or "missing"
        return record
    if cut:
        reason = text(cut[:80]).lower()
        record.truncated = reason if reason in _TRUNCATED else "unspecified"
    elif segment:
        record.truncated = "segmented"
    else:
        record.truncated = problem
    record_type = _lower(kind[:80])
    if record_type not in selection.record_types:
        record.fate, record.rule, record.detail = "removed", "record_type", record_type or "missing"
    elif len(url) > MAX_URL:
        record.fate, record.rule, record.detail = "removed", "url_too_long", f"{len(url)} bytes"
    return record


def fill(record: Record, found: Found[WarcFields], selection: Selection) -> None:
    """Judge a record that its header keeps by its block, and set its body or text if it stays."""
    _, _, _, _, kind, _, _, content_type, payload_type = found.fields
    record_type = _lower(kind[:80])
    declared = text(payload_type[:1024]) or None
    http = record_type == "response" and (
        not content_type or content_type[:16].lower().startswith(b"application/http")
    )
    if not http and not found.data.startswith(b"HTTP/", found.block_start, found.block_stop):
        # A resource or a conversion is its own payload; a response by another protocol too (`text/dns`).
        declared = text(content_type[:1024]) or declared
    if record_type == "conversion":
        _fill_text(record, found, selection, declared)
    else:
        fill_page(record, found, selection, declared=declared, http=http)


def _fill_text(record: Record, found: Found[WarcFields], selection: Selection, declared: str | None) -> None:
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


# The request, the response and the metadata of one page share date and address.
@lru_cache(maxsize=16)
def _date(value: bytes) -> str | None:
    return normal_date(text(value))


@lru_cache(maxsize=4)
def _address(value: bytes) -> str | None:
    return text(value).strip("<> ") or None


@lru_cache(maxsize=64)
def _lower(value: bytes) -> str:
    return text(value).lower()

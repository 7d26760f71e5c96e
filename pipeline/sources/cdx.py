"""Which records of a crawl to read, by its index: CDX files, or Common Crawl's columnar index.

Sources: https://github.com/webrecorder/cdxj-indexer (CDXJ), https://commoncrawl.org/columnar-index (columns),
https://iipc.github.io/warc-specifications/specifications/cdx-format/cdx-2015/ (CDX with 11 fields).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.sources.dump_lines import dump_lines
from pipeline.sources.record import Skipped
from pipeline.sources.stored import StoredBytes

# One row for each capture an index lists.
CAPTURES: Final = pa.schema(
    [
        ("url", pa.string()),
        ("timestamp", pa.string()),  # 14 digits, UTC: YYYYMMDDhhmmss
        ("status", pa.int32()),  # null if the index has none, as for revisits and DNS
        ("mime", pa.string()),  # as detected, else as declared; lower case
        ("languages", pa.string()),  # ISO 639-3, the most likely first: `eng,fra`; null if not known
        ("filename", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
    ]
)

_PARQUET: Final = b"PAR1"
_MAX_LINE: Final = 1 << 20
_BATCH: Final = 16_384
_CDX_FIELDS: Final = 11
_TIMESTAMP: Final = re.compile(r"\d{14}")
_COLUMNS: Final = (
    "url", "fetch_time", "fetch_status", "content_mime_detected", "content_mime_type", "content_languages", "warc_filename",
    "warc_record_offset", "warc_record_length",
)  # fmt: skip
_NEEDED: Final = ("url", "warc_filename", "warc_record_offset", "warc_record_length")


@dataclass(slots=True)
class IndexCounts:
    """What an index held; `captures` + `bad_lines` is everything in it."""

    captures: int = 0
    bad_lines: int = 0  # that name no place in a WARC file
    first_bad: str = ""  # the first of them, for a message
    skipped: list[Skipped] = field(default_factory=list)


def read_captures(stream: BinaryIO, name: str, size: int, counts: IndexCounts) -> Iterator[pa.RecordBatch]:
    """Read an index, told by its content: Parquet, else lines of CDXJ or CDX, plain or compressed.

    Args:
        stream: seekable.
        name: of the file, for messages.
        size: bytes of the file.
        counts: added to while reading.

    Yields:
        Batches of schema `CAPTURES`, in the order of the index.

    Raises:
        UsageError: a Parquet file that is damaged, or without the columns that say where records lie.
    """
    stored = StoredBytes(stream, size)
    if stored.read(0, 4) == _PARQUET:
        yield from _columnar(stream, name, counts)
        return
    rows: list[tuple[Any, ...]] = []
    for number, line in enumerate(dump_lines(stored, max_line=_MAX_LINE)):
        if isinstance(line, Skipped):
            counts.skipped.append(line)
            continue
        if not line.strip() or line.startswith((b" CDX", b"!meta", b"#")):
            continue
        row = capture_of_line(line)
        if row is None:
            counts.bad_lines += 1
            counts.first_bad = counts.first_bad or f"{name}: line {number + 1} names no place in a WARC file"
            continue
        rows.append(row)
        if len(rows) == _BATCH:
            counts.captures += len(rows)
            yield _batch(rows)
            rows = []
    if rows:
        counts.captures += len(rows)
        yield _batch(rows)


def capture_of_line(line: bytes) -> tuple[str, str, int | None, str | None, str | None, str, int, int] | None:
    """Return the row of schema `CAPTURES` that a line of CDXJ or CDX stands for; None if it is neither."""
    try:
        text = line.decode()
        key, timestamp, rest = text.split(" ", 2)
        if rest.startswith("{"):
            entry = json.loads(rest)
            # Lines without `url` have it in the key alone, which does not give it back.
            url = entry["url"]
            mime = entry.get("mime-detected") or entry.get("mime")
            status, languages = entry.get("status"), entry.get("languages")
            filename, offset, length = entry["filename"], entry["offset"], entry["length"]
        else:
            fields = text.split()
            if len(fields) != _CDX_FIELDS:
                return None
            _, _, url, mime, status, _, _, _, length, offset, filename = fields
            languages = None
        if not _TIMESTAMP.fullmatch(timestamp) or not (isinstance(url, str) and isinstance(filename, str)):
            return None
        place = int(offset), int(length)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not key or not filename or not 0 <= place[0] < 1 << 62 or not 0 < place[1] < 1 << 62:
        return None
    code = int(status) if str(status).isascii() and str(status).isdigit() and len(str(status)) == 3 else None
    media_type = mime.partition(";")[0].strip().lower() if isinstance(mime, str) and mime != "-" else None
    return (
        url,
        timestamp,
        code,
        media_type,
        languages if isinstance(languages, str) else None,
        filename,
        *place,
    )


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, CAPTURES, strict=True)],
        schema=CAPTURES,
    )


def _columnar(stream: BinaryIO, name: str, counts: IndexCounts) -> Iterator[pa.RecordBatch]:
    stream.seek(0)
    try:
        file = pq.ParquetFile(stream)
        have = set(file.schema_arrow.names)
        missing = [column for column in _NEEDED if column not in have]
        if missing:
            raise UsageError(f"{name}: no columnar index of a crawl: it has no column `{missing[0]}`")
        columns = [column for column in _COLUMNS if column in have]
        for batch in file.iter_batches(_BATCH, columns=columns, use_threads=False):
            counts.captures += batch.num_rows
            yield _of_columns(batch, name)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{name}: damaged Parquet file: {' '.join(str(error).split())[:200]}") from error


def _of_columns(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    import pyarrow.compute as pc

    def column(*names: str) -> pa.Array:
        found = [batch.column(wanted) for wanted in names if wanted in batch.schema.names]
        return pc.coalesce(*found) if found else pa.nulls(batch.num_rows, pa.string())

    fetched = column("fetch_time")
    if pa.types.is_timestamp(fetched.type):
        fetched = pc.strftime(fetched.cast(pa.timestamp("s"), safe=False), "%Y%m%d%H%M%S")
    else:
        fetched = pc.utf8_slice_codeunits(
            pc.replace_substring_regex(fetched.cast(pa.string()), r"[^0-9]", ""), 0, 14
        )
    arrays = {
        "url": column("url"),
        "timestamp": fetched,
        "status": column("fetch_status"),
        "mime": pc.utf8_lower(column("content_mime_detected", "content_mime_type").cast(pa.string())),
        "languages": column("content_languages"),
        "filename": column("warc_filename"),
        "offset": column("warc_record_offset"),
        "length": column("warc_record_length"),
    }
    try:
        return pa.record_batch([arrays[field.name].cast(field.type) for field in CAPTURES], schema=CAPTURES)
    except pa.ArrowException as error:
        raise UsageError(f"{name}: a column of the index has another type than it should: {error}") from error

"""Records that an index selected, read from their WARC files by byte ranges and nothing else."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pyarrow as pa

from pipeline.dedup.canonical_url import canonical_url
from pipeline.errors import UsageError
from pipeline.sources.cdx_select import Run, runs
from pipeline.sources.record import Record, Selection
from pipeline.sources.warc import read_record
from pipeline.storage.paths import join
from pipeline.storage.reading import open_input
from pipeline.storage.retry import DEFAULT, NetworkPolicy

MAX_RECORD: Final = 64 << 20  # bytes as stored; Common Crawl cuts payloads at 1 MiB (5 MiB since 2025)


class CdxReader:
    """Reads the records of one WARC file that a selection names, in the order of their offsets.

    Every row becomes one record. Rules of those that fail: `bad_index` (no record begins there, or the file ends
    before it) and `wrong_record` (it is of another address); `detail` names the file and the offset. A row of more
    than `MAX_RECORD` bytes is removed as `too_large`.

    Args:
        stream: the WARC file, seekable; only ranges that hold selected records are read from it.
        name: of the file, for messages.
        rows: of schema `pipeline.sources.cdx.CAPTURES`, as `select` returns them, all of this file.
        selection: decides the records' fates, as in other readers.
    """

    def __init__(
        self, stream: BinaryIO, name: str, rows: pa.Table, selection: Selection | None = None
    ) -> None:
        self._stream = stream
        self._name = name
        self._rows = rows
        self._selection = selection or Selection()

    def __iter__(self) -> Iterator[Record]:
        for run in runs(self._rows):
            rows = self._rows.slice(run.first, run.stop - run.first).to_pylist()
            if run.end - run.start > MAX_RECORD:
                for row in rows:
                    detail = f"{row['length']} bytes as stored"
                    yield _record(row["offset"], row["length"], row["url"], "removed", "too_large", detail)
                continue
            data = memoryview(self._bytes(run))
            for row in rows:
                begin = row["offset"] - run.start
                yield self._read(
                    bytes(data[begin : begin + row["length"]]), row["offset"], row["length"], row["url"]
                )

    def _bytes(self, run: Run) -> bytes:
        """Read a run without reading ahead, which a buffered file would."""
        raw: Any = getattr(self._stream, "raw", self._stream)
        raw.seek(run.start)
        content = bytearray(run.end - run.start)
        view = memoryview(content)
        got = 0
        while got < len(content) and (count := raw.readinto(view[got:])):
            got += count
        return bytes(view[:got])

    def _read(self, data: bytes, offset: int, length: int, url: str) -> Record:
        place = f"{self._name}: offset {offset}"
        record = read_record(io.BytesIO(data), self._name, 0, 0, self._selection, size=len(data))
        if record is None:
            reason = "no WARC record begins there" if data else "the file ends before it"
            return _record(offset, length, url, "failed", "bad_index", f"{place}: {reason}")
        record.offset, record.length = offset, length
        if record.url is not None and canonical_url(record.url) != canonical_url(url):
            detail = f"{place}: the record is of {record.url[:200]}, not of {url[:200]}"
            return _record(offset, length, url, "failed", "wrong_record", detail)
        return record


def _record(offset: int, length: int, url: str, fate: str, rule: str, detail: str) -> Record:
    record = Record(offset, length=length, url=url, rule=rule, detail=detail)
    record.fate = "removed" if fate == "removed" else "failed"
    return record


def read_selected(
    selection: pa.Table, base_url: str, *, records: Selection | None = None, policy: NetworkPolicy = DEFAULT
) -> Iterator[tuple[str, Record]]:
    """Read all that was selected, file by file: (`filename` of the index, record).

    Args:
        selection: as `select` returns it.
        base_url: folder or URL that the index's file names are relative to.
        records: decides the records' fates.
        policy: limits of requests.

    A file that is not there gives a failed record, `unreadable_file`, for each of its rows.

    Raises:
        CrawlmixError: a server cannot be reached any more.
    """
    start = 0
    names = selection["filename"].to_pylist()
    while start < len(names):
        name = names[start]
        stop = start
        while stop < len(names) and names[stop] == name:
            stop += 1
        rows = selection.slice(start, stop - start)
        done = 0
        try:
            with open_input(join(base_url, name), policy) as stream:
                for record in CdxReader(stream, name, rows, records):
                    done += 1
                    yield name, record
        except UsageError as error:
            for row in rows.slice(done).to_pylist():
                yield (
                    name,
                    _record(
                        row["offset"], row["length"], row["url"], "failed", "unreadable_file", str(error)
                    ),
                )
        start = stop

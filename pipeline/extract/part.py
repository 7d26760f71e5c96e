"""Records of one part into the `documents` table: read, decode, extract, one row a record.

A part is a byte range of an input file. The direct engine cuts it further into slices that several workers read at
the same time; `run_part` then joins their batches, or reads what no slice has read. Either way the rows are those
that one reader of the whole file gives: ranges are checked to continue each other, and read again where a reader
synchronised on bytes that only look like a record.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.document import DOCUMENTS, document_id
from pipeline.extract.guard import Guard
from pipeline.extract.kept_guards import kept_guard
from pipeline.extract.normalise import normalise_text
from pipeline.extract.page import Extracted, Page
from pipeline.sources.jsonl import JsonlFields
from pipeline.sources.open_reader import ReaderOptions, reader_for
from pipeline.sources.record import FileRange, Reader, Record, Selection, Skipped
from pipeline.storage.listing import remove
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import exists, open_input
from pipeline.tasks import CHILD_SECONDS, Report, Task
from pipeline.workspace import PartState, PartWriter

_BATCH_BYTES = 2 << 20  # of page bodies: what one round trip to the extractor carries
_BATCH_ROWS = 512
_GROUP_BYTES = 16 << 20  # of text in a row group
_GROUP_ROWS = 8192


def run_slice(task: Task, report: Report) -> dict[str, Any]:
    """Read one slice of a part into an Arrow file of the workspace; `run_part` picks it up."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        kept_guard(task["guard"]) as guard,
        publish(task["slice_file"]) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, DOCUMENTS, options=options) as writer,
    ):
        begun = guard.cpu_seconds()
        reading = _Reading(task, task["start"], task["end"], guard, report)
        for batch in reading.batches():
            writer.write_batch(batch)
        used = guard.cpu_seconds() - begun
    write_json(_note_name(task["slice_file"]), reading.note())
    return {CHILD_SECONDS: used}


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the `documents` file of a part.

    Returns:
        `fates`: records by fate; the offsets where the part begins and ends stand in the file's state.
    """
    state = PartState(task["fingerprint"])
    skipped: list[dict[str, Any]] = []
    first: int | None = None
    following: int | None = (
        task["start"] if task["exact"] else None
    )  # where the next record must begin, if known
    with kept_guard(task["guard"]) as guard, PartWriter(task["output"], DOCUMENTS, state) as writer:
        begun = guard.cpu_seconds()
        for piece in task["slices"]:
            if following is not None and following >= piece["end"]:
                continue  # a record of an earlier slice reaches beyond this one
            note = _read_note(piece["slice_file"], task["slice_fingerprint"])
            if note is not None and following in {None, note["first_offset"]}:
                with pa.OSFile(piece["slice_file"]) as source:
                    batches = pa.ipc.open_file(source)
                    for number in range(batches.num_record_batches):
                        writer.write(batches.get_batch(number))
            else:
                start = piece["start"] if following is None else max(following, piece["start"])
                reading = _Reading(task, start, piece["end"], guard, report, exact=following is not None)
                for batch in reading.batches():
                    writer.write(batch)
                note = reading.note()
            skipped += note["skipped"]
            first = note["first_offset"] if first is None else first
            following = max(following or 0, note["next_offset"])
        state.more = {
            "skipped": skipped,
            "first_offset": first,
            "next_offset": following,
            "file": task["shown"],
        }
        used = guard.cpu_seconds() - begun
    for piece in task["slices"]:
        remove(piece["slice_file"])
        remove(_note_name(piece["slice_file"]))
    return {"fates": state.fates(), CHILD_SECONDS: used}


def _note_name(slice_file: str) -> str:
    return slice_file + ".json"


def _read_note(slice_file: str, fingerprint: str) -> dict[str, Any] | None:
    if not (exists(slice_file) and exists(_note_name(slice_file))):
        return None
    with open_input(_note_name(slice_file)) as stream:
        note: dict[str, Any] = json.loads(stream.read())
    return note if note["fingerprint"] == fingerprint else None


class _Reading:
    """One pass over a byte range: batches of rows, and afterwards what was skipped and where it ended."""

    def __init__(
        self, task: Task, start: int, end: int | None, guard: Guard, report: Report, *, exact: bool = False
    ) -> None:
        self._task = task
        self._range = start, end, exact
        self._guard = guard
        self._report = report
        self._skipped: list[Skipped] = []
        self._reader: Reader | None = None

    def note(self) -> dict[str, Any]:
        return {
            "fingerprint": self._task["slice_fingerprint"],
            "first_offset": None if self._reader is None else self._reader.first_offset,
            "next_offset": self._range[1] if self._reader is None else self._reader.next_offset,
            "skipped": [{"file": self._task["shown"], **asdict(item)} for item in self._skipped],
        }

    def batches(self) -> Iterator[pa.RecordBatch]:
        start, end, exact = self._range
        rows = _Rows(self._task)
        if "captures" in self._task:
            yield from self._selected(rows)
            return
        with open_input(self._task["file"]) as stream:
            place = FileRange(
                stream, self._task["shown"], self._task["size"], start, end, exact, self._selection()
            )
            self._reader = reader_for(
                self._task["format"], place, options=ReaderOptions(JsonlFields(**self._task["reader"]))
            )
            for group in self._groups(self._reader):
                rows.add(group, self._guard)
                self._report(len(group), sum(record.length for record in group))
                if rows.full():
                    yield rows.take()
        if len(rows):
            yield rows.take()

    def _selected(self, rows: "_Rows") -> Iterator[pa.RecordBatch]:
        """Read only the records that an index selected."""
        from pipeline.sources.cdx_reader import read_selected

        with open_input(self._task["captures"]) as stream:
            captures = pq.read_table(pa.PythonFile(stream))
        records = (
            record for _, record in read_selected(captures, self._task["base_url"], records=self._selection())
        )
        for group in self._groups(records):
            rows.add(group, self._guard)
            self._report(len(group), sum(record.length for record in group))
            if rows.full():
                yield rows.take()
        if len(rows):
            yield rows.take()

    def _selection(self) -> Selection:
        return Selection(
            statuses=frozenset(self._task["statuses"]),
            media_types=frozenset(self._task["media_types"]),
            max_bytes=self._task["max_bytes"],
        )

    def _groups(self, reader: Iterable[Record | Skipped]) -> Iterator[list[Record]]:
        group: list[Record] = []
        size = 0
        for item in reader:
            if isinstance(item, Skipped):
                self._skipped.append(item)
                continue
            group.append(item)
            size += len(item.body or b"") + len(item.text or "")
            if size >= _BATCH_BYTES or len(group) >= _BATCH_ROWS:
                yield group
                group, size = [], 0
        if group:
            yield group


class _Rows:
    """Collects the rows of a row group."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._clear()

    def _clear(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in DOCUMENTS.names}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._columns["id"])

    def full(self) -> bool:
        return self._bytes >= _GROUP_BYTES or len(self) >= _GROUP_ROWS

    def add(self, records: list[Record], guard: Guard) -> None:
        pages = [
            Page(record.body, record.charset, record.mime, record.robots, record.truncated is not None)
            for record in records
            if record.body is not None and record.fate == "kept"
        ]
        results = iter(guard.extract(pages))
        for record in records:
            if record.body is not None and record.fate == "kept":
                self._append(record, next(results))
            elif record.text is not None and record.fate == "kept":
                self._append(record, _ready_text(record.text))
            else:
                self._append(record, None)

    def take(self) -> pa.RecordBatch:
        arrays = [pa.array(self._columns[field.name], field.type) for field in DOCUMENTS]
        self._clear()
        return pa.record_batch(arrays, schema=DOCUMENTS)

    def _append(self, record: Record, found: Extracted | None) -> None:
        shown = self._task["shown"]
        values: dict[str, Any] = {
            "id": record.id or document_id(self._task["source"], shown, record.offset, record.index),
            "url": record.url,
            "timestamp": record.timestamp,
            "origin": {"file": shown, "offset": record.offset, "length": record.length},
            "http_status": record.http_status,
            "mime": record.mime,
            "charset": record.charset,
            "title": record.title,
            "truncated": record.truncated,
            "fate": record.fate,
            "rule": record.rule,
            "detail": record.detail,
        }
        if found is not None:
            self._bytes += len(found.text or "")
            values |= {
                "text": found.text,
                "title": found.title or record.title,
                "charset": found.charset or record.charset,
                "charset_from": found.charset_from,
                "extractor": found.extractor,
                "opt_out": list(found.opt_out),
                "fate": found.fate,
                "rule": found.rule,
                "detail": found.detail,
            }
        for name, column in self._columns.items():
            column.append(values.get(name))


def _ready_text(text: str) -> Extracted:
    whole = normalise_text(text)
    if not whole:
        return Extracted(fate="removed", rule="no_text")
    return Extracted(text=whole)

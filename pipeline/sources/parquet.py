"""Parquet files: one document a row, read in small batches."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.sources.jsonl import JsonlFields, json_record
from pipeline.sources.record import FileRange, Record, Skipped

_BATCH_ROWS = 512
_STRINGS = (pa.string(), pa.large_string(), pa.string_view())


class ParquetReader:
    """Reads all rows of a file; the range that begins at 0 has them, the others none; implements `Reader`.

    A record's `offset` is 0 and its `index` the number of its row. A file without a readable footer gives one
    `Skipped` for all of it; a damaged row group one `Skipped` for its bytes; a file without the text column one
    `Skipped` that names the columns it has, since no row of it can be a document. Rows whose text is null are
    `failed` as `no_text_field`.
    """

    def __init__(self, file_range: FileRange, fields: JsonlFields | None = None) -> None:
        self._range = file_range
        self._fields = fields or JsonlFields()
        self.first_offset: int | None = None
        self.next_offset = file_range.start

    def __iter__(self) -> Iterator[Record | Skipped]:
        given = self._range
        self.next_offset = given.size if given.end is None else min(given.end, given.size)
        if given.start > 0 or given.size == 0:
            return
        self.first_offset, self.next_offset = 0, given.size
        given.stream.seek(0)
        try:
            file = pq.ParquetFile(given.stream)
        except (pa.ArrowException, OSError) as error:
            yield Skipped(0, given.size, f"no parquet file: {_line(error)}")
            return
        columns = self._columns(file.schema_arrow)
        if columns is None:
            names = ", ".join(file.schema_arrow.names[:20])
            yield Skipped(0, given.size, f"no text column `{self._fields.text}`; columns: {names}")
            return
        index = 0
        for group in range(file.metadata.num_row_groups):
            done = 0
            rows = file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(
                    _BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False
                ):
                    for value in batch.to_pylist():
                        yield self._row(value, index + done)
                        done += 1
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                yield self._lost(file, group, done, error)
            index += rows

    def _columns(self, schema: pa.Schema) -> list[str] | None:
        top = {name: name.partition(".")[0] if name not in schema.names else name for name in self._names()}
        if top[self._fields.text] not in schema.names:
            return None
        return sorted({column for column in top.values() if column in schema.names})

    def _names(self) -> list[str]:
        fields = self._fields
        return [fields.text, fields.id, fields.url, fields.title, fields.timestamp]

    def _row(self, value: dict[str, Any], index: int) -> Record:
        record = json_record(value, self._fields, self._range.selection.max_bytes)
        record.index, record.length = index, self._range.size
        if record.fate != "kept":
            record.detail = f"row {index + 1}: {record.detail}"
        return record

    def _lost(self, file: pq.ParquetFile, group: int, done: int, error: Exception) -> Skipped:
        meta = file.metadata.row_group(group)
        chunks = [meta.column(column) for column in range(meta.num_columns)]
        starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
        ends = [start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True)]
        reason = f"row group {group}: {meta.num_rows - done} of {meta.num_rows} rows: {_line(error)}"
        return Skipped(min(starts), max(ends) - min(starts), reason)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

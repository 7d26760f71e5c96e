import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources.jsonl import JsonlFields
from pipeline.sources.parquet import ParquetReader
from pipeline.sources.record import Selection
from tests.pipeline.sources.archives import kept, read, records, skipped


def parquet(rows: int, **columns: list) -> bytes:
    out = io.BytesIO()
    table = pa.table({"text": [f"text {n}" for n in range(rows)], "id": list(range(rows)), **columns})
    pq.write_table(table, out, row_group_size=400, compression="none", use_dictionary=False)
    return out.getvalue()


def test_rows_are_documents_in_order():
    items = read(parquet(1000, url=[f"http://example.org/{n}" for n in range(1000)]), reader=ParquetReader)
    assert [record.text for record in kept(items)] == [f"text {n}" for n in range(1000)]
    assert [record.index for record in records(items)] == list(range(1000))
    assert records(items)[7].id == "7"
    assert records(items)[7].url == "http://example.org/7"


def test_only_the_first_range_reads():
    data = parquet(10)
    assert len(read(data, end=50, reader=ParquetReader)) == 10
    assert read(data, start=50, reader=ParquetReader) == []


def test_nulls_fail_and_long_texts_are_removed():
    data = parquet(3, body=[None, "x" * 20, "y"])
    fields = JsonlFields(text="body")
    items = records(
        read(data, reader=lambda part: ParquetReader(part, fields), selection=Selection(max_bytes=10))
    )
    assert [(record.fate, record.rule) for record in items] == [
        ("failed", "no_text_field"),
        ("removed", "too_large"),
        ("kept", None),
    ]
    assert items[0].detail == "row 1: expected a string in `body`, found nothing"


def test_text_in_a_struct_is_found():
    data = parquet(2, doc=[{"body": "a"}, {"body": "b"}])
    items = kept(read(data, reader=lambda part: ParquetReader(part, JsonlFields(text="doc.body"))))
    assert [record.text for record in items] == ["a", "b"]


def test_a_missing_text_column_is_named():
    [lost] = read(parquet(2), reader=lambda part: ParquetReader(part, JsonlFields(text="body")))
    assert lost.reason == "no text column `body`; columns: text, id"


@pytest.mark.parametrize("data", [b"PAR1", b"not parquet at all", parquet(1000)[:-300], b"PAR1" * 100])
def test_a_file_without_a_footer_is_lost_as_a_whole(data):
    [lost] = read(data, reader=ParquetReader)
    assert (lost.offset, lost.length) == (0, len(data))
    assert lost.reason.startswith("no parquet file: ")


def test_a_damaged_row_group_costs_itself():
    data = bytearray(parquet(1200))
    meta = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(1).column(0)
    data[meta.data_page_offset : meta.data_page_offset + 40] = b"\xff" * 40
    items = read(bytes(data), reader=ParquetReader)
    assert [record.index for record in kept(items)] == [*range(400), *range(800, 1200)]
    [lost] = skipped(items)
    assert lost.offset == meta.data_page_offset
    assert lost.reason.startswith("row group 1: 400 of 400 rows: ")

import pytest

from pipeline.sources.plain_text import TextReader
from pipeline.sources.record import Selection
from tests.pipeline.sources.archives import gz, kept, lz4, read, skipped, zst

TEXT = "Grüße aus der Datei.\n".encode("latin-1") * 500


@pytest.mark.parametrize("pack", [bytes, gz, zst, lz4])
def test_a_file_is_one_document(pack):
    data = pack(TEXT)
    [record] = read(data, reader=TextReader)
    assert (record.body, record.mime, record.offset, record.length) == (TEXT, "text/plain", 0, len(data))
    assert read(data, start=10, reader=TextReader) == []


def test_an_empty_file_is_none_and_a_large_one_removed():
    assert read(b"", reader=TextReader) == []
    [record] = read(gz(bytes(10_000_000)), reader=TextReader, selection=Selection(max_bytes=1000))
    assert (record.fate, record.rule, record.body) == ("removed", "too_large", None)


def test_a_cut_file_gives_its_beginning():
    data = zst(bytes(range(256)) * 2000 + TEXT)
    items = read(data[:-20], reader=TextReader)
    assert all(record.truncated == "cut_record" for record in kept(items))
    assert len(skipped(items)) == 1

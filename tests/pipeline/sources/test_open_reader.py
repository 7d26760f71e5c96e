import io

import pytest

from pipeline.errors import UsageError
from pipeline.sources.jsonl import JsonlFields
from pipeline.sources.open_reader import FORMATS, ReaderOptions, is_splittable, reader_for
from pipeline.sources.record import FileRange
from tests.pipeline.sources.archives import gz, http, page, warc


def place(data: bytes) -> FileRange:
    return FileRange(io.BytesIO(data), "made", len(data))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_accounts_for_an_empty_file(name):
    reader = reader_for(name, place(b""))
    assert list(reader) == []
    assert reader.next_offset == 0


def test_options_reach_the_reader():
    options = ReaderOptions(fields=JsonlFields(text="body"))
    [record] = reader_for("jsonl", place(b'{"body": "x"}'), options=options)
    assert record.text == "x"


def test_an_unknown_format_is_named():
    with pytest.raises(
        UsageError, match="unknown format `warcs`; known formats: warc, wet, arc, jsonl, parquet, text"
    ):
        reader_for("warcs", place(b""))


@pytest.mark.parametrize(
    ("name", "head", "may"),
    [
        ("warc", gz(warc(http(page(0)))), True),
        ("arc", b"filedesc:", True),
        ("jsonl", b'{"text', True),
        ("jsonl", gz(b"x"), False),
        ("jsonl", b"\x28\xb5\x2f\xfd", False),
        ("parquet", b"PAR1", False),
        ("text", b"text", False),
    ],
)
def test_what_may_be_split(name, head, may):
    assert is_splittable(name, head) is may

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.jsonl import JsonlFields, JsonlReader
from pipeline.sources.record import Selection
from tests.pipeline.sources.archives import gz, kept, lz4, read, read_in_ranges, records, skipped, zst
from tests.shared_data import shared


def rows(count: int) -> list[dict[str, str]]:
    return [
        {"id": f"row-{number}", "text": f"text é {number} " * (number % 7 + 1)} for number in range(count)
    ]


def lines(values: list[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


@pytest.mark.parametrize("pack", [bytes, gz, zst, lz4, lambda data: gz(data[:50]) + gz(data[50:])])
def test_lines_are_documents_whatever_the_compression(pack):
    items = read(pack(lines(rows(50))), reader=JsonlReader)
    assert [{"id": record.id, "text": record.text} for record in kept(items)] == rows(50)
    assert len(items) == 50


def test_the_last_line_needs_no_end_and_empty_lines_are_none():
    data = b"\xef\xbb\xbf" + lines(rows(2)).replace(b"\n", b"\r\n\r\n").rstrip()
    assert [record.id for record in kept(read(data, reader=JsonlReader))] == ["row-0", "row-1"]


@pytest.mark.parametrize(
    ("line", "rule", "detail"),
    [
        (b'{"text": ', "bad_json", "line 2: Expecting value at character 9 of the line"),
        (b'{"text": "\xff"}', "bad_utf8", "line 2: invalid start byte at byte 10 of the line"),
        (b'["text"]', "no_object", "line 2: expected an object, found an array"),
        (b"7", "no_object", "line 2: expected an object, found a number"),
        (b'{"txt": "x"}', "no_text_field", "line 2: expected a string in `text`, found nothing"),
        (b'{"text": 7}', "no_text_field", "line 2: expected a string in `text`, found a number"),
        (b'{"text": {"a": 1}}', "no_text_field", "line 2: expected a string in `text`, found an object"),
        (b"[" * 100_000, "bad_json", "line 2: nested too deeply"),
        (b"9" * 10_000, "no_object", "line 2: expected an object, found a number"),
    ],
)
def test_a_bad_line_is_one_failed_record(line, rule, detail):
    first, last = lines(rows(1)), lines(rows(1))
    items = records(read(first + line + b"\n" + last, reader=JsonlReader))
    assert [record.fate for record in items] == ["kept", "failed", "kept"]
    assert (items[1].rule, items[1].detail, items[1].text) == (rule, detail, None)


def test_fields_have_other_names_and_lead_into_objects():
    value = {"body": "t", "meta": {"url": "http://example.org/", "date": "2024-01-01"}, "n": 12, "head": "T"}
    fields = JsonlFields(text="body", id="n", url="meta.url", title="head", timestamp="meta.date")
    [record] = read(json.dumps(value).encode(), reader=lambda part: JsonlReader(part, fields))
    assert (record.text, record.id, record.url, record.title, record.timestamp) == (
        "t",
        "12",
        "http://example.org/",
        "T",
        "2024-01-01",
    )


def test_lone_surrogates_are_replaced():
    [record] = read(rb'{"text": "a\ud800b", "id": "\udfff", "title": "\ud83d\ude00"}', reader=JsonlReader)
    assert (record.text, record.id, record.title) == ("a\ufffdb", "\ufffd", "\U0001f600")


def test_texts_and_lines_beyond_the_limit_are_removed():
    small = Selection(max_bytes=1000)
    data = lines([{"text": "x" * 1001}, {"text": "é" * 501}, {"text": "é" * 500}, {"text": "x" * 3_000_000}])
    items = records(read(data, reader=JsonlReader, selection=small))
    assert [(record.fate, record.rule) for record in items] == [
        ("removed", "too_large"),
        ("removed", "too_large"),
        ("kept", None),
        ("removed", "too_large"),
    ]
    assert items[3].detail == "line 4: line of more than 1054576 bytes"


@pytest.mark.parametrize("pack", [gz, zst])
def test_a_cut_file_gives_what_could_be_read_and_what_not(pack):
    # Several blocks of 128 KiB, the least that zstd gives out.
    noise = [
        {"id": str(number), "text": random.Random(number).randbytes(2000).hex()} for number in range(300)
    ]
    data = pack(lines(noise))
    items = read(data[: len(data) // 2], reader=JsonlReader)
    assert 50 < len(kept(items)) < 200
    assert [record.id for record in kept(items)] == [str(number) for number in range(len(kept(items)))]
    [lost] = skipped(items)
    assert lost.reason.endswith(": cut")
    assert lost.length > 0


def test_a_corrupt_file_gives_what_came_before():
    noise = [{"id": str(number), "text": random.Random(number).randbytes(200).hex()} for number in range(300)]
    first, second = gz(lines(noise[:100])), gz(lines(noise[100:]))
    items = read(first + second[:4000] + bytes(50) + second[4000:], reader=JsonlReader)
    assert len(kept(items)) >= 100
    assert len(skipped(items)) == 1


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=8), st.booleans())
def test_ranges_together_are_the_whole_file(cuts, ended):
    data = lines(rows(60)) + b"not json\n\n" + lines(rows(3))
    data = data if ended else data[:-1]
    items, again = read_in_ranges(data, [cut for cut in cuts if cut <= len(data)], reader=JsonlReader)
    place = [(record.offset, record.length, record.id, record.fate) for record in records(items)]
    expected = read(data, reader=JsonlReader)
    assert place == [(record.offset, record.length, record.id, record.fate) for record in records(expected)]
    assert not again


def test_real_articles_are_all_read():
    path = shared("ref/articles/articles.jsonl.gz")
    expected = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    items = kept(read(path.read_bytes(), reader=JsonlReader))
    assert [record.text for record in items] == [row["text"] for row in expected]
    assert [record.id for record in items] == [row["id"] for row in expected]

"""The run of healthy gzip members against the reader that takes each member apart step by step."""

import io
import zlib
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.sources.fast_members import read_run
from pipeline.sources.record import FileRange, Record, Selection, Skipped
from pipeline.sources.stored import StoredBytes
from pipeline.sources.warc import WarcReader
from tests.pipeline.sources.archives import gz, http, page, pages, read, warc

LIMIT = 6 << 20


class StepByStep(WarcReader):
    def _run(self, *_):
        return iter(())


def read_slowly(data: bytes):
    return list(StepByStep(FileRange(io.BytesIO(data), "made", len(data))))


def run(data: bytes, limit: int = LIMIT) -> list[Record]:
    stored = StoredBytes(io.BytesIO(data), len(data))
    return list(read_run(stored, 0, len(data), limit=limit, selection=Selection()))


def packed(record: bytes, level: int) -> bytes:
    squeeze = zlib.compressobj(level, zlib.DEFLATED, 31)
    return squeeze.compress(record) + squeeze.flush()


def test_a_healthy_file_is_read_to_its_last_record():
    data = b"".join(map(gz, pages(40)))
    assert run(data) == read_slowly(data)
    assert [record.url for record in run(data)] == [f"http://example.org/{number}" for number in range(40)]


def test_members_across_and_larger_than_the_steps_of_reading():
    members = [
        gz(warc(http(page(n, size)), number=n)) for n, size in enumerate([700_000, 900, 1_500_000, 900])
    ]
    data = b"".join(members)
    assert max(map(len, members)) > 256 << 10
    assert len(run(data)) == 4
    assert run(data) == read_slowly(data)


@pytest.mark.parametrize("width", [4, 8, 30])
def test_bytes_behind_a_trailer_are_seen_even_if_they_repeat_it(width):
    members = [gz(record) for record in pages(4)]
    garbage = (b"some garbage between members" + members[1][-8:])[-width:]
    data = members[0] + members[1] + garbage + members[2] + members[3]
    assert len(run(data)) == 1
    items = read(data)
    assert items == read_slowly(data)
    lost = [(item.offset, item.length) for item in items if isinstance(item, Skipped)]
    assert lost == [(len(members[0]) + len(members[1]), width)]


@pytest.mark.parametrize("field", [slice(-8, -4), slice(-4, None)])
def test_a_wrong_trailer_ends_the_run(field):
    members = [bytearray(gz(record)) for record in pages(3)]
    members[1][field] = bytes(byte ^ 1 for byte in members[1][field])
    assert len(run(b"".join(members))) == 1


def test_a_magic_inside_a_member_ends_no_member():
    inside = warc(http(b"<html>" + b"\x1f\x8b\x08" + bytes(40)), number=7)
    data = gz(pages(1)[0]) + packed(inside, 0) + gz(pages(1)[0])
    assert data.count(b"\x1f\x8b\x08") == 4
    assert len(run(data)) == 3
    assert run(data) == read_slowly(data)


def test_a_member_over_the_limit_is_left_to_the_caller():
    sizes = [len(record) for record in pages(2)]
    data = b"".join(map(gz, pages(2)))
    assert len(run(data, limit=max(sizes))) == 2
    assert run(data, limit=min(sizes) - 1) == []


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 40),
    st.sampled_from([b"", b"\0", b"\0" * 512, b"\x1f\x8b\x08", b"\r\n\r\n", b"WARC/1.0\r\n"])
    | st.binary(max_size=12),
    st.sampled_from([0, 1, 6]),
)
@example(0, 0, b"", 6)
def test_whatever_is_overwritten_both_ways_read_the_same(at, cut, put, level):
    data = b"".join(packed(record, level) for record in pages(5))
    at %= len(data)
    data = data[:at] + put + data[at + cut :]
    assert read(data) == read_slowly(data)


def test_a_range_gives_the_records_that_begin_in_it():
    members = [gz(record) for record in pages(6)]
    data = b"".join(members)
    place = FileRange(io.BytesIO(data), "made", len(data))
    third = len(members[0]) + len(members[1]) + 1
    first = list(WarcReader(replace(place, end=third)))
    assert len(first) == 3
    assert [*first, *WarcReader(replace(place, start=third))] == run(data)

"""Selection by index and the range reads it leads to, over indexes made here for made and real archives."""

import datetime as dt
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.errors import UsageError
from pipeline.sources.cdx import CAPTURES, IndexCounts, capture_of_line, read_captures
from pipeline.sources.cdx_reader import CdxReader, read_selected
from pipeline.sources.cdx_select import IndexFilter, SelectCounts, runs, select
from pipeline.sources.record import FileRange, Record
from pipeline.sources.reddit import read_links
from pipeline.sources.stored import StoredBytes
from pipeline.sources.warc import WarcReader
from pipeline.sources.webtext import LinkTable
from tests.shared_data import shared

ALL = IndexFilter(statuses=frozenset(), media_types=frozenset())


def entry(n: int, **fields: Any) -> dict[str, Any]:
    return {
        "url": f"http://site{n % 4}.example.org/{n}", "mime": "text/html", "mime-detected": "text/html", "status": "200",
        "languages": "eng", "length": "100", "offset": str(1000 * n), "filename": f"crawl/{n % 2}.warc.gz", **fields,
    }  # fmt: skip


def cdxj(entries: list[dict[str, Any]], timestamp: str = "20200115000000") -> bytes:
    return b"".join(f"org,example)/ {timestamp} {json.dumps(item)}\n".encode() for item in entries)


def read(data: bytes) -> tuple[list[pa.RecordBatch], IndexCounts]:
    counts = IndexCounts()
    return list(read_captures(io.BytesIO(data), "index", len(data), counts)), counts


def chosen(data: bytes, keep: IndexFilter) -> tuple[list[str], SelectCounts]:
    counts = SelectCounts()
    table = select(read(data)[0], keep, counts)
    assert counts.captures == counts.selected + counts.duplicate + sum(counts.removed.values())
    return table["url"].to_pylist(), counts


@pytest.mark.parametrize(
    ("fields", "keep", "removed"),
    [
        ({}, IndexFilter(), None),
        ({"status": "404"}, IndexFilter(), "status"),
        ({"status": "-"}, IndexFilter(), "status"),
        ({"status": "404"}, ALL, None),
        ({"mime-detected": "application/pdf"}, IndexFilter(), "mime"),
        ({"mime-detected": None, "mime": "text/html; charset=x"}, IndexFilter(), None),
        ({"languages": "deu,eng"}, IndexFilter(languages=frozenset({"en"})), "language"),
        ({"languages": "eng,deu"}, IndexFilter(languages=frozenset({"en"})), None),
        ({"languages": "zza"}, IndexFilter(languages=frozenset({"zza"})), None),
        ({"languages": None}, IndexFilter(languages=frozenset({"en"})), None),
        ({}, IndexFilter(first_date="20200115", last_date="20200115"), None),
        ({}, IndexFilter(first_date="2020", last_date="2020"), None),
        ({}, IndexFilter(first_date="20200116"), "date"),
        ({}, IndexFilter(last_date="202001"), None),
        ({}, IndexFilter(last_date="20200114"), "date"),
        ({}, IndexFilter(domains=frozenset({"example.org"})), None),
        ({}, IndexFilter(domains=frozenset({"site1.example.org"})), None),
        ({}, IndexFilter(domains=frozenset({"ample.org"})), "domain"),
        ({"url": "http://[x"}, IndexFilter(domains=frozenset({"example.org"})), "domain"),
    ],
)  # fmt: skip
def test_each_filter_removes_what_it_says(
    fields: dict[str, Any], keep: IndexFilter, removed: str | None
) -> None:
    _, counts = chosen(cdxj([entry(1, **fields)]), keep)
    assert counts.selected == (removed is None)
    assert {name for name, number in counts.removed.items() if number} == ({removed} - {None})


def test_pages_that_somebody_linked_to() -> None:
    dump = json.dumps({"url": "https://SITE3.example.org/3#x", "score": 9, "created_utc": 1}).encode()
    links = LinkTable.of(read_links([("dump", StoredBytes(io.BytesIO(dump), len(dump)))])[0])
    urls, counts = chosen(cdxj([entry(n) for n in range(8)]), IndexFilter(links=links))
    assert (urls, counts.removed["url"]) == (["http://site3.example.org/3"], 7)


def test_wrong_filters_are_said() -> None:
    with pytest.raises(UsageError, match="language `xx` has no three-letter code"):
        IndexFilter(languages=frozenset({"xx"}))
    with pytest.raises(UsageError, match="`last year` is no date"):
        IndexFilter(first_date="last year")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bad_lines_are_counted_and_named(pack: type[bytes]) -> None:
    good = cdxj([entry(1)])
    bad = [
        b"no index line\n",
        b"key 20200115000000 {broken\n",
        cdxj([entry(2, offset="-5")]),
        cdxj([entry(3, length="x")]),
        b"\xff\xfe {}\n",
    ]
    batches, counts = read(pack(b" CDX N b a m s k r M S V g\n" + good + b"".join(bad) + good))
    assert (sum(batch.num_rows for batch in batches), counts.captures, counts.bad_lines) == (2, 2, 5)
    assert counts.first_bad == "index: line 3 names no place in a WARC file"


def test_a_line_of_eleven_fields_is_read_too() -> None:
    line = (
        b"org,example)/ 20131120231301 http://example.org/ text/html 200 SHA1 - - 2641 4132 crawl/a.warc.gz"
    )
    assert capture_of_line(line) == (
        "http://example.org/", "20131120231301", 200, "text/html", None, "crawl/a.warc.gz", 4132, 2641,
    )  # fmt: skip


def columnar(entries: list[dict[str, Any]], **more: Any) -> bytes:
    """The layout of Common Crawl's table, as far as it is read, and a column of it that is not."""
    when = dt.datetime(2020, 1, 15, tzinfo=dt.UTC).replace(tzinfo=None)
    table = pa.table(
        {
            "url_surtkey": ["org,example)/" for _ in entries],
            "url": [item["url"] for item in entries],
            "fetch_time": pa.array([when for _ in entries], pa.timestamp("ms")),
            "fetch_status": pa.array([int(item["status"]) for item in entries], pa.int16()),
            "content_mime_type": [item["mime"] for item in entries],
            "content_mime_detected": [item["mime-detected"] for item in entries],
            "content_languages": [item["languages"] for item in entries],
            "warc_filename": [item["filename"] for item in entries],
            "warc_record_offset": pa.array([int(item["offset"]) for item in entries], pa.int32()),
            "warc_record_length": pa.array([int(item["length"]) for item in entries], pa.int32()),
            **more,
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


ENTRIES = st.lists(
    st.builds(
        lambda n, status, mime, languages: entry(
            n, status=status, languages=languages, **{"mime-detected": mime}
        ),
        st.integers(0, 30),
        st.sampled_from(["200", "404"]),
        st.sampled_from(["text/html", "image/png", "TEXT/HTML"]),
        st.sampled_from(["eng", "deu,eng", None]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(ENTRIES)
def test_both_kinds_of_index_select_alike(entries: list[dict[str, Any]]) -> None:
    keep = IndexFilter(languages=frozenset({"en"}))
    counts = SelectCounts()
    lines = select(read(cdxj(entries))[0], keep, counts)
    table = select(read(columnar(entries))[0], keep, SelectCounts())
    assert table == lines
    places = list(zip(lines["filename"].to_pylist(), lines["offset"].to_pylist(), strict=True))
    assert places == sorted(set(places))
    assert (
        counts.captures == len(entries) == counts.selected + counts.duplicate + sum(counts.removed.values())
    )


def test_other_parquet_files_are_refused() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"url": ["x"]}), sink)
    with pytest.raises(
        UsageError, match="index: no columnar index of a crawl: it has no column `warc_filename`"
    ):
        read(sink.getvalue())
    with pytest.raises(UsageError, match="index: damaged Parquet file"):
        read(columnar([entry(1)])[:-20])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 10_000), st.integers(1, 300)), max_size=40),
    st.integers(0, 500),
)
def test_runs_cover_every_record_and_no_wide_gap(places: list[tuple[str, int, int]], gap: int) -> None:
    rows = [
        {"url": "u", "timestamp": "t", "filename": name, "offset": offset, "length": length}
        for name, offset, length in sorted({(name, offset): (name, offset, length) for name, offset, length in places}.values())
    ]  # fmt: skip
    found = runs(pa.Table.from_pylist(rows, CAPTURES), gap=gap, max_bytes=2000)
    assert [row for run in found for row in range(run.first, run.stop)] == list(range(len(rows)))
    for run in found:
        inside = rows[run.first : run.stop]
        assert {row["filename"] for row in inside} == {run.filename}
        assert (run.start, run.end) == (
            inside[0]["offset"],
            max(row["offset"] + row["length"] for row in inside),
        )
        assert run.end - run.start <= 2000


def page(url: str, body: str) -> tuple[str, bytes]:
    return url, f"<html><body>{body}</body></html>".encode()


def archive(path: Path, pages: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """Write a WARC file and return its index, places as warcio counts them."""
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for url, body in pages:
            head = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=head)
            )
    return index_of(path)


def index_of(path: Path, name: str | None = None) -> list[dict[str, Any]]:
    entries = []
    with path.open("rb") as stream:
        iterator = ArchiveIterator(stream)
        for record in iterator:
            kind, url = record.rec_type, record.rec_headers.get_header("WARC-Target-URI")
            media_type = (
                (record.http_headers.get_header("Content-Type") or "").partition(";")[0]
                if record.http_headers
                else ""
            )
            status = record.http_headers.get_statuscode() if record.http_headers else ""
            offset = iterator.get_record_offset()
            length = iterator.get_record_length()
            if kind == "response":
                item = {
                    "url": url,
                    "mime": media_type,
                    "status": status,
                    "offset": str(offset),
                    "length": str(length),
                }
                entries.append({**item, "filename": name or path.name})
    return entries


def whole(path: Path) -> dict[int, Record]:
    with path.open("rb") as stream:
        reader = WarcReader(FileRange(stream, path.name, path.stat().st_size))
        return {record.offset: record for record in reader if isinstance(record, Record)}


def test_only_the_selected_ranges_are_read(tmp_path: Path) -> None:
    entries = archive(
        tmp_path / "a.warc.gz",
        [page(f"http://example.org/{n}", random.Random(n).randbytes(8000).hex()) for n in range(40)],
    )
    picked = select(read(cdxj([entries[3], entries[30]]))[0], ALL, SelectCounts())

    class Watched(io.BytesIO):
        got = 0

        def readinto(self, buffer: Any) -> int:
            count = super().readinto(buffer)
            self.got += count
            return count

        def read(self, _size: int | None = -1) -> bytes:
            raise AssertionError("reads ahead")

    stream = Watched((tmp_path / "a.warc.gz").read_bytes())
    records = list(CdxReader(stream, "a.warc.gz", picked))
    assert [record.url for record in records] == ["http://example.org/3", "http://example.org/30"]
    assert records == [whole(tmp_path / "a.warc.gz")[record.offset] for record in records]
    assert stream.got < len(stream.getvalue()) // 10
    assert stream.got == sum(run.end - run.start for run in runs(picked))


def test_a_wrong_index_fails_record_by_record(tmp_path: Path) -> None:
    entries = archive(
        tmp_path / "a.warc.gz", [page(f"http://example.org/{n}", f"page {n}") for n in range(6)]
    )
    size = (tmp_path / "a.warc.gz").stat().st_size
    entries[1]["offset"] = str(int(entries[1]["offset"]) + 5)
    entries[2]["url"] = "http://other.example/"
    entries[3]["length"] = str(int(entries[3]["length"]) - 20)
    entries[5]["offset"] = str(size + 1000)
    picked = select(read(cdxj(entries))[0], ALL, SelectCounts())
    found = {
        record.url: (record.fate, record.rule, record.truncated is not None)
        for _, record in read_selected(picked, str(tmp_path))
    }
    assert found == {
        "http://example.org/0": ("kept", None, False),
        "http://example.org/1": ("failed", "bad_index", False),
        "http://other.example/": ("failed", "wrong_record", False),
        "http://example.org/3": ("kept", None, True),
        "http://example.org/4": ("kept", None, False),
        "http://example.org/5": ("failed", "bad_index", False),
    }
    details = [
        record.detail for _, record in read_selected(picked, str(tmp_path)) if record.rule == "bad_index"
    ]
    assert details == [
        f"a.warc.gz: offset {entries[1]['offset']}: no WARC record begins there",
        f"a.warc.gz: offset {size + 1000}: the file ends before it",
    ]


def test_a_missing_file_fails_its_rows_and_paths_stay_inside(tmp_path: Path) -> None:
    entries = archive(tmp_path / "a.warc.gz", [page("http://example.org/", "x")])
    rows = [
        *entries,
        {**entries[0], "filename": "absent.warc.gz"},
        {**entries[0], "filename": "../a.warc.gz"},
    ]
    picked = select(read(cdxj(rows))[0], ALL, SelectCounts())
    found = {name: record.rule for name, record in read_selected(picked, str(tmp_path))}
    assert found == {
        "a.warc.gz": None,
        "absent.warc.gz": "unreadable_file",
        "../a.warc.gz": "unreadable_file",
    }


def test_an_oversized_row_is_not_read(tmp_path: Path) -> None:
    entries = archive(tmp_path / "a.warc.gz", [page("http://example.org/", "x")])
    entries[0]["length"] = str(1 << 40)
    picked = select(read(cdxj(entries))[0], ALL, SelectCounts())
    assert [record.rule for _, record in read_selected(picked, str(tmp_path))] == ["too_large"]


def test_a_real_shard_by_its_index_equals_a_full_scan() -> None:
    path = shared("crawl/small")
    (file,) = path.glob("*.warc.gz")
    entries = index_of(file, f"small/{file.name}")
    counts = SelectCounts()
    picked = select(read(cdxj(entries))[0], IndexFilter(), counts)
    scanned = whole(file)
    expected = [
        record
        for record in scanned.values()
        if record.http_status == 200 and record.url in set(picked["url"].to_pylist())
    ]
    records = [record for _, record in read_selected(picked, str(path.parent))]
    assert len(records) == counts.selected > 140
    assert records == [record for record in expected if record.offset in set(picked["offset"].to_pylist())]

"""The range reads that a selection leads to, over made and real archives."""

import io
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.sources.cdx import CAPTURES
from pipeline.sources.cdx_reader import CdxReader, read_selected
from pipeline.sources.cdx_select import IndexFilter, SelectCounts, runs, select
from pipeline.sources.record import FileRange, Record
from pipeline.sources.warc import WarcReader
from tests.pipeline.sources.indexes import cdxj, read
from tests.shared_data import shared

ALL = IndexFilter(statuses=frozenset(), media_types=frozenset())


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

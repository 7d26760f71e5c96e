"""Selection by index, over indexes made here."""

import datetime as dt
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.sources.cdx import capture_of_line
from pipeline.sources.cdx_select import IndexFilter, SelectCounts, select
from pipeline.sources.reddit import read_links
from pipeline.sources.stored import StoredBytes
from pipeline.sources.webtext import LinkTable
from tests.pipeline.sources.indexes import cdxj, entry, read

ALL = IndexFilter(statuses=frozenset(), media_types=frozenset())


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

import hashlib
import io
import json
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from pipeline.sources.arc import ArcReader
from pipeline.sources.record import FileRange, Selection
from pipeline.sources.warc import WarcReader, read_record
from pipeline.sources.warc_fields import normal_date
from tests.pipeline.sources.archives import (
    Item,
    gz,
    http,
    kept,
    lz4,
    numbers,
    page,
    pages,
    read,
    records,
    skipped,
    tiles,
    warc,
    whole,
    zst,
    zst_with_dictionary,
)
from tests.shared_data import shared


def read_file(path: Path, reader: type = WarcReader) -> list[Item]:
    with path.open("rb") as stream:
        return list(reader(FileRange(stream, path.name, path.stat().st_size)))


FORMS = {
    "plain": b"".join,
    "gzip a record": lambda parts: b"".join(map(gz, parts)),
    "gzip whole": lambda parts: gz(b"".join(parts)),
    "gzip two records a member": lambda parts: b"".join(
        gz(b"".join(parts[at : at + 2])) for at in range(0, len(parts), 2)
    ),
    "zstd a record": lambda parts: b"".join(map(zst, parts)),
    "zstd whole": lambda parts: zst(b"".join(parts)),
    "zstd with dictionary": zst_with_dictionary,
    "lz4 a record": lambda parts: b"".join(map(lz4, parts)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_compression_gives_the_same_records(form):
    parts = [*pages(9), warc(b"software: none", kind="warcinfo", number=9, mime="application/warc-fields")]
    items = read(FORMS[form](parts))
    assert numbers(items) == list(range(9))
    assert [record.url for record in kept(items)] == [f"http://example.org/{number}" for number in range(9)]
    assert not skipped(items)
    last = records(items)[-1]
    assert (last.fate, last.rule, last.detail) == ("removed", "record_type", "warcinfo")


def test_a_record_carries_what_its_headers_say():
    robots = ("X-Robots-Tag: noai, noindex", "TDM-Reservation: 1", "tdm-policy: https://example.org/tdm.json")
    block = http(page(1), *robots, mime='Text/HTML; Charset="ISO-8859-1"')
    record = kept(read(warc(block, "WARC-Truncated: time", number=1)))[0]
    assert record.id == "urn:uuid:00000000-0000-4000-8000-000000000001"
    assert record.url == "http://example.org/1"
    assert record.timestamp == "2024-05-17T12:34:56Z"
    assert (record.http_status, record.mime, record.charset) == (200, "text/html", "ISO-8859-1")
    assert record.robots == (
        "x-robots-tag: noai, noindex",
        "tdm-reservation: 1",
        "tdm-policy: https://example.org/tdm.json",
    )
    assert record.truncated == "time"


@pytest.mark.parametrize(
    ("block", "rule", "detail"),
    [
        (http(page(1), status="404 Not Found"), "http_status", "404"),
        (http(page(1), status="20O OK"), "http_status", "HTTP/1.1 20O OK"),
        (http(b"{}", mime="application/json"), "media_type", "application/json"),
        (http(b"%PDF-1.7 ..."), "media_type", "application/pdf (declared text/html)"),
        (http(b"no sign of anything", mime=""), "media_type", "unknown (declared nothing)"),
        (http(b"x" * 5001), "too_large", "5001 bytes"),
    ],
)
def test_what_is_not_selected_is_removed_with_its_rule(block, rule, detail):
    [record] = read(warc(block), selection=Selection(max_bytes=5000))
    assert (record.fate, record.rule, record.detail, record.body) == ("removed", rule, detail, None)


@pytest.mark.parametrize(
    ("mime", "body", "seen"),
    [
        ("", b"\n <!DOCTYPE html><p>x", "text/html"),
        ("application/octet-stream", b"<html><p>x", "text/html"),
        ("html", b"<html><p>x", "text/html"),
        ("text/plain", b"<!doctype html><p>x", "text/html"),
        ("text/plain", b"a <b> c", "text/plain"),
        ("text/html, text/html", b"x", "text/html"),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html/>", "application/xhtml+xml"),
        ("", "\ufeff<html><p>x".encode("utf-16-le"), "text/html"),
    ],
)
def test_media_types_are_seen_where_servers_lie(mime, body, seen):
    [record] = read(warc(http(body, mime=mime)))
    assert (record.fate, record.mime, record.body) == ("kept", seen, body)


def test_identified_payload_type_stands_in_for_a_missing_one():
    [record] = read(warc(http(b"just words", mime=""), "WARC-Identified-Payload-Type: text/plain"))
    assert (record.fate, record.mime) == ("kept", "text/plain")


@pytest.mark.parametrize(
    "data",
    [
        warc(http(page(0)), version="WARC/0.17"),
        warc(http(page(0)), version="WARC/1.1"),
        warc(http(page(0)), "X-Folded: one\r\n\ttwo"),
        warc(http(page(0)), "X-Long: " + "x" * 500_000),
        warc(http(page(0), "X-Long: " + "x" * 1_000_000)),
        warc(http(page(0))).replace(b"WARC-Type", b"warc-type").replace(b"Content-Length", b"content-length"),
        warc(http(page(0)).replace(b"\r\n", b"\n")).replace(b"\r\n", b"\n"),
        warc(http(page(0))).replace(b"http://example.org/0", b"<http://example.org/0>"),
        b"\r\n\r\n" + warc(http(page(0))),
        warc(http(page(0))).removesuffix(b"\r\n\r\n"),
    ],
    ids=[
        "0.17",
        "1.1",
        "folded",
        "long warc",
        "long http",
        "lower",
        "lf",
        "angle",
        "blank first",
        "no trailer",
    ],
)
def test_odd_headers_are_read(data):
    for form in (data, gz(data)):
        [record] = kept(read(form + (gz(warc(http(page(1)), number=1)) if form[:2] == b"\x1f\x8b" else b"")))[
            :1
        ]
        assert (record.url, record.body) == ("http://example.org/0", page(0))


def test_missing_id_date_and_uri_are_none():
    lines = [
        line
        for line in warc(http(page(0))).split(b"\r\n")
        if not line.startswith((b"WARC-R", b"WARC-D", b"WARC-Ta"))
    ]
    [record] = kept(read(b"\r\n".join(lines)))
    assert (record.id, record.timestamp, record.url) == (None, None, None)


@pytest.mark.parametrize(
    ("stated", "normal"),
    [
        ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z"),
        ("2024-02-03T04:05:06.123456Z", "2024-02-03T04:05:06Z"),
        ("2024-02-03", None),
        ("2024-13-03T04:05:06Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_normalised(stated, normal):
    assert normal_date(stated) == normal


def test_a_url_beyond_the_limit_is_removed():
    data = warc(http(page(0))).replace(b"http://example.org/0", b"http://example.org/" + b"a" * 200_000)
    [record] = read(data)
    assert (record.fate, record.rule, record.url) == ("removed", "url_too_long", None)


def test_wet_records_bring_text():
    data = warc("Grüße\n".encode(), kind="conversion", mime="text/plain")
    [record] = kept(read(gz(data)))
    assert (record.text, record.body, record.mime) == ("Grüße\n", None, "text/plain")


@pytest.mark.parametrize("form", FORMS)
def test_a_record_is_found_again_by_its_place(form):
    data = FORMS[form](pages(6))
    for record in kept(read(data)):
        place = (record.offset, record.index)
        assert read_record(io.BytesIO(data), "made", *place, Selection(), size=len(data)) == record
    assert read_record(io.BytesIO(data), "made", 0, 99, Selection(), size=len(data)) is None


def test_empty_file_has_nothing():
    assert read(b"") == []


@pytest.mark.parametrize(
    "data", [b"<html>not found</html>", b"\x00" * 3000, bytes(range(256)) * 9, gz(b"hello")]
)
def test_what_is_no_archive_is_one_lost_range(data):
    [lost] = read(data)
    assert (lost.offset, lost.length) == (0, len(data))


def test_dev_shard_has_the_offsets_of_warcio_and_the_bodies_of_its_list():
    path = shared("crawl/dev/dev-00000.warc.gz")
    items = records(read_file(path))
    ours = {record.offset: record for record in items}
    rows = json.loads((path.parent / "dev-records.json").read_text())
    bodies = {row["record_id"].strip("<>"): row["sha1"] for row in rows if not row["truncated"]}
    with path.open("rb") as stream:
        archive = WarcioIterator(stream)
        for seen, record in enumerate(archive):
            mine = ours[archive.get_record_offset()]
            assert mine is items[seen]
            assert mine.id == record.rec_headers["WARC-Record-ID"].strip("<>")
            assert mine.timestamp == record.rec_headers["WARC-Date"]
            assert mine.url == record.rec_headers["WARC-Target-URI"]
            archive.read_to_end(record)
            assert mine.length == archive.get_record_length()
            if mine.fate == "kept" and mine.truncated is None:
                assert mine.http_status == int(record.http_headers.get_statuscode())
                assert hashlib.sha1(mine.body or b"").hexdigest() == bodies[mine.id]
    assert seen + 1 == len(items) == 1540
    assert tiles(list(items), path.stat().st_size)


# Where our judgement is not EXPECT's: file -> (kept, kept and whole), and why.
JUDGED = {
    # The member's end tells where the record with the short length ends: its page is whole, but marked.
    "warc-content-length-too-short.warc.gz": (2, 1),
    "chunked.warc.gz": (4, 3),  # the page whose chunks are cut is kept, marked `cut_chunks`
    "content-encodings.warc.gz": (15, 14),  # the cut gzip body is kept, marked `cut_encoding`
    "warc-headers-odd.warc.gz": (15, 15),  # all but the record without a type
    "bad-crc.warc.gz": (2, 1),  # data behind a wrong checksum may be wrong, so it is marked
    "wrong-digest.warc.gz": (3, 2),  # one is marked `WARC-Truncated: length`; digests are not checked
    # Two records are larger than max_bytes, in the other file one: removed as `too_large`.
    "one-long-line.warc.gz": (1, 1),
    "bomb-64mb-page.warc.gz": (1, 1),
    "mime-lies.warc.gz": (9, 9),  # an empty and a blank page are kept too; extraction decides
    # A page as `resource`, text of a `conversion`, the first segment of a page (marked) besides the response.
    "record-types.warc.gz": (4, 3),
    # A record cut by the end of the file or by damage is kept with what is there, marked.
    "truncated-last-member.warc.gz": (3, 2),
    "corrupt-middle-member.warc.gz": (3, 2),
    # A length that is too long ends at the next record or with the member: the page is there, marked.
    "warc-content-length-too-long.warc.gz": (3, 2),
    "warc-content-length-huge.warc.gz": (2, 1),
    # In a plain file the next record's start repairs a wrong length.
    "warc-content-length-too-short.warc": (3, 2),
    "warc-content-length-too-long.warc": (3, 2),
}
BAD = [
    "bad-crc.warc.gz", "bomb-64mb-page.warc.gz", "bomb-content-encoding.warc.gz", "charsets.warc.gz",
    "chunked-gzip-br.warc.gz", "chunked.warc.gz", "content-encodings.warc.gz", "control-good.warc.gz",
    "corrupt-middle-member.warc.gz", "deep-nesting.warc.gz", "dictionary.warc.zst",
    "duplicate-ids-and-pages.warc.gz", "empty-member.warc.gz", "empty.warc.gz",
    "garbage-between-members.warc.gz", "html-named-warc.warc.gz", "http-content-length-wrong.warc.gz",
    "huge-http-header-line.warc.gz", "huge-http-header.warc.gz", "huge-url.warc.gz",
    "huge-warc-header.warc.gz", "mime-lies.warc.gz", "missing-http-headers.warc.gz", "one-long-line.warc.gz",
    "only-warcinfo.warc.gz", "plain-named-gz.warc.gz", "random-bytes.warc.gz", "record-types.warc.gz",
    "records.warc.zst", "s3-error-named-warc.warc.gz", "single-member.warc.gz", "statuses.warc.gz",
    "trailing-garbage.warc.gz", "truncated-in-first-header.warc.gz", "truncated-last-member.warc.gz",
    "two-records-per-member.warc.gz", "uncompressed.warc", "warc-content-length-empty.warc.gz",
    "warc-content-length-huge.warc.gz", "warc-content-length-missing.warc.gz",
    "warc-content-length-negative.warc.gz", "warc-content-length-nonnumeric.warc.gz",
    "warc-content-length-too-long.warc", "warc-content-length-too-long.warc.gz",
    "warc-content-length-too-short.warc", "warc-content-length-too-short.warc.gz", "warc-headers-odd.warc.gz",
    "wrong-digest.warc.gz", "zero-padding-between-members.warc.gz",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_archives_give_every_page_that_can_be_read(name):
    folder = shared("crawl/bad")
    expected = json.loads((folder / "EXPECT.json").read_text())
    assert set(BAD) == set(expected)
    items = read_file(folder / name)
    good = expected[name]["good_pages"]
    assert (len(kept(items)), len(whole(items))) == JUDGED.get(name, (good, good))
    if name not in {
        "bomb-64mb-page.warc.gz",
        "one-long-line.warc.gz",
        "dictionary.warc.zst",
    }:  # streams, dictionary
        assert tiles(items, (folder / name).stat().st_size)


# Archives in which we read another number of records than the better of warcio and FastWARC.
DIFFERENT = {
    "archivesunleashed__aut__badexample.arc.gz": 5,  # both give up at the first record; ours goes on
    "iipc__webarchive-commons__IAH-20080430204825-00000-blackbook-truncated.arc": 9,
    "oduwsdl__ipwb__broken.warc": 6,  # warcio counts two pieces of a broken record as records
    "webrecorder__pywb__bad.arc": 1,  # lengths of -1 and `abc`; warcio takes the lines between for records
    "webrecorder__pywb__valid_example_1.wacz": 4,  # a ZIP file that stores a .warc.gz as it is
}


def test_genuine_archives_have_the_records_that_others_count():
    folder = shared("crawl/real")
    sources = json.loads(shared("MANIFEST.json").read_text())["real_archives"]["sources"]
    counted = {row["file"].rpartition("/")[2]: row for source in sources for row in source["files"]}
    assert len(counted) > 100
    for path in sorted(folder.iterdir()):
        items = read_file(path, reader=ArcReader if ".arc" in path.name else WarcReader)
        assert tiles(items, path.stat().st_size), path.name
        row = counted[path.name]
        theirs = max(sum(row["warcio_records"].values()), row["fastwarc_records"])
        assert len(records(items)) == DIFFERENT.get(path.name, theirs), path.name

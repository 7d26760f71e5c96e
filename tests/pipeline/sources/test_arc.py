import pytest
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from pipeline.sources.arc import ArcReader
from tests.pipeline.sources.archives import gz, http, kept, page, read, records, tiles
from tests.shared_data import shared


def arc(number: int, block: bytes, version: int = 1) -> bytes:
    middle = b"" if version == 1 else b" 200 - - 0 made.arc"
    url = b"http://example.org/a b/%d" % number
    return b"%b 192.0.2.1 20080430204825 text/html%b %d\n%b\n" % (url, middle, len(block), block)


def head(version: int) -> bytes:
    lines = b"%d 0 Made\nURL IP-address Archive-date Content-type Archive-length\n" % version
    return b"filedesc://made.arc 0.0.0.0 20080430204825 text/plain %d\n%b\n" % (len(lines), lines)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("pack", [bytes, gz])
def test_made_records_are_read(version, pack):
    parts = [head(version), *(arc(number, http(page(number)), version) for number in range(8))]
    data = b"".join(map(pack, parts))
    items = read(data, reader=ArcReader)
    assert [record.body for record in kept(items)] == [page(number) for number in range(8)]
    assert (records(items)[0].rule, records(items)[0].detail) == ("record_type", "filedesc")
    third = records(items)[3]
    assert (third.url, third.timestamp) == ("http://example.org/a b/2", "2008-04-30T20:48:25Z")
    assert tiles(items, len(data))


def test_damage_costs_one_record():
    members = [gz(head(1)), *(gz(arc(number, http(page(number)))) for number in range(8))]
    members[4] = members[4][:100]
    items = read(b"".join(members), reader=ArcReader)
    assert [record.url[-1] for record in kept(items) if record.truncated is None] == list("0124567")


@pytest.mark.parametrize(
    "name",
    [
        "archivesunleashed__aut__example.arc.gz",
        "webrecorder__pywb__example.arc",
        "webrecorder__warcio__example-space-in-url.arc",
        "internetarchive__warc__alexa_short_header.arc.gz",
        "ukwa__webarchive-test-suite__IAH-20080430204825-00000-blackbook-truncated.arc",
    ],
)
def test_genuine_files_agree_with_warcio(name):
    path = shared("crawl/real") / name
    ours = records(read(path.read_bytes(), reader=ArcReader))
    with path.open("rb") as stream:
        archive = WarcioIterator(stream, arc2warc=True)
        seen = 0
        for mine, theirs in zip(ours, archive, strict=True):
            seen += 1
            if theirs.rec_type == "warcinfo":
                assert mine.rule == "record_type"
                continue
            assert (mine.url or "").replace(" ", "%20") == theirs.rec_headers["WARC-Target-URI"]
            assert mine.timestamp == theirs.rec_headers["WARC-Date"]
            if mine.fate == "kept" and mine.http_status and not mine.truncated:
                assert mine.body == theirs.content_stream().read()
            assert mine.offset == archive.get_record_offset()  # reads the record to its end
    assert seen == len(ours)

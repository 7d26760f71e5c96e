import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.arc import ArcReader
from tests.pipeline.sources.archives import (
    gz,
    http,
    lz4,
    numbers,
    pages,
    read,
    read_in_ranges,
    stored_gz,
    tiles,
    warc,
    zst,
    zst_with_dictionary,
)
from tests.shared_data import shared

NOISE = random.Random(3).randbytes(700)


def damaged() -> bytes:
    members = [gz(record) for record in pages(12)]
    members[3] = members[3][:200]
    members[7] = members[7][:-8] + bytes(8)
    members.insert(5, NOISE)
    members.insert(9, gz(b""))
    return b"".join(members)


MADE = {
    "plain": b"".join(pages(12)),
    "gzip": b"".join(map(gz, pages(12))),
    "two a member": b"".join(gz(b"".join(pages(2, first=at))) for at in range(0, 12, 2)),
    "one member": gz(b"".join(pages(12))),
    "zstd": b"".join(map(zst, pages(12))),
    "dictionary": zst_with_dictionary(pages(12)),
    "lz4": b"".join(map(lz4, pages(12))),
    "damaged": damaged(),
    "damaged plain": b"".join([*pages(4), NOISE, *pages(4, first=4), bytes(300), *pages(4, first=8)]),
}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_ranges_together_are_the_whole_file(data):
    archive = MADE[data.draw(st.sampled_from(sorted(MADE)))]
    cuts = data.draw(st.lists(st.integers(0, len(archive)), max_size=12))
    items, again = read_in_ranges(archive, cuts)
    assert items == read(archive)
    assert not again


@pytest.mark.parametrize(
    "name",
    [
        "crawl/small/small-00000.warc.gz",
        "crawl/bad/uncompressed.warc",
        "crawl/bad/records.warc.zst",
        "crawl/bad/dictionary.warc.zst",
        "crawl/bad/two-records-per-member.warc.gz",
        "crawl/bad/single-member.warc.gz",
        "crawl/bad/corrupt-middle-member.warc.gz",
        "crawl/bad/garbage-between-members.warc.gz",
        "crawl/bad/zero-padding-between-members.warc.gz",
        "crawl/bad/warc-content-length-too-long.warc",
        "crawl/bad/bad-crc.warc.gz",
        "crawl/real/chatnoir-eu__chatnoir-resiliparse__warcfile.warc.lz4",
        "crawl/real/archivesunleashed__aut__example.arc.gz",
        "crawl/real/ukwa__webarchive-test-suite__IAH-20080430204825-00000-blackbook-truncated.arc",
    ],
)
def test_real_files_cut_at_many_places(name):
    archive = shared(name).read_bytes()
    reader = ArcReader if ".arc" in name else None
    options = {"reader": reader} if reader else {}
    expected = read(archive, **options)
    draw = random.Random(name)
    for count in (1, 3, 9, 30):
        cuts = [draw.randrange(len(archive) + 1) for _ in range(count)]
        items, again = read_in_ranges(archive, cuts, **options)
        assert items == expected
        assert not again


@pytest.mark.parametrize("pack", [bytes, stored_gz], ids=["plain", "stored blocks"])
def test_an_archive_inside_a_page_misleads_only_until_the_ranges_are_fitted(pack):
    inner = b"".join(pages(3, first=100)) if pack is bytes else b"".join(map(gz, pages(3, first=100)))
    parts = [*pages(2), warc(http(b"<html>" + inner), number=2), *pages(2, first=3)]
    archive = b"".join(map(pack, parts))
    inside = archive.index(inner) + 20
    misled, again = read_in_ranges(archive, [inside])
    assert again
    assert misled == read(archive)
    assert numbers(misled) == [0, 1, -1, 3, 4]  # -1: the page that holds the archive


def test_a_file_in_one_member_belongs_to_the_first_range():
    archive = MADE["one member"]
    middle = len(archive) // 2
    assert numbers(read(archive, end=middle)) == list(range(12))
    assert read(archive, start=middle) == []
    assert tiles(read(archive), len(archive))


def test_an_exact_range_starts_without_a_search():
    archive = MADE["gzip"]
    third = len(b"".join(map(gz, pages(3))))
    assert numbers(read(archive, start=third, exact=True)) == list(range(3, 12))

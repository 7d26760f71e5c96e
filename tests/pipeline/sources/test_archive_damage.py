import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.record import Selection
from tests.pipeline.sources.archives import (
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
)

PACK = {"gzip": gz, "zstd": zst, "lz4": lz4}
NOISE = random.Random(7).randbytes(3000)


def flip(member: bytes) -> bytes:
    middle = len(member) // 2
    return member[:middle] + bytes(byte ^ 0xFF for byte in member[middle : middle + 8]) + member[middle + 8 :]


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize(
    "damage",
    [flip, lambda member: member[: len(member) // 2], lambda member: member[:12], lambda _: b""],
    ids=["flipped", "cut", "cut in the header", "gone"],
)
def test_one_damaged_member_costs_one_record(pack, damage):
    members = [PACK[pack](record) for record in pages(10)]
    members[4] = damage(members[4])
    items = read(b"".join(members))
    read_whole = numbers(items)
    if pack == "lz4" and -1 in read_whole:
        read_whole.remove(-1)  # these frames have no checksum: changed bytes do not show
    assert read_whole == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert tiles(items, sum(map(len, members)))


@pytest.mark.parametrize("pack", [*PACK, "plain"])
@pytest.mark.parametrize(
    "garbage", [NOISE, bytes(3000), b"some text\r\n" * 30], ids=["noise", "zeros", "text"]
)
def test_garbage_between_records_costs_none(pack, garbage):
    parts = [PACK.get(pack, bytes)(record) for record in pages(10)]
    parts.insert(4, garbage)
    items = read(b"".join(parts))
    assert numbers(items) == list(range(10))
    lost = skipped(items)
    assert [(item.offset, item.length) for item in lost] == [(sum(map(len, parts[:4])), len(garbage))]


def test_a_wrong_checksum_marks_the_record():
    members = [gz(record) for record in pages(3)]
    members[1] = members[1][:-8] + b"\0\0\0\0" + members[1][-4:]
    items = read(b"".join(members))
    assert [record.truncated for record in kept(items)] == [None, "bad_checksum", None]
    assert kept(items)[1].body == page(1)


@pytest.mark.parametrize("pack", [*PACK, "plain", "gzip whole"])
def test_a_bad_version_line_costs_one_record(pack):
    parts = pages(10)
    parts[4] = parts[4].replace(b"WARC/1.0", b"WARX/1.0")
    data = (
        gz(b"".join(parts))
        if pack == "gzip whole"
        else b"".join(PACK.get(pack, bytes)(part) for part in parts)
    )
    items = read(data)
    assert numbers(items) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert len(skipped(items)) == 1


@pytest.mark.parametrize("pack", [*PACK, "plain", "gzip whole"])
@pytest.mark.parametrize("length", ["5000", "100", "-1", "", "abc", "99999999999999", "9" * 5000, "0"])
def test_a_wrong_length_costs_at_most_its_record(pack, length):
    parts = pages(10)
    parts[4] = warc(http(page(4)), number=4, length=length)
    data = (
        gz(b"".join(parts))
        if pack == "gzip whole"
        else b"".join(PACK.get(pack, bytes)(part) for part in parts)
    )
    items = read(data)
    assert numbers(items) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert tiles(items, len(data))
    odd = records(items)[4]
    assert odd.url == "http://example.org/4"
    if odd.fate == "kept":
        assert odd.truncated in {"wrong_length", "short_body"}
        assert odd.body == page(4)
    else:
        assert (odd.fate, odd.rule) == ("failed", "bad_content_length")


def test_a_missing_length_fails_its_record_alone():
    parts = pages(3)
    parts[1] = b"\r\n".join(
        line for line in parts[1].split(b"\r\n") if not line.startswith(b"Content-Length")
    )
    items = records(read(b"".join(map(gz, parts))))
    assert [(record.fate, record.rule, record.detail) for record in items] == [
        ("kept", None, None),
        ("failed", "bad_content_length", "missing"),
        ("kept", None, None),
    ]


@pytest.mark.parametrize("pack", [*PACK, "plain"])
def test_a_cut_last_record_is_marked(pack):
    data = b"".join(PACK.get(pack, bytes)(record) for record in pages(3))
    items = read(data[:-400])
    assert [record.truncated for record in kept(items)][:2] == [None, None]
    assert [record.truncated for record in kept(items)][2:] in (
        [],
        ["cut_record"],
    )  # LZ4 inflates whole blocks
    assert tiles(items, len(data) - 400)


def test_a_cut_inside_a_whole_gzip_file_keeps_what_came_before():
    data = gz(b"".join(pages(80)))
    broken = data[: len(data) // 2]
    items = read(broken)
    read_whole = numbers(items)
    assert read_whole == list(range(len(read_whole)))
    assert len(read_whole) >= 20
    assert records(items)[-1].truncated == "cut_record"
    assert tiles(items, len(broken))


def test_a_wrong_checksum_of_a_whole_file_marks_all_records():
    data = gz(b"".join(pages(5)))
    items = read(data[:-8] + bytes(4) + data[-4:])
    assert [record.truncated for record in kept(items)] == ["bad_checksum"] * 5


def test_a_huge_header_is_bounded():
    data = gz(warc(http(page(0)), "X-Huge: " + "x" * 5_000_000)) + gz(pages(1, first=1)[0])
    items = read(data)
    assert numbers(items) == [1]
    assert tiles(items, len(data))


def test_members_larger_than_the_limit_are_read_as_streams():
    small = Selection(max_bytes=20_000)
    parts = [*pages(3), warc(http(b"<html>" + b"x" * 9_000_000), number=3), *pages(4, first=4)]
    for data in (gz(b"".join(parts)), b"".join(parts), zst(b"".join(parts)), lz4(b"".join(parts))):
        items = read(data, selection=small)
        assert numbers(items) == [0, 1, 2, 4, 5, 6, 7]
        large = records(items)[3]
        assert (large.fate, large.rule, large.detail) == ("removed", "too_large", "9000006 bytes as stored")


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.integers(0, 9),
    st.sampled_from(["gzip", "zstd", "lz4", "plain"]),
    st.integers(0, 400),
)
def test_any_overwritten_bytes_end_and_leave_the_neighbours(noise, number, pack, at):
    parts = [PACK.get(pack, bytes)(record) for record in pages(10)]
    hurt = parts[number]
    parts[number] = (hurt[:at] + noise + hurt[at + len(noise) :])[: len(hurt)]
    data = b"".join(parts)
    items = read(data)
    assert set(range(10)) - set(numbers(items)) <= {number, *({number + 1} if pack == "plain" else ())}
    assert tiles(items, len(data)) or pack == "plain"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000))
def test_noise_ends_and_is_accounted_for(noise):
    for head in (
        b"",
        b"\x1f\x8b\x08\0",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"WARC/1.0\r\n",
        b"\x5d\x2a\x4d\x18",
    ):
        data = head + noise
        items = read(data)
        if items and head != b"\x5d\x2a\x4d\x18":
            assert tiles(items, len(data)) or data.strip(b"\r\n") != data


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "WARC-Truncated: length",
                "warc-truncated:  time ",
                "WARC-Date: 2020-01-01T00:00:00Z",
                "WARC-Target-URI: <http://example.org/twice>",
                "X-Folded: a\r\n WARC-Truncated: time",
                "X-Bare: a\nWARC-Truncated: time",
                "no field",
                "X-Blank :\t\x0bx\x0c",
                "Content-Length: 7",
                ": no name",
            ]
        ),
        max_size=4,
    ),
    st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b"junk"]),
    st.booleans(),
)
def test_the_fast_way_reads_what_the_slow_way_reads(headers, after, first):
    odd = warc(http(page(5), "X-A: b"), number=5)
    extra = "".join(f"{header}\r\n" for header in headers).encode()
    at = odd.index(b"\r\n") + 2 if first else odd.index(b"Content-Length")
    odd = odd[:at] + extra + odd[at:] + after
    fast = b"".join(map(gz, [*pages(3), odd, *pages(3, first=6)]))
    # The magic of zstd in front keeps the slow way: records are the same, members are not.
    slow = b"".join(map(zst, [*pages(3), odd, *pages(3, first=6)]))

    def seen(items):
        return [
            (r.id, r.url, r.timestamp, r.truncated, r.fate, r.rule, r.detail, r.body) for r in records(items)
        ]

    assert seen(read(fast)) == seen(read(slow))


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_damage_deep_inside_a_large_member_costs_one_record(at):
    members = [gz(warc(http(page(number, 400_000)), number=number)) for number in range(3)]
    damaged = bytearray(members[1])
    place = int(len(damaged) * at)
    damaged[place : place + 64] = b"\xff" * 64
    data = members[0] + bytes(damaged) + members[2]
    items = read(data)
    assert [record.url for record in whole(items)] == ["http://example.org/0", "http://example.org/2"]
    assert tiles(items, len(data))

"""Submission dumps to links: rules, counts that sum, compressions, damage; the real dump of 2005."""

import bz2
import gzip
import io
import json
import lzma
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli.main import run
from pipeline.dedup.canonical_url import canonical_url
from pipeline.sources.reddit import LINKS, best_links, read_links
from pipeline.sources.stored import StoredBytes
from tests.shared_data import shared
from text.hashes import hash_strings

JUNE, JULY = 1_119_552_233, 1_121_000_000  # 2005


def submission(
    url: Any = "http://example.org/a", score: Any = 5, created: Any = JUNE, **more: Any
) -> dict[str, Any]:
    return {
        "author": "a-user-name",
        "url": url,
        "score": score,
        "created_utc": created,
        "is_self": False,
        **more,
    }


def stored(data: bytes) -> StoredBytes:
    return StoredBytes(io.BytesIO(data), len(data))


def lines(*submissions: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in submissions)


def read(*submissions: Any, min_score: int = 3) -> tuple[list[dict[str, Any]], dict[str, int]]:
    table, counts = read_links([("dump", stored(lines(*submissions)))], min_score=min_score)
    assert counts.rest() == 0
    assert table.schema == LINKS
    told = {name: number for name, number in counts.to_dict().items() if isinstance(number, int) and number}
    return table.to_pylist(), told


@pytest.mark.parametrize(
    ("given", "fate"),
    [
        (submission(), "kept"),
        (submission(score=3), "kept"),
        (submission(score=2), "low_score"),
        (submission(score="17", created="1119552233"), "kept"),
        (submission(score=None), "bad_record"),
        (submission(created=1e30), "bad_record"),
        (submission(is_self=True), "self_post"),
        (submission(domain="self.programming"), "self_post"),
        (submission(url=None), "no_url"),
        (submission(url=""), "no_url"),
        (submission(url="ftp://example.org/x"), "no_url"),
        (submission(url="http://[broken"), "no_url"),
        (submission(url="http://" + "a" * 9000), "no_url"),
        (submission(url="https://old.reddit.com/r/x/comments/1/"), "own_site"),
        (submission(url="https://I.IMGUR.com/x"), "media"),
        (submission(url="https://notimgur.com/x"), "kept"),
        (submission(url="https://www.youtube.com/watch?v=1"), "media"),
        (submission(url="http://example.org/a.JPG?w=1"), "media"),
        (submission(url="http://example.org/page?x=a.jpg"), "kept"),
        (submission(url="http://bit.ly/x"), "short_link"),
        ([1, 2], "bad_record"),
        ("text", "bad_record"),
        (None, "bad_record"),
    ],
)
def test_each_submission_has_one_fate(given: Any, fate: str) -> None:
    _, counts = read(given)
    assert counts == {"submissions": 1, fate: 1}


def test_spellings_of_a_link_are_one_with_its_best_score() -> None:
    links, counts = read(
        submission("http://Example.org/a/?utm_source=x", score=7, created=JULY),
        submission("https://example.org/a", score=9, created=JULY),
        submission("https://example.org/a#top", score=9, created=JUNE),
        submission("http://example.org/a", score=1),
        submission("http://example.org/b?x=1&amp;y=2", score=4, created=JULY),
    )
    assert counts == {"submissions": 5, "low_score": 1, "duplicate": 2, "kept": 2}
    assert [
        (link["canonical_url"], link["url"], link["score"], link["month"], link["submissions"])
        for link in sorted(links, key=lambda link: link["url"])
    ] == [
        ("http://example.org/b?x=1&y=2", "http://example.org/b?x=1&y=2", 4, "2005-07", 1),
        ("http://example.org/a", "https://example.org/a#top", 9, "2005-06", 3),
    ]


def test_no_name_of_a_user_is_written() -> None:
    table, counts = read_links([("dump", stored(lines(submission(), submission(score=1))))])
    assert "a-user-name" not in str(table.to_pylist()) + str(counts.to_dict())


SUBMISSIONS = st.lists(
    st.builds(
        submission,
        st.sampled_from([f"http://example.org/{n}" for n in range(6)] + ["http://imgur.com/x", None]),
        st.integers(-2, 9),
        st.sampled_from([JUNE, JULY]),
    ),
    max_size=25,
)


@settings(max_examples=50, deadline=None)
@given(SUBMISSIONS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_files_do_not_matter(items: list[dict[str, Any]], shuffle: Any, files: int) -> None:
    whole, counts = read_links([("dump", stored(lines(*items)))])
    mixed = list(items)
    shuffle.shuffle(mixed)
    parts = [(f"dump {n}", stored(lines(*mixed[n::files]))) for n in range(files)]
    again, counts_again = read_links(parts)
    assert again == whole
    assert counts_again == counts
    # Oracle: a dictionary.
    best: dict[str, int] = {}
    for item in items:
        if item["url"] and "imgur" not in item["url"] and item["score"] >= 3:
            best[canonical_url(item["url"])] = max(item["score"], best.get(canonical_url(item["url"]), 0))
    assert dict(zip(whole["canonical_url"].to_pylist(), whole["score"].to_pylist(), strict=True)) == best


def test_links_with_one_hash_stay_apart() -> None:
    rows = [
        {
            "url_hash": 7,
            "canonical_url": f"http://{host}/",
            "url": "",
            "score": score,
            "month": "2005-06",
            "submissions": 1,
        }
        for host, score in (("b", 4), ("a", 3), ("b", 5), ("a", 9))
    ]
    table = best_links(pa.Table.from_pylist(rows, LINKS))
    assert [(row["canonical_url"], row["score"], row["submissions"]) for row in table.to_pylist()] == [
        ("http://a/", 9, 2),
        ("http://b/", 5, 2),
    ]


def long_window(data: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True, compression_level=1)
    # Without the size in the header the frame states its window of 2 GiB, as the public dumps do.
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(data) + packer.flush()


DUMP = lines(*(submission(f"http://example.org/{n}", score=n % 7) for n in range(3000)))
PACKED = {
    "plain": DUMP,
    "zstd": zstandard.compress(DUMP[:50_000]) + zstandard.compress(DUMP[50_000:]),
    "gzip": gzip.compress(DUMP),
    "bzip2": bz2.compress(DUMP[:70_001]) + bz2.compress(DUMP[70_001:]),
    "xz": lzma.compress(DUMP[:70_001]) + lzma.compress(DUMP[70_001:]),
}


@pytest.mark.parametrize("form", PACKED)
def test_every_compression_gives_the_same_links(form: str) -> None:
    expected = read_links([("dump", stored(DUMP))])
    assert read_links([("dump", stored(PACKED[form]))]) == expected
    assert expected[1].submissions == 3000


def test_the_window_of_public_dumps_is_read() -> None:
    small = lines(*(submission(f"http://example.org/{n}") for n in range(50)))
    packed = long_window(small)
    assert zstandard.get_frame_parameters(packed).window_size == 1 << 31
    table, counts = read_links([("dump.zst", stored(packed))])
    assert (table.num_rows, counts.skipped) == (50, [])


@pytest.mark.parametrize("form", [form for form in PACKED if form != "plain"])
def test_a_cut_dump_says_what_was_lost(form: str) -> None:
    data = PACKED[form]
    table, counts = read_links([("dump", stored(data[: len(data) * 3 // 4]))])
    assert counts.rest() == 0
    (lost,) = counts.skipped
    assert (lost["file"], lost["reason"]) == ("dump", f"{form}: cut")
    assert 0 < table.num_rows < 3000


def test_the_dump_of_2005() -> None:
    path = shared("ref/reddit/reddit_RS_v2_2005.jsonl.gz")
    data = path.read_bytes()
    table, counts = read_links([(path.name, stored(data))])
    # Of 838 submissions 601 have 3 points or more; two are pictures, one link was shared twice.
    assert (counts.submissions, counts.low_score, counts.media, counts.duplicate, counts.kept) == (
        838,
        237,
        2,
        1,
        598,
    )
    assert counts.months == {"2005-06": 54, "2005-07": 544}
    assert table["url_hash"].to_numpy().tolist() == sorted(hash_strings(table["canonical_url"]).tolist())
    authors = {json.loads(line)["author"] for line in gzip.decompress(data).splitlines()}
    assert not [name for name in authors if len(name) > 8 and name in str(table["url"].to_pylist())]


def test_the_command_prints_the_counts(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "RS.jsonl").write_bytes(lines(submission(), submission(score=1)))
    out = tmp_path / "links.parquet"
    assert run(["webtext", "links", str(tmp_path / "RS.jsonl"), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 1
    first = out.read_bytes()
    assert run(["webtext", "links", str(tmp_path / "RS.jsonl"), "--out", str(out), "--min-score", "3"]) == 0
    assert "            1  = links" in capsys.readouterr().out
    assert out.read_bytes() == first
    assert run(["webtext", "links", str(tmp_path / "absent"), "--out", str(out)]) == 2
    assert "there is no such file" in capsys.readouterr().err

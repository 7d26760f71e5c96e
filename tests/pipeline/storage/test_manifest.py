"""Manifests: every line once, in order; a sample that depends on seed and lines alone."""

import gzip
import re
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.storage.manifest import read_manifest
from tests.pipeline.storage.faulty_server import running, status
from tests.shared_data import shared

LINES = [f"crawl-data/CC-MAIN-2024-10/segments/{i % 7}/warc/{i:05}.warc.gz" for i in range(1000)]
TEXT = "# a comment\n\n" + "\r\n".join(LINES) + "\n" + LINES[3]


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifest")
    (folder / "warc.paths").write_bytes(TEXT.encode())
    (folder / "warc.paths.gz").write_bytes(gzip.compress(TEXT.encode()))
    (folder / "warc.paths.zst").write_bytes(zstandard.compress(TEXT.encode()))
    (folder / "lying.gz").write_bytes(TEXT.encode())
    (folder / "two.gz").write_bytes(gzip.compress(TEXT[:999].encode()) + gzip.compress(TEXT[999:].encode()))
    return folder


@pytest.mark.parametrize("file", ["warc.paths", "warc.paths.gz", "warc.paths.zst", "lying.gz", "two.gz"])
def test_every_packing_lists_the_same_files(folder: Path, file: str) -> None:
    base = "https://data.example"
    assert read_manifest(file, base, None, 0, base=str(folder)) == [f"{base}/{line}" for line in LINES]


@pytest.mark.parametrize(
    ("base_url", "prefix"),
    [
        ("s3://commoncrawl/", "s3://commoncrawl/"),
        ("mirror", "{folder}/mirror/"),
        (None, "{folder}/"),
        ("/abs", "/abs/"),
    ],
)
def test_paths_are_joined_to_the_base(folder: Path, base_url: str | None, prefix: str) -> None:
    files = read_manifest("warc.paths.gz", base_url, None, 0, base=str(folder))
    assert files == [prefix.format(folder=folder) + line for line in LINES]


def test_a_manifest_over_http_survives_faults(folder: Path) -> None:
    with running({"/warc.paths.gz": (folder / "warc.paths.gz").read_bytes()}) as server:
        server.faults.append(status(503))
        files = read_manifest(server.url("/warc.paths.gz"), server.url(""), 2, 0, sleep=lambda _: None)
        assert [file.removeprefix(server.url("/")) in LINES for file in files] == [True, True]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**64), small=st.integers(0, 1000), more=st.integers(0, 1000))
def test_samples_are_nested_and_in_order(folder: Path, seed: int, small: int, more: int) -> None:
    large = min(1000, small + more)
    one, two = (read_manifest("warc.paths", "s3://b", n, seed, base=str(folder)) for n in (small, large))
    assert (len(one), len(two)) == (small, large)
    assert set(one) <= set(two)
    assert one == sorted(one, key=lambda url: LINES.index(url.removeprefix("s3://b/")))


def test_the_choice_knows_neither_order_nor_mirror(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "backwards").write_text("\n".join(reversed(LINES)), encoding="utf-8")
    one = read_manifest("warc.paths", "s3://b", 50, 7, base=str(folder))
    two = read_manifest("backwards", "https://mirror.example/cc", 50, 7, base=str(tmp_path))
    assert {url.removeprefix("s3://b/") for url in one} == {
        url.removeprefix("https://mirror.example/cc/") for url in two
    }
    assert read_manifest("warc.paths", "s3://b", 50, 8, base=str(folder)) != one


def test_samples_are_fair(folder: Path) -> None:
    """Over 60 seeds each of 1000 lines is drawn 6 times on average; the spread is that of a fair draw."""
    counts = dict.fromkeys(LINES, 0)
    for seed in range(60):
        for url in read_manifest("warc.paths", "s3://b", 100, seed, base=str(folder)):
            counts[url.removeprefix("s3://b/")] += 1
    variance = sum((count - 6) ** 2 for count in counts.values()) / 1000
    assert variance == pytest.approx(60 * 0.1 * 0.9, rel=0.2)


def test_a_sample_larger_than_the_list_takes_all_and_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(read_manifest("warc.paths", "s3://b", 1001, 0, base=str(folder))) == 1000
    assert "a sample of 1001 was asked for; it lists 1000 files, all are taken" in caplog.text


@pytest.mark.parametrize(
    ("content", "base_url", "text"),
    [
        (
            b"a\n../secret",
            "s3://b",
            "list: line 2: `../secret` contains `..`, which is refused in a manifest",
        ),
        (b"/etc/passwd", "s3://b", "list: line 1: `/etc/passwd` is an absolute path, which is refused"),
        (
            b"https://evil.example/x",
            "s3://b",
            "is a whole URL, which cannot be joined to base_url; leave base_url out",
        ),
        (b"file:///etc/passwd", None, "only http://, https://, s3:// and gs:// may stand in a manifest"),
        (b"# nothing\n\n", None, "list: lists no file"),
        (gzip.compress(TEXT.encode())[:500], None, "list: is damaged or no list of files"),
        (
            zstandard.compress(TEXT.encode())[:-1],
            None,
            "list: is damaged or no list of files (it ends in the middle)",
        ),
        (zstandard.compress(bytes(10 << 20)), None, "list: has more or longer lines than a list of files"),
        (zstandard.compress(TEXT.encode())[:100] + b"junk", None, "list: is damaged or no list of files"),
        (b"\xff\xfe\x00binary", None, "list: is damaged or no list of files"),
        (b"x" * 5000, None, "list: has more or longer lines than a list of files"),
    ],
)
def test_a_bad_manifest_names_the_line(
    tmp_path: Path, content: bytes, base_url: str | None, text: str
) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(text)):
        read_manifest("list", base_url, None, 0, base=str(tmp_path))


def test_whole_urls_stand_alone(tmp_path: Path) -> None:
    urls = ["https://one.example/a.gz", "s3://two/b.gz"]
    (tmp_path / "list").write_text("\n".join(urls), encoding="utf-8")
    assert read_manifest("list", None, None, 0, base=str(tmp_path)) == urls


def test_the_manifest_beside_the_real_crawl() -> None:
    manifest = shared("crawl/warc.paths.gz")
    expected = gzip.decompress(manifest.read_bytes()).decode().split()
    assert read_manifest(str(manifest), "s3://commoncrawl", None, 0) == [
        f"s3://commoncrawl/{line}" for line in expected
    ]

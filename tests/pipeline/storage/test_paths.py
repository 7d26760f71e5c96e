"""Names on every storage: split, joined, resolved."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.storage.paths import is_remote, join, local_path, name, parent, resolve, scheme, shown

BASES = [
    "/data/crawl",
    "s3://bucket/crawl",
    "gs://bucket",
    "https://host.example/a",
    "https://host.example/a?key=1",
]
parts = st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,8}", fullmatch=True).filter(
    lambda part: part not in {".", ".."}
)


@given(base=st.sampled_from(BASES), part=parts)
def test_parent_and_name_undo_join(base: str, part: str) -> None:
    joined = join(base, part)
    assert name(joined) == part
    assert parent(joined) == base.partition("?")[0]
    assert scheme(joined) == scheme(base)


@pytest.mark.parametrize(
    ("base", "joined"),
    [
        ("/data/", "/data/crawl/a.gz"),
        ("s3://bucket/", "s3://bucket/crawl/a.gz"),
        ("https://host.example", "https://host.example/crawl/a.gz"),
        ("https://host.example/x/?sig=1", "https://host.example/x/crawl/a.gz?sig=1"),
        ("file:///data", "/data/crawl/a.gz"),
    ],
)
def test_join_puts_one_slash_between(base: str, joined: str) -> None:
    assert join(base, "crawl", "a.gz") == joined
    assert join(base, "crawl/a.gz") == joined


@given(
    st.sampled_from(["/data", "/data//x/", "data", "./data", ".", "", "/", "//", "~", "a/../b"]),
    st.lists(st.text("ab1._-/ \u00e9", max_size=6), min_size=1, max_size=3),
)
def test_join_spells_local_paths_as_pathlib_does(base: str, parts: list[str]) -> None:
    inside = not any(part.startswith("/") or ".." in part.split("/") for part in parts)
    if inside:
        assert join(base, *parts) == os.fspath(Path(base).joinpath(*parts))


@pytest.mark.parametrize("part", ["../secret", "a/../../b", "/etc/passwd", "s3://other/x"])
@pytest.mark.parametrize("base", BASES)
def test_no_part_leads_out_of_its_base(base: str, part: str) -> None:
    with pytest.raises(UsageError, match="must be a path inside"):
        join(base, part)


def test_relative_paths_start_at_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("CRAWL", "2024-10")
    assert resolve("crawl/./a.gz", "/recipes") == "/recipes/crawl/a.gz"
    assert resolve("../a.gz", "/recipes") == "/recipes/../a.gz"
    assert resolve("a.gz", "recipes") == str(Path.cwd() / "recipes/a.gz")
    assert resolve("/a.gz", "/recipes") == "/a.gz"
    assert resolve("~/a.gz", "/recipes") == "/home/user/a.gz"
    assert resolve("s3://bucket/${CRAWL}/*.gz", "/recipes") == "s3://bucket/2024-10/*.gz"
    assert resolve("a/b.gz", "s3://bucket/recipes") == "s3://bucket/recipes/a/b.gz"
    assert resolve("file:///with%20space", "/recipes") == "/with space"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "${NO_SUCH_VARIABLE}/a",
            "${NO_SUCH_VARIABLE}/a: the environment variable NO_SUCH_VARIABLE is not set",
        ),
        ("", "a path is empty (written as ``)"),
        (
            "hdfs://name/a",
            "hdfs://name/a: cannot read or write hdfs://; known are local paths, http://, https://, s3:// and gs://",
        ),
        (
            "file://elsewhere/a",
            "file://elsewhere/a: a file:// URL of another host; write file:///elsewhere/a or a plain path",
        ),
    ],
)
def test_what_cannot_be_resolved_says_why(path: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(path, "/recipes")
    assert str(caught.value) == text


def test_a_local_path_may_look_odd() -> None:
    assert not is_remote("/data/a:b//c")
    assert not is_remote("C:/data")
    assert local_path("a b") == Path("a b")
    with pytest.raises(UsageError, match="a local path is needed here"):
        local_path("s3://bucket/key")
    with pytest.raises(UsageError, match="names no bucket"):
        name("s3:///key")


def test_shown_hides_secrets() -> None:
    assert shown("https://user:pw@host.example/a?token=1#x") == "https://host.example/a?..."
    assert shown("s3://bucket/what?") == "s3://bucket/what?"

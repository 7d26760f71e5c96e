"""Patterns of a recipe become files, or an error that says where it looked."""

import os
import re
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.storage.globs import expand

FILES = [
    "b.warc.gz",
    "a.warc.gz",
    "deep/er/c.warc.gz",
    "deep/d.txt",
    "odd[1].gz",
    "space here.gz",
    ".hidden.gz",
]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*.warc.gz"], ["a.warc.gz", "b.warc.gz"]),
        (["**/*.warc.gz"], ["a.warc.gz", "b.warc.gz", "deep/er/c.warc.gz"]),
        (["b.warc.gz", "./a.warc.gz", "[ab].warc.gz"], ["a.warc.gz", "b.warc.gz"]),
        (["odd[1].gz"], ["odd[1].gz"]),
        (["deep/*"], ["deep/d.txt"]),
        (["space here.gz", "deep/??er/../d.txt"], None),
        ([], []),
    ],
)
def test_patterns_give_sorted_files_once(
    folder: Path, patterns: list[str], expected: list[str] | None
) -> None:
    if expected is None:
        with pytest.raises(UsageError):
            expand(patterns, str(folder))
        return
    assert expand(patterns, str(folder)) == [str(folder / file) for file in expected]


def test_order_of_patterns_and_of_the_disk_changes_nothing(folder: Path) -> None:
    forward = expand(["*.gz", "deep/**"], str(folder))
    assert expand(["deep/**", "*.gz"], str(folder)) == forward == sorted(forward)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*.arc", "*.arc: matches no file in {folder}"),
        ("none/*.gz", "none/*.gz: matches no file, since there is no folder {folder}/none"),
        ("emp*", "emp*: matches no file in {folder}; it matches folders only, write its files as `.../*`"),
        ("deep", "deep: {folder}/deep is a folder; write {folder}/deep/* or a longer pattern"),
        ("c.gz", "c.gz: there is no file c.gz in {folder}"),
        ("none/c.gz", "none/c.gz: there is no file c.gz in {folder}/none, which does not exist"),
        ("pipe", "pipe: {folder}/pipe is no regular file"),
        ("dangling", "dangling: there is no file dangling in {folder}"),
        (
            "https://host.example/*.gz",
            "https://host.example/*.gz: http has no listing, so `*` cannot work; name each file, or a manifest",
        ),
        (
            "s3://bucket/folder/",
            "s3://bucket/folder/: is a folder; write s3://bucket/folder/* or a longer pattern",
        ),
    ],
)
def test_what_matches_nothing_says_where_it_looked(folder: Path, pattern: str, text: str) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to(folder / "gone")
    with pytest.raises(UsageError, match=re.escape(text.format(folder=folder)) + "$"):
        expand([pattern], str(folder))


def test_a_file_without_permission_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The superuser may read everything, so the answer of the system is set.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match=re.escape(f"*.warc.gz: no permission to read {folder}/")):
        expand(["*.warc.gz"], str(folder))


def test_remote_files_pass_without_being_asked_for(folder: Path) -> None:
    urls = ["s3://bucket/b.gz", "https://host.example/a.gz?x=1"]
    assert expand(urls, str(folder)) == sorted(urls)

"""Copies of remote files: made once, found again, bounded, and gone when nobody needs them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage import cache
from pipeline.storage.cache import Wanted, fetch, local_copy, local_folder
from pipeline.storage.held import discard, hold, mark_of
from pipeline.storage.scratch import scratch_folder, scratch_root
from tests.pipeline.storage.faulty_server import cut, running, status

KIB = bytes(1024)


@pytest.fixture(name="root", autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRAWLMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path / "cache"
    cache._forget()


def entries(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir())


def test_local_files_are_themselves(tmp_path: Path) -> None:
    assert local_copy(str(tmp_path / "any")) == tmp_path / "any"
    assert local_folder(f"file://{tmp_path}") == tmp_path


def test_a_file_is_fetched_once_through_faults(root: Path) -> None:
    with running({"/a/model.bin": b"x" * 300_000}) as server:
        server.faults.extend([status(503), cut(20)])
        path = local_copy(server.url("/a/model.bin"), sleep=lambda _: None)
        assert (path.name, path.read_bytes()) == ("model.bin", b"x" * 300_000)
        asked = len(server.asked)
        assert local_copy(server.url("/a/model.bin")) == path
        assert len(server.asked) == asked + 1  # its size alone
    assert [file.name for file in path.parent.iterdir()] == ["model.bin"]


def test_a_file_that_is_not_what_was_promised_leaves_nothing(root: Path) -> None:
    with running({"/f": b"content"}) as server:
        url = server.url("/f")
        with pytest.raises(CrawlmixError, match="has SHA-256 ed7002b439e9ac84 instead of 00000000"):
            fetch(["a"], [Wanted(url, "f", 7, "0" * 64)])
        with pytest.raises(CrawlmixError, match="7 bytes instead of 8"):
            fetch(["a"], [Wanted(url, "f", 8)])
    assert not any(path.is_file() for entry in entries(root) for path in entry.rglob("*"))


def test_what_nobody_holds_makes_room_longest_unused_first(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRAWLMIX_CACHE_BYTES", "3KiB")
    with running({f"/{n}": KIB for n in range(5)}) as server:

        def get(number: int) -> Path:
            return fetch([number], [Wanted(server.url(f"/{number}"), "f", 1024)])

        first, second, third = get(0), get(1), get(2)
        cache._forget()
        for age, entry in ((30, second), (20, first), (10, third)):
            os.utime(mark_of(entry), (time.time() - age,) * 2)
        fourth = get(3)
        assert entries(root) == sorted([first, third, fourth])
        descriptor = hold(first)  # as another process would
        assert descriptor is not None
        get(4)
        assert first.exists()
        assert not third.exists()
        monkeypatch.setenv("CRAWLMIX_CACHE_BYTES", "2KiB")
        with pytest.raises(
            CrawlmixError, match=r"no room for copies of remote files: 1\.0 KiB needed, 0 B left; set"
        ):
            get(2)
        os.close(descriptor)


def test_a_limit_that_is_no_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAWLMIX_CACHE_BYTES", "much")
    with (
        running({"/f": KIB}) as server,
        pytest.raises(UsageError, match="CRAWLMIX_CACHE_BYTES: expected a size"),
    ):
        local_copy(server.url("/f"))


def test_a_folder_that_is_held_stays(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    descriptor = hold(folder)
    assert descriptor is not None
    assert not discard(folder)
    assert hold(folder, alone=True, wait=False) is None
    os.close(descriptor)
    assert discard(folder)
    assert not folder.exists()
    assert not mark_of(folder).exists()


def test_scratch_of_the_living_stays_and_of_the_dead_goes() -> None:
    program = (
        "from pipeline.storage.scratch import scratch_folder\n"
        "with scratch_folder() as folder:\n"
        "    (folder / 'big').write_bytes(bytes(9)); print(folder, flush=True); input()"
    )
    environment = os.environ | {"TMPDIR": str(scratch_root().parent)}
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert started.stdout is not None
    theirs = Path(started.stdout.readline().strip())
    with scratch_folder() as mine:
        assert theirs.exists()
        assert list(mine.iterdir()) == []
    assert not mine.exists()
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert theirs.exists()
    with scratch_folder():
        assert not theirs.exists()
    assert list(scratch_root().iterdir()) == []

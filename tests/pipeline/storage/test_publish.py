"""Whatever strikes the writer, a final path holds a whole file or what was there before."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import CrawlmixError
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.publish import clean_temp, is_temp, publish, write_json, write_text


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_content_appears_at_the_end_and_nothing_else_stays(tmp_path: Path) -> None:
    final = tmp_path / "new/folder/part.parquet"
    with publish(str(final)) as temp:
        temp.write_bytes(b"content")
        assert not final.exists()
        assert temp.parent == final.parent
        assert list_dir(str(final.parent)) == []
    assert final.read_bytes() == b"content"
    assert entries(final.parent) == ["part.parquet"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    final = tmp_path / "file"
    write_text(str(final), "before")

    def fail() -> None:
        with publish(str(final)) as temp:
            temp.write_text("half", encoding="utf-8")
            raise LookupError("of the writer")

    with pytest.raises(LookupError, match="of the writer"):
        fail()
    assert entries(tmp_path) == ["file"]
    assert final.read_text(encoding="utf-8") == "before"


def test_text_and_json_are_the_same_bytes_everywhere(tmp_path: Path) -> None:
    write_text(str(tmp_path / "a"), "é\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n"
    write_json(str(tmp_path / "b"), {"z": 1, "a": "é"})
    assert (tmp_path / "b").read_bytes() == b'{\n  "z": 1,\n  "a": "\xc3\xa9"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(str(tmp_path / "b"), float("nan"))
    assert json.loads((tmp_path / "b").read_bytes()) == {"z": 1, "a": "é"}


WRITER = """
import sys, time
from pipeline.storage.publish import publish
with publish(sys.argv[1]) as temp:
    with temp.open("wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        print(temp, flush=True)
        sys.stdin.read()
"""


def test_a_killed_writer_leaves_no_file_and_its_rest_is_cleaned(tmp_path: Path) -> None:
    final = tmp_path / "deep/part"
    command = [sys.executable, "-c", WRITER, str(final)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        rest = Path(writer.stdout.readline().strip())
        assert rest.stat().st_size == 100_000
        assert clean_temp(str(tmp_path)) == []  # its writer lives
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert not final.exists()
    assert list_dir(str(final.parent)) == []
    assert clean_temp(str(tmp_path)) == [rest]
    assert entries(final.parent) == []


def test_cleaning_spares_this_process_other_hosts_and_other_files(tmp_path: Path) -> None:
    (tmp_path / ".notes.tmp").touch()
    foreign = tmp_path / ".part.00000000-1-abcdef01.tmp"
    foreign.touch()
    with publish(str(tmp_path / "file")) as temp:
        temp.touch()
        reused = temp.with_name(temp.name.replace("-", "-", 1)[:-12] + "ffffffff.tmp")
        reused.touch()  # of an earlier process that had this process's number
        assert clean_temp(str(tmp_path)) == [reused]
    os.utime(foreign, (0, 0))
    assert clean_temp(str(tmp_path)) == [foreign]
    assert entries(tmp_path) == [".notes.tmp", "file"]
    assert not is_temp(".notes.tmp")


@contextlib.contextmanager
def _small_disk(folder: Path, options: str) -> Iterator[None]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path: Path) -> None:
    with _small_disk(tmp_path, "size=64k"):
        final = tmp_path / "file"
        write_text(str(final), "before")
        with pytest.raises(CrawlmixError) as caught:
            write_text(str(final), "x" * 200_000)
        assert str(caught.value) == (
            f"{final}: cannot be written: the disk is full; free some space, then start again: what is finished is not done twice"
        )
        assert entries(tmp_path) == ["file"]
        assert final.read_text(encoding="utf-8") == "before"


def test_a_read_only_disk_is_one_line(tmp_path: Path) -> None:
    with _small_disk(tmp_path, "size=64k,ro"):
        for final in (tmp_path / "file", tmp_path / "new/file"):
            with pytest.raises(CrawlmixError) as caught:
                write_text(str(final), "x")
            assert (
                str(caught.value)
                == f"{final}: cannot be written: the file system is read-only; choose another folder"
            )


def test_full_disk_without_the_right_to_mount(tmp_path: Path) -> None:
    def fill() -> None:
        with publish(str(tmp_path / "file")), Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(CrawlmixError, match="the disk is full"):
        fill()
    assert entries(tmp_path) == []


def test_a_path_through_a_file_or_onto_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(CrawlmixError, match="a part of this path is a file, not a folder"):
        write_text(str(tmp_path / "file/below"), "x")
    with pytest.raises(CrawlmixError, match="there is a folder of this name"):
        write_text(str(tmp_path / "folder"), "x")
    assert entries(tmp_path) == ["file", "folder"]


def test_errors_about_other_files_stay_what_they_are(tmp_path: Path) -> None:
    def read_another() -> None:
        with publish(str(tmp_path / "file")):
            raise PermissionError(errno.EACCES, "no", str(tmp_path / "input"))

    with pytest.raises(PermissionError):
        read_another()


def test_listing_and_removing(tmp_path: Path) -> None:
    assert list_dir(str(tmp_path / "none")) == []
    write_text(str(tmp_path / "b"), "")
    write_text(str(tmp_path / "a/c"), "")
    assert list_dir(str(tmp_path)) == ["a", "b"]
    remove(str(tmp_path / "b"))
    remove(str(tmp_path / "b"))
    assert list_dir(str(tmp_path)) == ["a"]

"""What is wrong with input, recipe, disk or workspace: one line, the right exit code, nothing half-written."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import brotli
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.storage.lock import lock
from tests.pipeline.commands import Commands
from tests.pipeline.sources.archives import gz, http, pages, warc
from tests.shared_data import shared

RECIPE = """\
name: small
sources:
  a: {format: warc, paths: [a.warc.gz], part_bytes: 64KiB}
mixtures:
  m: {weights: {a: 1}, sequence_length: 64}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.warc.gz").write_bytes(b"".join(map(gz, pages(300))))
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def crawlmix(place, capsys):
    return Commands(place, capsys)


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (
            "{format: warc, paths: [b.warc.gz]}",
            2,
            "r.yaml:3: sources.a: b.warc.gz: there is no file b.warc.gz in",
        ),
        ("{format: warc, paths: ['*.arc']}", 2, "r.yaml:3: sources.a: *.arc: matches no file in"),
        ("{format: warc, paths: ['no/*.arc']}", 2, "matches no file, since there is no folder"),
        (
            "{format: warc, paths: [/dev/zero]}",
            2,
            "r.yaml:3: sources.a: /dev/zero: /dev/zero is no regular file",
        ),
        (
            "{format: warc, paths: ['ftp://h/a']}",
            2,
            "known are local paths, http://, https://, s3:// and gs://",
        ),
        ("{format: warc, manifest: none.gz}", 2, "there is no file none.gz"),
        ("{format: warc, manifest: list}", 2, "b.warc.gz: there is no such file (listed in"),
    ],
)
def test_an_input_that_cannot_be_read(crawlmix, source, code, message):
    text = f"name: x\nsources:\n  a: {source}\n"
    (crawlmix.folder / "r.yaml").write_text(text)
    (crawlmix.folder / "list").write_text("b.warc.gz\n")
    assert crawlmix.line("build", "r.yaml", "-w", "w", "--until", "extract", "--workers", 1) == (
        code,
        Containing(message),
    )
    assert not (crawlmix.folder / "w/documents").exists()


class Containing(str):
    """Equals every text that contains it."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str(self) in other


def test_all_wrong_inputs_are_told_at_once(crawlmix):
    text = "name: x\nsources:\n  a: {format: warc, paths: [b]}\n  c: {format: text, paths: ['d/*']}\n"
    (crawlmix.folder / "r.yaml").write_text(text)
    for command in (["build", "r.yaml", "-w", "w"], ["check", "r.yaml"]):
        told = crawlmix(*command)
        assert told.code == 2
        assert told.err.count("\n") == 2
        assert "sources.a" in told.err
        assert "sources.c" in told.err


@pytest.mark.parametrize(
    ("workspace", "code", "message"),
    [
        ("a.warc.gz", 2, "a.warc.gz: cannot be used as workspace"),
        ("a.warc.gz/w", 2, "a.warc.gz is a file); choose a folder"),
        ("", 2, "the workspace has no name"),
        ("http://127.0.0.1:9/w", 2, "http cannot be written"),
        (".", 2, "not empty and not a workspace (found a.warc.gz); choose a new or empty folder"),
    ],
)
def test_a_workspace_that_is_none(crawlmix, workspace, code, message):
    before = sorted(crawlmix.folder.rglob("*"))
    assert crawlmix.line("build", "r.yaml", "-w", workspace) == (code, Containing(message))
    assert sorted(crawlmix.folder.rglob("*")) == before


def test_a_workspace_of_another_recipe(crawlmix):
    assert crawlmix("build", "r.yaml", "-w", "w", "--until", "extract", "-q").code == 0
    (crawlmix.folder / "r.yaml").write_text(RECIPE.replace("name: small", "name: other"))
    code, line = crawlmix.line("build", "r.yaml", "-w", "w")
    assert (code, line) == (
        2,
        "w: holds the build of recipe `small`, this one is `other`; choose another --workspace",
    )


def test_a_workspace_in_which_nothing_was_made_is_free(crawlmix):
    missing = RECIPE.replace("a.warc.gz", "b.warc.gz")
    (crawlmix.folder / "r.yaml").write_text(missing)
    assert crawlmix("build", "r.yaml", "-w", "w").code == 2
    (crawlmix.folder / "r.yaml").write_text(RECIPE.replace("name: small", "name: other"))
    assert crawlmix("build", "r.yaml", "-w", "w", "--until", "extract", "-q").code == 0


def test_two_builds_in_one_workspace(crawlmix):
    with lock("w"):
        code, line = crawlmix.line("build", "r.yaml", "-w", "w")
    assert code == 1
    assert line.startswith(f"w: another build is running in this workspace (process {os.getpid()} on ")


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, whose size and rights a test changes by mounting it again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or mount(folder, "size=8m").returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(folder: Path, options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True
    )


@pytest.mark.slow
def test_a_full_disk_at_any_stage(crawlmix, disk):
    assert crawlmix("build", "r.yaml", "-w", "roomy", "-q").code == 0
    whole = digest(crawlmix.folder / "roomy")
    workspace = disk / "w"
    stops = Counter()
    for kilobytes in (16, 140, 240):
        mount(disk, f"remount,size={kilobytes}k")
        told = crawlmix("build", "r.yaml", "-w", workspace, "-q", "--workers", 2)
        if told.code == 0:
            break
        assert told.code == 1
        assert told.err.count("\n") == 1
        assert str(disk) in told.err
        assert "the disk is full" in told.err
        stops[len(list(workspace.glob("*")))] += 1
        for part in workspace.rglob("part-*.parquet"):
            pq.read_metadata(part)
        for file in workspace.rglob("*.json"):
            json.loads(file.read_text())
    assert sum(stops.values()) >= 2
    assert len(stops) >= 2  # it filled at different stages
    mount(disk, "remount,size=64m")
    assert crawlmix("build", "r.yaml", "-w", workspace, "-q").code == 0
    assert digest(workspace) == whole
    assert not list(workspace.rglob(".*.tmp"))


def digest(workspace: Path) -> str:
    return json.loads((workspace / "build.json").read_text())["dataset_digest"]


def test_a_read_only_workspace(crawlmix, disk):
    mount(disk, "remount,ro")
    code, line = crawlmix.line("build", "r.yaml", "-w", disk / "w")
    assert (code, line) == (1, Containing("Read-only file system"))
    mount(disk, "remount,rw")
    assert crawlmix("build", "r.yaml", "-w", disk / "w", "-q", "--until", "extract").code == 0
    mount(disk, "remount,ro")
    code, line = crawlmix.line("build", "r.yaml", "-w", disk / "w")
    assert (code, line) == (1, Containing("Read-only file system"))
    assert crawlmix("status", disk / "w").code == 0


def bomb(coding: str) -> bytes:
    """2 GB of one letter, in what a gzip, brotli or zstd encoder makes of it."""
    if coding == "gzip":
        piece = gzip.compress(b"a" * (64 << 20), mtime=0)
        return piece * 32
    piece = b"a" * (16 << 20)
    if coding == "br":
        squeeze = brotli.Compressor(quality=1)
        return b"".join(squeeze.process(piece) for _ in range(128)) + squeeze.finish()
    context = zstandard.ZstdCompressor().compressobj()
    return b"".join(context.compress(piece) for _ in range(128)) + context.flush()


HOSTILE = {
    "nested": (lambda: b"<div>" * 100_000 + b"deep", [], "too_deep"),
    "rows": (lambda: b"<table>" + b"<tr><td>x" * 300_000, [], "too_many_tags"),
    "large": (lambda: b"<p>" + b"words " * 10_000_000, [], "too_large"),
    "gzip bomb": (lambda: bomb("gzip"), ["Content-Encoding: gzip"], "too_large"),
    "br bomb": (lambda: bomb("br"), ["Content-Encoding: br"], "too_large"),
    "zstd bomb": (lambda: bomb("zstd"), ["Content-Encoding: zstd"], "too_large"),
    "attributes": (lambda: b"<p " + b"a=b " * 500_000 + b">text</p>", [], None),
    "entities": (lambda: b"<p>" + b"&amp;" * 500_000, [], None),
    "NULs": (lambda: b"<p>before" + b"\0" * 10_000 + b"after</p>", [], "kept"),
    "surrogates": (
        lambda: b"<p>lone &#xD800; and &#xDFFF; and " + "\ud800".encode("utf-8", "surrogatepass") + b" end",
        [],
        "kept",
    ),
    "no end of a comment": (lambda: b"<!--" * 300_000, [], None),
    "no end of a tag": (lambda: b"<" * 1_000_000, [], None),
    "only a good page": (lambda: b"<p>Good text.</p>", [], "kept"),
}


def test_hostile_pages_end_with_a_counted_reason(crawlmix):
    records = [
        gz(warc(http(make(), *headers), number=number))
        for number, (make, headers, _) in enumerate(HOSTILE.values())
    ]
    (crawlmix.folder / "a.warc.gz").write_bytes(b"".join(records))
    start = time.process_time()
    assert crawlmix("build", "r.yaml", "-w", "w", "--until", "extract", "--workers", 2, "-q").code == 0
    assert time.process_time() - start < 30
    rows = [
        row
        for part in sorted((crawlmix.folder / "w/documents/a").glob("part-*"))
        for row in pq.read_table(part).to_pylist()
    ]
    assert len(rows) == len(HOSTILE)
    for row, (name, (_, _, fate)) in zip(rows, HOSTILE.items(), strict=True):
        assert fate in {None, row["rule"], row["fate"]}, (name, row["rule"], row["detail"])
        assert "\0" not in (row["text"] or "")
        (row["text"] or "").encode()
    ledger = json.loads((crawlmix.folder / "w/ledger.json").read_text())["sources"]["a"]
    counted = Counter(row["rule"] for row in rows if row["fate"] != "kept")
    assert ledger["removed"] | ledger["failed"] == dict(counted)
    status = json.loads((crawlmix.folder / "w/build.json").read_text())
    assert status["stages"][0]["cpu_seconds"] < 60


def test_the_bad_archives_are_survived_and_accounted_for(crawlmix):
    folder = shared("crawl/bad")
    text = f"name: bad\nsources:\n  a: {{format: warc, paths: ['{folder}/*.warc*']}}\nlimits: {{max_failed: 1}}\n"
    (crawlmix.folder / "r.yaml").write_text(text)
    assert crawlmix("build", "r.yaml", "-w", "w", "--until", "extract", "-q").code == 0
    ledger = json.loads((crawlmix.folder / "w/ledger.json").read_text())["sources"]["a"]
    files = {Path(gap["file"]).name: gap["offset"] for gap in ledger["bytes_skipped"]}
    assert {"random-bytes.warc.gz", "s3-error-named-warc.warc.gz", "garbage-between-members.warc.gz"} <= set(
        files
    )
    assert ledger["records"] == ledger["kept"] + sum(ledger["removed"].values()) + sum(
        ledger["failed"].values()
    )
    assert ledger["kept"] > 100


@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 143)],
)
def test_an_interrupt_is_one_line_and_leaves_no_process(place, number, to_group, code):
    command = [sys.executable, "-m", "pipeline.cli.main", "build", "r.yaml", "-w", "w", "--until", "extract"]
    root = str(Path(__file__).resolve().parents[2])
    (place / "a.warc.gz").write_bytes(b"".join(map(gz, pages(4000))))
    build = subprocess.Popen(
        [*command, "--workers", "2", "-q"],
        env={**os.environ, "PYTHONPATH": root},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    while build.poll() is None and not (place / "w/documents").exists():
        time.sleep(0.02)
    (os.killpg if to_group else os.kill)(build.pid, number)
    _, told = build.communicate(timeout=60)
    assert build.returncode == code
    assert told.strip() == "crawlmix: interrupted; the same command continues where it stopped"
    for _ in range(100):  # an extractor that works on a page hears of it after that page
        if not session(build.pid):
            break
        time.sleep(0.05)
    assert session(build.pid) == []
    assert not list((place / "w").rglob(".*.tmp"))


def session(leader: int) -> list[int]:
    """Processes of a session that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found

"""However files are cut and whoever reads the pieces: the rows are those of one reader of each whole file."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import extract_stage
from pipeline.context import Context
from pipeline.pool import Done
from pipeline.progress import Progress
from pipeline.recipe import parse_recipe
from pipeline.tasks import run_task
from pipeline.workspace import Workspace
from tests.pipeline.builds import run
from tests.pipeline.sources.archives import gz, http, pages, stored_gz, warc, zst
from tests.shared_data import shared


class SamePlace:
    """Does jobs in this process, the steps of all in an order of its own; a step may be forgotten, as by a crash."""

    def __init__(self, seed: int, forgotten: float = 0.0) -> None:
        self.chance = random.Random(seed)
        self.forgotten = forgotten
        self.ran: list[str] = []

    def run(self, jobs, on_done=None):
        steps = [step for job in jobs for step in job.steps]
        self.chance.shuffle(steps)
        for step in steps:
            if self.chance.random() >= self.forgotten:
                self.do(step)
        done = [Done(job, self.do(job.whole), 0.0) for job in jobs]
        for item in done:
            on_done(item)
        return done

    def do(self, task):
        self.ran.append(task["kind"])
        return run_task(task, lambda _records, _bytes: None)


def extract(folder: Path, workspace: Path, part_bytes: int, pool) -> tuple[list[dict], list[dict]]:
    text = f"name: s\nsources:\n  a: {{format: warc, paths: [in/*], part_bytes: {part_bytes}}}\n"
    recipe = parse_recipe(text, base=folder)
    context = Context(recipe, Workspace(str(workspace)), pool, Progress(quiet=True))
    states = extract_stage.run(context)["a"]
    rows = read(workspace, "a")
    assert sum(state.rows for state in states) == len(rows)
    return rows, [gap for state in states for gap in state.more["skipped"]]


def read(workspace: Path, source: str) -> list[dict]:
    parts = sorted((workspace / "documents" / source).iterdir())
    assert all(part.name.startswith("part-") for part in parts)  # nothing unfinished lies about
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def nested(number: int, depth: int = 1) -> bytes:
    """A record whose payload is an archive: whoever starts in its middle finds records that are none."""
    inner = b"".join(map(gz, pages(6, first=1000 * number + 100 * depth)))
    if depth > 1:
        inner += stored_gz(nested(number, depth - 1))
    return warc(http(inner, mime="application/warc"), number=number)


ARCHIVES = {
    "members": lambda: b"".join(map(gz, pages(40))),
    "one member": lambda: gz(b"".join(pages(40))),
    "plain": lambda: b"".join(pages(40)),
    "zstandard": lambda: b"".join(map(zst, pages(40))),
    "an archive in each record": lambda: b"".join(stored_gz(nested(n)) for n in range(1, 5)),
    "archives in archives": lambda: b"".join(stored_gz(nested(n, depth=3)) for n in range(1, 4)),
    "a plain archive in plain records": lambda: b"".join(
        warc(http(b"".join(pages(10, first=100 * n)), mime="application/warc"), number=n) for n in range(1, 5)
    ),
    "archives between pages": lambda: b"".join(
        gz(record) if n % 3 else stored_gz(nested(50 + n)) for n, record in enumerate(pages(15))
    ),
    "damage": lambda: b"".join(
        member if n % 7 else member[:-30] + b"lost" * 40 for n, member in enumerate(map(gz, pages(30)))
    ),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_no_cut_changes_a_row(kind, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    data = ARCHIVES[kind]()
    (tmp_path / "in/a.warc").write_bytes(data)
    (tmp_path / "in/b.warc").write_bytes(gz(pages(1, first=7)[0]))
    whole = extract(tmp_path, tmp_path / "whole", 1 << 30, SamePlace(0))
    chance = random.Random(len(data))
    sizes = [chance.randrange(len(data) // 9, len(data) // 3), chance.randrange(len(data) // 3, len(data))]
    for number, part_bytes in enumerate(sizes):
        monkeypatch.setattr(extract_stage, "_SLICE_BYTES", chance.randrange(part_bytes // 9, part_bytes))
        pool = SamePlace(number, forgotten=0.2)
        assert extract(tmp_path, tmp_path / f"w{number}", part_bytes, pool) == whole, part_bytes
        assert not list((tmp_path / f"w{number}").rglob("*.arrow"))


def test_a_large_file_is_shared_by_all_workers(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.warc.gz").write_bytes(b"".join(map(gz, pages(60))))
    monkeypatch.setattr(extract_stage, "_SLICE_BYTES", 4000)
    pool = SamePlace(0)
    extract(tmp_path, tmp_path / "w", 128 << 20, pool)
    assert pool.ran.count("extract_part") == 1
    assert pool.ran.count("extract_slice") >= 5


def test_real_archives_in_one_file_give_the_rows_of_each(tmp_path, monkeypatch):
    """Two archives of a crawl, joined: parts and slices read by two workers at once, against one reader."""
    data = shared("crawl/small/small-00000.warc.gz").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/joined.warc.gz").write_bytes(data * 2)
    text = "name: s\nsources:\n  a: {format: warc, paths: [in/*], part_bytes: %d}\n"
    run(tmp_path, tmp_path / "whole", text % (1 << 30), until="extract", workers=1)
    monkeypatch.setattr(extract_stage, "_SLICE_BYTES", 300_000)
    run(tmp_path, tmp_path / "cut", text % 1_500_000, until="extract", workers=2)
    assert len(list((tmp_path / "cut/documents/a").iterdir())) == 4
    whole = read(tmp_path / "whole", "a")
    assert len(whole) == 2 * 466
    assert read(tmp_path / "cut", "a") == whole


def test_a_worker_that_is_killed_changes_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.warc.gz").write_bytes(b"".join(map(gz, pages(3000))))
    text = "name: s\nsources:\n  a: {format: warc, paths: [in/*], part_bytes: 200KiB}\n"
    (tmp_path / "r.yaml").write_text(text)
    run(tmp_path, tmp_path / "calm", text, until="extract", workers=2)
    command = [sys.executable, "-m", "pipeline.cli.main", "build", "r.yaml", "-w", "w", "--until", "extract"]
    build = subprocess.Popen(
        [*command, "--workers", "2", "-q"], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    while build.poll() is None and len(workers := children(build.pid)) < 2:
        time.sleep(0.02)
    while build.poll() is None and not (tmp_path / "w/documents").exists():
        time.sleep(0.02)
    for worker in workers:  # both at once: each has another task, and a task survives one death
        os.kill(worker, signal.SIGKILL)
    _, told = build.communicate(timeout=60)
    assert (build.returncode, told) == (0, "")
    assert len(workers) == 2
    assert read(tmp_path / "w", "a") == read(tmp_path / "calm", "a")


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **more}


def children(pid: int) -> list[int]:
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, listed.read_text().split())
        except OSError:  # the thread has just ended
            continue
    return found

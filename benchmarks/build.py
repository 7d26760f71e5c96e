"""`crawlmix build --until extract`: start-up, CPU for each record, the gain of a second worker, memory.

    python -m benchmarks.build [--data DIR] [--rounds N]

Start-up is the CPU time of a build of a one-record archive, workers and extractor included. Wall times of one and two
workers are taken in turn, and the best of each is compared: other work on the machine only ever adds to them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
_SAMPLE_SECONDS = 0.1


@dataclass
class Run:
    """What a build took: seconds, CPU seconds of all its processes, largest resident megabytes by kind of process."""

    wall: float
    cpu: float
    memory: dict[str, float] = field(default_factory=dict)


def build(recipe: Path, workspace: Path, workers: int) -> Run:
    """Run the command in a process of its own and watch its processes."""
    command = [sys.executable, "-m", "pipeline.cli.main", "build", str(recipe), "-w", str(workspace)]
    before, start = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        [*command, "--until", "extract", "--workers", str(workers), "-q"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    memory: dict[str, float] = {}
    watcher = threading.Thread(target=watch, args=(process, memory))
    watcher.start()
    if process.wait() != 0:
        raise SystemExit("the build failed")
    wall = time.perf_counter() - start
    watcher.join()
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, memory)


def watch(process: "subprocess.Popen[bytes]", memory: dict[str, float]) -> None:
    """Note the largest resident size of the build, of its workers and of their extractors, while it runs."""
    while process.poll() is None:
        for pid in family(process.pid):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            kind = (
                "extractor"
                if b"extract.worker" in line
                else "worker"
                if b"pipeline.worker" in line
                else "parent"
            )
            peak = next((row.split()[1] for row in status.splitlines() if row.startswith("VmHWM:")), "0")
            memory[kind] = max(memory.get(kind, 0.0), int(peak) / 1024)
        time.sleep(_SAMPLE_SECONDS)


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue
        for child in children:
            found += family(int(child))
    return found


def write_recipe(folder: Path, files: str, more: str = "") -> Path:
    recipe = folder / f"{len(list(folder.iterdir()))}.yaml"
    recipe.write_text(f"name: bench\nsources:\n  crawl: {{format: warc, paths: ['{files}']{more}}}\n")
    return recipe


def records(workspace: Path) -> int:
    return sum(pq.read_metadata(part).num_rows for part in (workspace / "documents/crawl").glob("part-*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=2)
    told = parser.parse_args()
    crawl = told.data / "crawl" / "dev"
    if not crawl.is_dir():
        raise SystemExit(f"{crawl}: no such folder; name one that holds crawl/dev by --data")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "one.warc.gz").write_bytes(first_member(crawl))
        one = write_recipe(folder, str(folder / "one.warc.gz"))
        dev = write_recipe(folder, f"{crawl}/*.warc.gz")
        start_up = min(
            (build(one, folder / f"one-{n}", 1) for n in range(told.rounds)), key=lambda run: run.cpu
        )
        alone, pair = [], []
        for n in range(told.rounds):
            alone.append(build(dev, folder / f"alone-{n}", 1))
            pair.append(build(dev, folder / f"pair-{n}", 2))
        count = records(folder / "alone-0")
        pages = sum(
            1
            for part in (folder / "alone-0/documents/crawl").glob("part-*")
            for rule in pq.read_table(part, columns=["rule"])["rule"].to_pylist()
            if rule != "record_type"
        )
        few = build(write_recipe(folder, f"{crawl}/*.warc.gz", ", part_bytes: 4MiB"), folder / "few", 2)
        many = build(write_recipe(folder, f"{crawl}/*.warc.gz", ", part_bytes: 200KiB"), folder / "many", 2)
        parts = [len(list((folder / name / "documents/crawl").glob("part-*"))) for name in ("few", "many")]
    best, both = min(alone, key=lambda run: run.cpu), min(pair, key=lambda run: run.wall)
    work = best.cpu - start_up.cpu
    print(f"start-up                      {start_up.cpu:8.2f} CPU s   ({start_up.wall:.1f} s)")
    print(f"1 worker                      {best.cpu:8.2f} CPU s   ({best.wall:.1f} s)")
    print(f"2 workers                     {both.cpu:8.2f} CPU s   ({both.wall:.1f} s)")
    print(f"beyond start-up, a record     {1000 * work / count:8.2f} CPU ms  ({count:,} records)")
    print(f"beyond start-up, a response   {1000 * work / pages:8.2f} CPU ms  ({pages:,} responses)")
    print(
        f"2 workers against 1           {min(run.wall for run in alone) / both.wall:8.2f} x      (best of {told.rounds}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})"
    )
    for name, run in (
        ("1 worker", best),
        ("2 workers", both),
        (f"{parts[0]} parts", few),
        (f"{parts[1]} parts", many),
    ):
        shown = ", ".join(f"{kind} {size:.0f}" for kind, size in sorted(run.memory.items()))
        print(f"memory, {name:<22}{shown} MB")


def first_member(crawl: Path) -> bytes:
    """The first two records of the crawl: its description of itself, and a request."""
    import zlib

    data = next(iter(sorted(crawl.glob("*.warc.gz")))).read_bytes()[: 1 << 20]
    end = 0
    for _ in range(2):
        squeeze = zlib.decompressobj(31)
        squeeze.decompress(data[end:])
        end = len(data) - len(squeeze.unused_data)
    return data[:end]


if __name__ == "__main__":
    main()

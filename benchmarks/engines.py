"""One recipe on every engine with as many workers: seconds by stage, and how many times those of `direct` they are.

    make engines
    python -m benchmarks.engines [--data DIR] [--copies N] [--engines direct,prism,flink,spark] [--until STAGE]
    python -m benchmarks.engines --engines direct,loopback --workers 1

Loop-back and Prism have one Python process, so theirs is the second line.

A stage's seconds are wall time, from `build.json`, and hold what the engine itself takes: its jobs' start, Python
workers, shuffles. CPU seconds are those of the tasks alone, so between engines they should hardly differ. The crawl is
read `--copies` times, under another name each time, for stages long enough to judge; copies are found and kept, so
that the stages after the search for them have as many documents.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.engines.clusters import ROOT, WORKERS, engine

STAGES = ("extract", "annotate", "dedup", "decontaminate", "tokenize")
_SECONDS = 3600


def write_recipe(folder: Path, data: Path, copies: int) -> Path:
    """Write a recipe with every stage over the development crawl."""
    crawl = data / "crawl" / "dev"
    for number in range(copies):
        (folder / str(number)).mkdir()
        for path in sorted(crawl.glob("*.warc.gz")):
            (folder / str(number) / path.name).symlink_to(path)
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "name: engines\n"
        "sources:\n"
        "  crawl: {format: warc, paths: ['*/*.warc.gz'], filter: web, part_bytes: 4MiB}\n"
        f"  books: {{format: jsonl, paths: ['{data}/ref/books/books.jsonl.gz'], role: positive}}\n"
        "filters:\n  web: {languages: [en], heuristics: [gopher_repetition, gopher_quality],"
        " quality: {model: good, keep: {threshold: 0.01}}}\n"
        "classifiers:\n  good: {documents_per_class: 40}\n"
        "dedup: {protected: [crawl]}\n"
        f"decontaminate: {{benchmarks: ['{data}/ref/benchmarks/*.jsonl.gz']}}\n"
        "mixtures:\n  m: {weights: {crawl: 1, books: 1}, sequence_length: 2048, tokens: 1M}\n"
    )
    return recipe


def run(name: str, recipe: Path, folder: Path, until: str, workers: int) -> dict[str, dict[str, float]]:
    """Build on one engine; returns the records of its stages."""
    workspace = folder / f"workspace-{name}"
    command = [sys.executable, "-m", "pipeline.cli.main", "build", str(recipe), "-w", str(workspace), "-q"]
    with engine(name, folder / name) as running:
        subprocess.run(
            [*command, "--until", until, "--workers", str(workers), "--", *running.options],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=_SECONDS,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    told = json.loads((workspace / "build.json").read_text())
    print(f"{name:<9} dataset digest {told['dataset_digest']}", flush=True)
    return {stage["name"]: stage for stage in told["stages"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--engines", default="direct,loopback,prism,flink,spark")
    parser.add_argument("--until", default="mix")
    parser.add_argument("--workers", type=int, default=WORKERS, help="of direct; clusters have two")
    told = parser.parse_args()
    if not (told.data / "crawl" / "dev").is_dir():
        raise SystemExit(f"{told.data}: holds no crawl/dev; name a folder that does by --data")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        recipe = write_recipe(folder, told.data.resolve(), told.copies)
        found = {
            name: run(name, recipe, folder, told.until, told.workers) for name in told.engines.split(",")
        }
    base = next(iter(found))
    print(f"\n{'stage':<14}" + "".join(f"{name:>10} s {'CPU s':>7} {'times':>6}" for name in found))
    for stage in (name for name in STAGES if name in found[base]):
        line = f"{stage:<14}"
        for stages in found.values():
            took, cpu = stages[stage]["seconds"], stages[stage]["cpu_seconds"]
            line += f"{took:>12.1f} {cpu:>7.1f} {took / found[base][stage]['seconds']:>6.2f}"
        print(line)


if __name__ == "__main__":
    main()

"""The whole dedup stage of a build on made-up documents: seconds, memory, bytes shuffled, growth.

    python -m benchmarks.dedup_job [--documents N] [--part ROWS]

Writes `documents` and `annotations` as the stages before leave them, signatures made directly: of the documents a
tenth are exact copies and a tenth near copies (similarity .75 to 1) of others. Each size runs in a process of its own,
on the direct engine, in a temporary folder; seconds are wall and CPU time of the stage, Beam's import included.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dedup.columns import to_binary
from pipeline.dedup.scheme import Scheme
from pipeline.document import DOCUMENTS
from pipeline.recipe import Recipe, parse_recipe
from pipeline.workspace import PartState, Workspace

RECIPE = "name: bench\nsources:\n  crawl: {format: jsonl, paths: [none.jsonl]}\n"
HASHES = 112


def make_minima(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Signatures (count, HASHES), and a number for each text."""
    minima = generator.integers(0, 1 << 32, (count, HASHES), dtype=np.uint32)
    texts = np.arange(count, dtype=np.uint64)
    chosen = generator.permutation(count)
    exact, near, first = np.split(chosen, [count // 10, count // 5])
    source = generator.choice(first, len(exact))
    minima[exact], texts[exact] = minima[source], texts[source]
    source = generator.choice(first, len(near))
    changed = generator.random((len(near), HASHES), dtype=np.float32) > generator.uniform(
        0.75, 1, (len(near), 1)
    )
    minima[near] = np.where(changed, minima[near], minima[source])
    return minima, texts


def write_parts(workspace: Workspace, count: int, part_rows: int) -> list[PartState]:
    generator = np.random.default_rng(0)
    minima, texts = make_minima(count, generator)
    scheme = Scheme(num_hashes=HASHES)
    states = []
    for index, begin in enumerate(range(0, count, part_rows)):
        rows = np.arange(begin, min(count, begin + part_rows))
        size = len(rows)
        documents = {name: pa.nulls(size, DOCUMENTS.field(name).type) for name in DOCUMENTS.names}
        blocks = generator.integers(0, 1 << 32, (size, 4), dtype=np.uint32)
        documents["id"] = pa.array(
            [f"<urn:uuid:{a:08x}-{b:08x}-{c:08x}-{d:08x}>" for a, b, c, d in blocks.tolist()]
        )
        documents["timestamp"] = pa.array(["2024-05-18T12:00:00Z"] * size)
        documents["fate"] = pa.array(["kept"] * size)
        state = PartState(f"part-{index}", rows=size, kept=size)
        annotations = pa.table(
            {
                "characters": pa.array(generator.integers(200, 20_000, size), pa.int32()),
                "quality": pa.array(generator.random(size), pa.float32()),
                "text_hash": to_binary(np.stack([texts[rows]] * 2, axis=1)).cast(pa.binary(16)),
                "signature": to_binary(minima[rows]).cast(pa.binary()),
                "fate": pa.array(["kept"] * size),
            }
        )
        for table, content in (("documents", pa.table(documents)), ("annotations", annotations)):
            path = Path(workspace.part(table, "crawl", index))
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {**scheme.to_metadata(), **state.to_metadata()}
            pq.write_table(
                content.replace_schema_metadata(metadata), path, compression="zstd", row_group_size=4096
            )
        states.append(state)
    return states


def run(count: int, part_rows: int) -> None:
    """Build the stage over `count` documents and print what it took as JSON."""
    from pipeline import dedup_stage
    from pipeline.context import Context
    from pipeline.pool import WorkerPool
    from pipeline.progress import Progress
    from pipeline.runner import import_beam
    from pipeline.stage import run_pipeline

    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(str(Path(folder) / "w"))
        states = write_parts(workspace, count, part_rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        shuffled = {}

        def counting(stage: str, build: object, options: object) -> dict[str, int]:
            begin = time.perf_counter()
            counters = run_pipeline(stage, build, options)  # type: ignore[arg-type]
            for name, size in counters.items():
                if name.startswith("shuffled_"):
                    shuffled[name.removeprefix("shuffled_").replace("_", " ")] = size
            seconds[stage.removeprefix("dedup-")] = round(time.perf_counter() - begin, 2)
            return counters

        seconds: dict[str, float] = {}
        import_beam()
        from pipeline import dedup_jobs

        dedup_jobs.run_pipeline = counting  # type: ignore[assignment]
        recipe: Recipe = parse_recipe(RECIPE, base=Path(folder))
        wall, cpu = time.perf_counter(), time.process_time()
        with WorkerPool(1) as pool:
            context = Context(recipe, workspace, pool, Progress(quiet=True))
            found = dedup_stage.run(context, {"crawl": states})["crawl"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        dropped = sum(sum(state.removed.values()) for state in found)
        print(
            json.dumps(
                {
                    "wall": time.perf_counter() - wall,
                    "cpu": time.process_time() - cpu,
                    "peak": peak,
                    "before": before,
                    "dropped": dropped,
                    "shuffled": shuffled,
                    "jobs": seconds,
                }
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--part", type=int, default=50_000)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        run(arguments.only, arguments.part)
        return
    print(
        f"{'documents':>12} {'seconds':>8} {'CPU s':>8} {'peak MiB':>9} {'dropped':>9}  bytes shuffled a document"
    )
    cpu = []
    for count in (arguments.documents // 10, arguments.documents):
        command = [
            sys.executable,
            "-m",
            "benchmarks.dedup_job",
            "--only",
            str(count),
            "--part",
            str(arguments.part),
        ]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        by_job = {name: number / count for name, number in told["shuffled"].items() if number}
        print(
            f"{count:12,} {told['wall']:8.1f} {told['cpu']:8.1f} {told['peak']:9,.0f} {told['dropped']:9,}"
            f"  {sum(by_job.values()):.0f} ({', '.join(f'{name} {size:.1f}' for name, size in by_job.items())})"
        )
        print(f"{'':12} seconds by job: {', '.join(f'{name} {size}' for name, size in told['jobs'].items())}")
        cpu.append(told["cpu"])
    print(f"ten times the documents take {cpu[1] / cpu[0]:.1f} times the CPU seconds")


if __name__ == "__main__":
    main()

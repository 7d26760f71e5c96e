"""What a build of 100,000 parts costs before its first worker starts: listing, planning, the job's list and graph.

    python -m benchmarks.driver [--parts 100000] [--stores local,s3]

Every part is a file of its own, which is the worst case: a WARC file of 1 GB is one entry to list and eight parts. Each
row is a process of its own; `memory` is the most that it held. The limit is 30 s and 1 GB. The s3 store is moto's on
this machine, in another process; its seconds are mostly its own, so its requests are counted too.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam

from pipeline import extract_stage, stage
from pipeline.recipe import parse_recipe
from pipeline.runner import make_pipeline
from pipeline.workspace import Workspace

_RECIPE = """\
name: driver
sources:
  crawl: {{format: warc, {files}}}
mixtures:
  m: {{weights: {{crawl: 1}}, sequence_length: 64}}
"""
_RECORD = gzip.compress(b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n")
_BUCKET = "driver"
_PORTABLE = ["--runner=PortableRunner", "--job_endpoint=localhost:1", "--environment_type=LOOPBACK"]


def plan(files: str, folder: Path) -> None:
    """Plan one source and print what it took, as JSON."""
    recipe = parse_recipe(_RECIPE.format(files=files), base=folder)
    graphs = []

    def keep(_stage: str, build: Callable[[beam.Pipeline], None], options: Sequence[str]) -> dict[str, int]:
        pipeline = make_pipeline(options)
        build(pipeline)
        graphs.append(len(pipeline.to_runner_api().SerializeToString()))
        return {}

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    tasks = extract_stage.plan_parts(recipe, Workspace(str(folder / "w")), "crawl")
    listed = time.perf_counter() - start
    jobs = [extract_stage._plan(task).job for task in tasks]
    stage.run_pipeline = keep
    start = time.perf_counter()
    stage.run_jobs("extract", jobs, manifest=str(folder / "jobs.jsonl"), beam_options=_PORTABLE)
    told = {
        "parts": len(tasks),
        "listing": listed,
        "graph": time.perf_counter() - start,
        "cpu": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        "before": before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes": graphs[0],
    }
    print(json.dumps(told))


def measure(name: str, files: str, folder: Path) -> None:
    """Plan in a process of its own and print a row."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.driver", "--plan", files, "--folder", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{name:<22}{told['parts']:>9,}{told['listing']:>10.1f}{told['graph']:>9.1f}{told['cpu']:>8.1f}"
        f"{told['memory']:>10.0f}{told['bytes'] / 1000:>10.1f}",
        flush=True,
    )


def local(parts: int, folder: Path) -> None:
    """Files on this machine, by pattern and by manifest."""
    (folder / "in").mkdir()
    names = [f"in/{number:06d}.warc.gz" for number in range(parts)]
    for name in names:
        (folder / name).write_bytes(_RECORD)
    (folder / "warc.paths").write_text("".join(f"{name}\n" for name in names))
    measure("local, pattern", "paths: [in/*.warc.gz]", folder)
    measure("local, manifest", f"manifest: warc.paths, base_url: {folder}", folder)


def simple_storage(parts: int, folder: Path) -> None:
    """Objects of a store."""
    script = (
        "import sys, time; from moto.server import ThreadedMotoServer; from moto.s3.models import s3_backends as all_\n"
        "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False); server.start()\n"
        "store = all_['123456789012']['aws']\n"
        f"store.create_bucket({_BUCKET!r}, 'us-east-1')\n"
        f"for n in range({parts}): store.put_object({_BUCKET!r}, f'in/{{n // 1000:03d}}/{{n:06d}}.warc.gz', {_RECORD!r})\n"
        "print(server.get_host_and_port()[1], flush=True); time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            (folder / "warc.paths").write_text(
                "".join(f"in/{n // 1000:03d}/{n:06d}.warc.gz\n" for n in range(parts))
            )
            measure("s3, pattern", f"paths: ['s3://{_BUCKET}/in/*/*.warc.gz']", folder)
            measure("s3, manifest", f"manifest: warc.paths, base_url: 's3://{_BUCKET}'", folder)
        finally:
            server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", type=int, default=100_000)
    parser.add_argument("--stores", default="local,s3")
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.plan:
        plan(told.plan, told.folder)
        return
    print(
        f"{'files':<22}{'parts':>9}{'listing s':>10}{'graph s':>9}{'CPU s':>8}{'memory MB':>10}{'graph KB':>10}"
    )
    for name in told.stores.split(","):
        with tempfile.TemporaryDirectory() as folder:
            {"local": local, "s3": simple_storage}[name](told.parts, Path(folder))


if __name__ == "__main__":
    main()

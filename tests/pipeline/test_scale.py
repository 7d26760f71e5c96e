"""What must not grow with the number of parts, and what must not depend on where, when and beside what a build runs."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from pipeline import extract_stage, stage
from pipeline.context import Context
from pipeline.pool import Job
from pipeline.progress import Progress
from pipeline.recipe import parse_recipe
from pipeline.runner import make_pipeline
from pipeline.workspace import Workspace, read_state
from tests.pipeline.sources.archives import gz, pages
from tests.pipeline.test_slices import SamePlace, environment

RECIPE = """\
name: scale
sources:
  a: {format: warc, paths: [in/*.warc.gz]}
mixtures:
  m: {weights: {a: 1}, sequence_length: 64}
"""


def inputs(folder: Path, number: int) -> None:
    (folder / "in").mkdir()
    for i, record in enumerate(map(gz, pages(number))):
        (folder / f"in/{i:05d}.warc.gz").write_bytes(record)


def test_the_graph_does_not_grow_with_the_number_of_parts(tmp_path, monkeypatch):
    graphs = []

    def keep(_stage, build, options):
        pipeline = make_pipeline(options)
        build(pipeline)
        graphs.append(pipeline.to_runner_api().SerializeToString())
        return {}

    monkeypatch.setattr(stage, "run_pipeline", keep)
    for number in (1, 2000):
        jobs = [Job({"kind": "extract_part", "name": f"part {i}"}) for i in range(number)]
        stage.run_jobs("extract", jobs, manifest=str(tmp_path / "jobs.jsonl"))
    assert len(graphs[0]) == pytest.approx(len(graphs[1]), abs=100)  # pickles differ by a few bytes of names
    assert len(graphs[1]) < 100_000


def test_planning_takes_little_memory_for_each_file(tmp_path):
    """At 100,000 files the plan must stay far under a gigabyte: 4 KB for each."""
    inputs(tmp_path, 400)
    recipe = parse_recipe(RECIPE, base=tmp_path)
    extract_stage.plan_parts(recipe, Workspace(str(tmp_path / "w")), "a")  # imports and caches
    tracemalloc.start()
    tasks = extract_stage.plan_parts(recipe, Workspace(str(tmp_path / "w")), "a")
    plans = [extract_stage._plan(task) for task in tasks]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(plans) == 400
    assert size / 400 < 4096


def test_a_finished_stage_reads_each_footer_once(tmp_path, monkeypatch):
    inputs(tmp_path, 30)
    recipe = parse_recipe(RECIPE, base=tmp_path)

    def extract() -> Context:
        context = Context(recipe, Workspace(str(tmp_path / "w")), SamePlace(0), Progress(quiet=True))
        extract_stage.run(context)
        return context

    assert extract().records[0].done == 30
    asked = []
    monkeypatch.setattr("pipeline.context.read_state", lambda path: asked.append(path) or read_state(path))
    assert extract().records[0].done == 0
    assert len(asked) == len(set(asked)) == 30


def build(folder: Path, workspace: str, workers: int, **more: str) -> str:
    command = [sys.executable, "-m", "pipeline.cli.main", "build", "r.yaml", "-w", workspace, "-q"]
    done = subprocess.run(
        [*command, "--workers", str(workers)],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads((folder / workspace / "build.json").read_text())["dataset_digest"]


@pytest.mark.slow
def test_neither_time_zone_nor_language_nor_hash_seed_nor_load_changes_the_dataset(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.warc.gz").write_bytes(b"".join(map(gz, pages(200))))
    (tmp_path / "r.yaml").write_text(RECIPE)
    calm = build(tmp_path, "calm", 1, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        odd = build(tmp_path, "odd", 3, PYTHONHASHSEED="random", TZ="Asia/Kathmandu", LC_ALL="tr_TR.UTF-8")
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert odd == calm

"""One recipe on every engine: the same bytes and the same ledger, also when workers die and jobs fail."""

import json
import os
import signal
import sys
import threading
import time

import pytest

from tests.engines.builds import BUILD_SECONDS, build, digest, files, ledger
from tests.engines.clusters import ROOT, engine
from tests.engines.killing_build import workers
from tests.engines.processes import run

STAGES = {"extract", "annotate", "dedup", "repeats", "decontaminate", "tokenize"}


def assert_same(workspace, direct):
    assert digest(workspace) == digest(direct)
    assert ledger(workspace) == ledger(direct)
    assert files(workspace) == files(direct)


@pytest.mark.parametrize("name", ["direct", "loopback", "prism"])
def test_engines_of_one_machine_give_the_same_bytes_and_the_same_ledger(
    name, recipe, direct, running, tmp_path
):
    more = ["--workers", "2"] if name == "direct" else []
    done = build(recipe, tmp_path / "w", running(name).options, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(tmp_path / "w", direct)


@pytest.mark.parametrize("name", ["spark", "flink"])
def test_clusters_give_the_same_bytes_and_the_same_ledger(name, recipe, direct, running, tmp_path):
    done = build(recipe, tmp_path / "w", running(name).options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(tmp_path / "w", direct)
    again = build(recipe, tmp_path / "w", running(name).options, "--json")
    assert json.loads(again.stdout)["made"] == 0


def test_a_cluster_that_takes_jars_reads_the_same(recipe, direct, running, tmp_path):
    done = build(recipe, tmp_path / "w", running("spark of jars").options, "--until", "extract")
    assert done.returncode == 0, done.stdout + done.stderr
    here, there = (sorted((place / "documents").rglob("*.parquet")) for place in (direct, tmp_path / "w"))
    assert [path.read_bytes() for path in there] == [path.read_bytes() for path in here]


@pytest.mark.faults
@pytest.mark.parametrize("name", ["flink", "spark"])
def test_a_worker_killed_in_each_stage_changes_nothing(name, recipe, direct, running, tmp_path):
    cluster = running(name)
    command = [sys.executable, "-m", "tests.engines.killing_build", str(recipe), str(tmp_path / "w")]
    done = run([*command, str(cluster.pool), *cluster.options], ROOT, BUILD_SECONDS)
    assert done.returncode == 0, done.stderr[-4000:]
    assert set(json.loads(done.stdout.splitlines()[-1])["killed"]) >= STAGES
    assert_same(tmp_path / "w", direct)


@pytest.mark.faults
def test_a_job_that_failed_is_finished_by_the_same_command(recipe, direct, tmp_path):
    with engine("spark", tmp_path / "engine") as cluster:
        failed = build_without_workers(recipe, tmp_path / "w", cluster)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert "Traceback" not in failed.stderr
        assert "the engine ended the job" in failed.stderr
        there = {path: path.stat().st_mtime_ns for path in (tmp_path / "w" / "documents").rglob("*.parquet")}
        with engine("pool", tmp_path / "pool") as other:
            options = [option for option in cluster.options if not option.startswith("--environment_")]
            done = build(recipe, tmp_path / "w", [*options, *other.options])
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert_same(tmp_path / "w", direct)


def build_without_workers(recipe, workspace, cluster):
    """Build, and end the pool for good once `annotate` has begun."""

    def end_pool() -> None:
        limit = time.monotonic() + BUILD_SECONDS
        while time.monotonic() < limit:
            if any((workspace / "annotations").rglob("*.parquet")) and workers(cluster.pool):
                os.killpg(cluster.pool, signal.SIGKILL)
                return
            time.sleep(0.05)

    threading.Thread(target=end_pool, daemon=True).start()
    return build(recipe, workspace, cluster.options)

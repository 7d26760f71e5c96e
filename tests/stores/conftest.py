"""Stores, each with a workspace whose build was killed in the middle, and went on while the store made mistakes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.build import Outcome, build
from pipeline.runner import make_pipeline
from pipeline.storage.listing import list_dir
from tests.stores.corpus import recipe, write_corpus
from tests.stores.servers import Store, cloud_storage, simple_storage

FAULTS = ("500", None, None, "503", None, "cut", None, None, None, "slow down", None, None, None)


@dataclass(frozen=True)
class Local:
    """The corpus on this machine, and its build."""

    folder: Path
    workspace: Path
    outcome: Outcome
    graphs: list[Any]  # of every Beam job, for workers in containers


@dataclass(frozen=True)
class Built:
    """A workspace in a store, and how it came to be."""

    store: Store
    inputs: str
    workspace: str
    outcome: Outcome
    first: set[str]  # tables that the killed build had begun
    faults_left: int


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("stores")
    write_corpus(folder)
    with recording() as graphs:
        outcome = build(recipe(folder, str(folder)), str(folder / "w"))
    return Local(folder, folder / "w", outcome, graphs)


@contextmanager
def recording(*, run: bool = True) -> Iterator[list[Any]]:
    """Keep every job's graph as a service with containers would get it; without `run` each counts as done at once."""
    import apache_beam as beam
    from apache_beam.runners.pipeline_utils import group_by_key_input_visitor
    from apache_beam.runners.runner import PipelineResult, PipelineState
    from apache_beam.transforms.environments import DockerEnvironment

    graphs: list[Any] = []

    class Recorded(beam.Pipeline):
        def run(self, test_runner_api: str = "AUTO") -> Any:
            self.visit(group_by_key_input_visitor(True))  # as every runner does first
            environment = DockerEnvironment.from_container_image("registry.example/crawlmix-worker:1")
            graphs.append(self.to_runner_api(default_environment=environment))
            if run:
                return super().run(test_runner_api)
            result = PipelineResult(PipelineState.DONE)
            result.wait_until_finish = lambda: PipelineState.DONE
            result.metrics = lambda: SimpleNamespace(query=lambda: {"counters": []})  # nobody ran it
            return result

    def make(options: Sequence[str]) -> beam.Pipeline:
        made = make_pipeline(options)
        return Recorded(runner=made.runner, options=made._options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.stage.make_pipeline", make)
        yield graphs


@pytest.fixture(scope="module", params=["s3", "gs"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    run = simple_storage if request.param == "s3" else cloud_storage
    with run() as found, own_folders(tmp_path_factory.mktemp("machine")):
        yield found


@contextmanager
def own_folders(folder: Path) -> Iterator[Path]:
    """Another machine, as far as copies of remote files go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRAWLMIX_CACHE", str(folder / "cache"))
        yield folder / "cache"


@pytest.fixture(scope="module")
def built(store: Store, local: Local, tmp_path_factory: pytest.TempPathFactory) -> Built:
    inputs, workspace = f"{store.bucket()}/in", f"{store.bucket()}/deep/w"
    put(local.folder, inputs)
    wanted = recipe(local.folder, inputs)
    written = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    written.write_text(wanted.to_yaml())
    first = begin_and_kill(written, workspace)
    store.relay.faults.extend(FAULTS * 3)
    outcome = build(wanted, workspace, workers=2)
    left = len(store.relay.faults)
    store.relay.faults.clear()
    return Built(store, inputs, workspace, outcome, first, left)


def serialized(graph: Any) -> bytes:
    """A job's graph as the service gets it."""
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def put(folder: Path, url: str) -> None:
    """Store the corpus."""
    from pipeline.storage.publish import upload

    for path in sorted(folder.rglob("*")):
        if path.is_file() and "w" not in path.relative_to(folder).parts:
            upload(path, f"{url}/{path.relative_to(folder)}")


def begin_and_kill(written: Path, workspace: str) -> set[str]:
    """Start a build and kill it, and all it started, when it has made its first part; returns what it left."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipeline.cli.main",
            "build",
            str(written),
            "-w",
            workspace,
            "--workers",
            "1",
            "-q",
        ],
        start_new_session=True,
        env=os.environ,
    )
    try:
        end = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < end:
            if list_dir(f"{workspace}/documents"):
                break
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    return set(list_dir(workspace))

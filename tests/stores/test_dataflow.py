"""What Dataflow would get: the graph of every job, the whole specification, and one line where something is missing."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import flex
from pipeline.build import build
from pipeline.dataflow import check_dataflow
from pipeline.errors import CrawlmixError, UsageError
from pipeline.pool import Job
from pipeline.recipe import load_recipe
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import read_bytes
from tests.pipeline.dataset import write_dataset
from tests.stores.conftest import recording, serialized
from tests.stores.servers import Store, cloud_storage, missing

LIMIT = 10 << 20  # bytes of a job's graph that the service takes
IMAGE = "europe-west4-docker.pkg.dev/project/images/crawlmix-worker:1"
OPTIONS = (
    "--runner=DataflowRunner",
    "--project=project",
    "--region=europe-west4",
    "--temp_location=gs://bucket/temp",
    f"--sdk_container_image={IMAGE}",
)


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a connection to {address} was asked for")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


def test_a_job_of_100_000_parts_has_the_graph_of_one_of_ten(tmp_path: Path) -> None:
    from pipeline.runner import import_beam

    import_beam()
    from pipeline.stage import run_jobs

    sizes = []
    for count in (10, 100_000):
        jobs = (
            Job(
                {
                    "kind": "annotate_part",
                    "name": f"part {n}",
                    "output": f"gs://bucket/a/part-{n:05d}.parquet",
                }
            )
            for n in range(count)
        )
        with recording(run=False) as graphs:
            run_jobs("annotate", list(jobs), manifest=str(tmp_path / "jobs.jsonl"))
        sizes.append(len(serialized(graphs[0])))
    assert sizes[1] < 100_000
    assert abs(sizes[1] - sizes[0]) < 200  # names that Beam makes up
    assert (tmp_path / "jobs.jsonl").stat().st_size > 100_000 * 80


@pytest.mark.slow
def test_a_template_makes_what_a_stopped_build_left(tmp_path: Path) -> None:
    wanted = load_recipe(write_dataset(tmp_path))
    with recording(run=False), pytest.raises(CrawlmixError, match="was made and is gone"):
        build(wanted, str(tmp_path / "w"), until="extract")
    assert not (tmp_path / "w/documents").exists()
    assert flex.main(["--jobs", str(tmp_path / "w/.work/extract.jobs.jsonl"), "--runner=direct"]) == 0
    outcome = build(wanted, str(tmp_path / "w"), until="extract")
    assert outcome.made == 0
    assert outcome.ledger["stages"]["extract"]["in"] == 211
    with pytest.raises(UsageError, match="no list of jobs"):
        flex.main(["--jobs", str(tmp_path / "w/.work/none.jobs.jsonl")])


@pytest.fixture(name="cloud", scope="module")
def _cloud() -> Iterator[Store]:
    with cloud_storage() as store:
        yield store


@pytest.mark.slow
def test_the_whole_job_specification_reaches_the_bucket(
    cloud: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
    except ImportError:
        missing("the gcp extra")
    from apache_beam.internal.gcp import auth

    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), "project"))
    monkeypatch.setattr(auth._Credentials, "_credentials_init", False)
    bucket = cloud.bucket()
    options = [
        *OPTIONS[:3],
        f"--temp_location={bucket}/temp",
        f"--staging_location={bucket}/staging",
        f"--template_location={bucket}/templates/annotate",
        f"--sdk_container_image={IMAGE}",
    ]
    from pipeline.runner import import_beam, make_pipeline

    check_dataflow(options, f"{bucket}/w")
    import_beam(options)
    from pipeline.stage import add_jobs

    pipeline = make_pipeline(options)
    add_jobs(pipeline, "annotate", f"{bucket}/w/.work/annotate.jobs.jsonl")
    pipeline.run()
    told = json.loads(read_bytes(f"{bucket}/templates/annotate", 1 << 24))
    assert told["type"] == "JOB_TYPE_BATCH"
    assert told["environment"]["tempStoragePrefix"].partition("/")[2].startswith(f"{bucket[5:]}/temp/")
    pools = told["environment"]["workerPools"]
    assert {image["containerImage"] for pool in pools for image in pool["sdkHarnessContainerImages"]} == {
        IMAGE
    }
    staged = [
        name for folder in list_dir(f"{bucket}/staging") for name in list_dir(f"{bucket}/staging/{folder}")
    ]
    assert "pipeline.pb" in staged
    url = told["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    assert url.startswith(bucket)
    from apache_beam.portability.api import beam_runner_api_pb2
    from apache_beam.runners.pipeline_utils import validate_pipeline_graph

    graph = beam_runner_api_pb2.Pipeline.FromString(read_bytes(url, LIMIT))
    validate_pipeline_graph(graph)


@pytest.mark.parametrize(
    ("without", "workspace", "told"),
    [
        (None, "/somewhere", "Dataflow's workers cannot see a folder of this machine"),
        ("--project", "gs://bucket/w", "needs --project, such as `--project=my-project`"),
        ("--region", "gs://bucket/w", "needs --region"),
        ("--temp_location", "gs://bucket/w", "needs --temp_location=gs://BUCKET/PATH"),
        ("--sdk_container_image", "gs://bucket/w", "needs --sdk_container_image, the image of docker/worker"),
        (None, "gs://bucket/w", "finds no credentials: run `gcloud auth application-default login`"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    without: str | None, workspace: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.dataflow.find_spec", lambda _: True)
    options = [option for option in OPTIONS if without is None or not option.startswith(without)]

    def none() -> None:
        raise LookupError

    with pytest.raises(UsageError, match=told) as caught:
        check_dataflow(options, workspace, none)
    assert "\n" not in str(caught.value)


def test_options_may_stand_apart_from_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dataflow.find_spec", lambda _: True)
    apart = [piece for option in OPTIONS for piece in option.split("=", 1)]
    check_dataflow(apart, "gs://bucket/w", lambda: None)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dataflow.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs the gcp extra: pip install 'crawlmix\[gcp\]'"):
        check_dataflow(OPTIONS, "gs://bucket/w")

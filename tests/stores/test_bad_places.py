"""Places that cannot be used: one line each, before any work starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.commands import Commands
from tests.stores.conftest import own_folders
from tests.stores.servers import Store, simple_storage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore.*")

RECIPE = "name: r\nsources:\n  a: {format: jsonl, paths: ['%s']}\nmixtures:\n  m: {weights: {a: 1}, sequence_length: 8}\n"


@pytest.fixture(name="place", scope="module")
def _place() -> Iterator[Store]:
    with simple_storage() as store:
        yield store


@pytest.fixture(name="commands")
def _commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "some text"}\n')
    with own_folders(tmp_path):
        yield Commands(tmp_path, capsys)


def recipe(commands: Commands, path: str) -> Path:
    file = commands.folder / "recipe.yaml"
    file.write_text(RECIPE % path)
    return file


def test_a_bucket_that_is_not_there(place: Store, commands: Commands) -> None:
    code, line = commands.line("build", recipe(commands, "a.jsonl"), "-w", "s3://nowhere/w", "-q")
    assert (code, line) == (
        2,
        "s3://nowhere/w/build.json: there is no such object or bucket; check the address",
    )
    code, line = commands.line(
        "build", recipe(commands, "s3://nowhere/a.jsonl"), "-w", commands.folder / "w", "-q"
    )
    assert code == 2
    assert line.endswith(
        "sources.a: s3://nowhere/a.jsonl: there is no such object or bucket; check the address"
    )
    code, line = commands.line("check", recipe(commands, "s3://nowhere/*.jsonl"))
    assert code == 2
    assert "s3://nowhere/*.jsonl: matches no object in s3://nowhere" in line


def test_a_bucket_that_refuses(place: Store, commands: Commands) -> None:
    bucket = place.bucket()
    place.relay.faults.extend(["403"] * 3)
    code, line = commands.line("build", recipe(commands, "a.jsonl"), "-w", f"{bucket}/w", "-q")
    place.relay.faults.clear()
    assert code == 2
    assert "the store refuses access" in line
    assert line.endswith("check the credentials and the address")


def test_no_credentials_are_told(place: Store, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = place.bucket()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    place.relay.faults.extend(["403"] * 3)
    code, line = commands.line("status", f"{bucket}/w")
    place.relay.faults.clear()
    s3fs.S3FileSystem.clear_instance_cache()
    assert code == 2
    assert "refuses access without credentials, since none were found" in line


@pytest.mark.parametrize(
    ("module", "url", "extra"), [("gcsfs", "gs://b/w", "gcp"), ("s3fs", "s3://b/w", "aws")]
)
def test_the_extra_that_is_missing(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, module: str, url: str, extra: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    code, line = commands.line("build", recipe(commands, "a.jsonl"), "-w", url, "-q")
    assert code == 2
    assert line.endswith(f"needs the {extra} extra: pip install 'crawlmix[{extra}]'")


def test_names_that_lead_nowhere(place: Store, commands: Commands) -> None:
    bucket = place.bucket()
    assert commands.line("status", f"{bucket}/w")[1].startswith(f"{bucket}/w: no workspace here")
    assert commands.line("mixture", "verify", f"{bucket}/m.json")[1].startswith(
        f"{bucket}/m.json: there is no such"
    )
    assert "no mixture `m`" in commands.line("trace", f"{bucket}/w", "m", "0")[1]
    assert commands.line("build", recipe(commands, "a.jsonl"), "-w", "s3://", "-q") == (
        2,
        "s3://: names no bucket; write s3://BUCKET/PATH",
    )

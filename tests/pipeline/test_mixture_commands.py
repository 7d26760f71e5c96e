"""`crawlmix mixture`: plans in numbers, promises proven on real files, and damage told in one line."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.cli.main import run
from tests.pipeline.builds import tree
from tests.pipeline.dataset import build


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    capsys.readouterr()
    assert run(["mixture", "plan", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == code
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1
    return told


@pytest.fixture
def workspace(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset / "w", tmp_path / "w"))


def test_a_recipe_with_its_workspace_plans_what_the_mixture_files_say(dataset, capsys):
    from_recipe = answer(capsys, str(dataset / "recipe.yaml"), "-w", str(dataset / "w"))
    from_files = answer(capsys, str(dataset / "w"))
    assert from_recipe == from_files
    assert [plan["name"] for plan in from_recipe] == ["both", "reading"]
    one = answer(capsys, str(dataset / "w/mixtures/reading.json"))
    assert one == answer(capsys, str(dataset / "w"), "--name", "reading") == from_files[1]
    (books,) = one["sources"]
    assert books["epochs"] == pytest.approx(2, abs=0.01)
    assert books["samples"] == one["samples"] == 2 * books["windows"]


def test_other_weights_epochs_and_sizes_can_be_tried(dataset, capsys):
    file = str(dataset / "w/mixtures/both.json")
    plan = answer(capsys, file, "--weight", "books=1", "--weight", "web=3", "--tokens", "64k")
    assert {entry["source"]: entry["share"] for entry in plan["sources"]} == {"web": 0.75, "books": 0.25}
    assert plan["samples"] == 1000
    mixed = answer(capsys, file, "--epochs", "books=1")
    books = next(entry for entry in mixed["sources"] if entry["source"] == "books")
    assert books["samples"] == pytest.approx(books["windows"], abs=1)


def test_repeats_are_warned_about(dataset, capsys):
    plan = answer(capsys, str(dataset / "w/mixtures/both.json"), "--tokens", "200k")
    assert any("more than the limit of 4 epochs" in warning for warning in plan["warnings"])
    plan = answer(capsys, str(dataset / "w/mixtures/both.json"), "--tokens", "200k", "--repeat-limit", "50")
    assert plan["warnings"] == []
    plan = answer(capsys, "--epochs", "wikipedia=6", "--repeat-limit", "5")
    assert [warning.split("`")[1] for warning in plan["warnings"] if "limit of 5" in warning] == ["wikipedia"]


def test_gpt3s_table_is_the_plan_without_a_name(capsys):
    plan = answer(capsys)
    assert (plan["samples"], plan["period"]) == (146_484_375, 101)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{d}/recipe.yaml"], "known when they are built; give the build's folder with --workspace"),
        (["{d}/none.yaml"], "none.yaml: cannot be read (No such file or directory)"),
        (
            ["{d}/w/mixtures/both.json", "--weight", "boks=1"],
            "no source `boks` to change; did you mean `books`?",
        ),
        (["{d}/w/mixtures/both.json", "--weight", "books"], "--weight books: expected SOURCE=NUMBER"),
        (["{d}/w/mixtures/both.json", "--tokens", "1Q"], "--tokens: expected a count such as"),
        (["{d}/w", "--name", "all"], "no mixture `all`; there are both, reading"),
        (["{d}"], "no mixtures in this folder"),
    ],
)
def test_what_cannot_be_planned_is_one_line(dataset, capsys, arguments, message):
    assert message in complaint(capsys, 2, "mixture", "plan", *(part.format(d=dataset) for part in arguments))


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf"])
def test_a_weight_that_is_none_is_named(dataset, capsys, weight):
    told = complaint(
        capsys, 1, "mixture", "plan", str(dataset / "w/mixtures/both.json"), "--weight", f"books={weight}"
    )
    assert f"weight of source `books` is '{weight}'" in told


def test_every_promise_holds_on_the_built_files(dataset, capsys):
    for name in ("both", "reading"):
        assert run(["mixture", "verify", str(dataset / f"w/mixtures/{name}.json"), "--json"]) == 0
        checks = json.loads(capsys.readouterr().out)
        assert all(check["held"] for check in checks)
    assert any("within one sample" in check["promise"] for check in checks)


def test_a_shard_whose_bytes_changed_breaks_a_promise(workspace, capsys):
    path = workspace / "shards/web/shard-00001.bin"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    assert run(["mixture", "verify", str(workspace / "mixtures/both.json")]) == 1
    (broken,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("BROKEN")]
    assert "shard-00001.bin: expected SHA-256" in broken
    assert "found" in broken


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "shard-00001.bin: the manifest names this shard, but it is missing"),
        ("cut", "shard-00001.bin: expected "),
        ("manifest", "manifest.json: the manifest of token shards is not valid JSON"),
        ("mixture", "both.json: the file was changed: its content has fingerprint"),
    ],
)
def test_damage_is_one_line_for_every_reader(workspace, capsys, damage, message):
    shard, mixture = workspace / "shards/web/shard-00001.bin", workspace / "mixtures/both.json"
    if damage == "missing":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-2])
    elif damage == "manifest":
        (workspace / "shards/web/manifest.json").write_text("{")
    else:
        mixture.write_text(mixture.read_text().replace('"seed": 5', '"seed": 6'))
    for command in (["mixture", "verify", str(mixture)], ["trace", str(workspace), "both", "0"]):
        assert message in complaint(capsys, 1, *command)


def test_a_build_mends_what_is_missing(dataset, workspace):
    before = (workspace / "shards/web/shard-00001.bin").read_bytes()
    (workspace / "shards/web/shard-00001.bin").unlink()
    assert build(dataset / "recipe.yaml", workspace) == 0
    assert (workspace / "shards/web/shard-00001.bin").read_bytes() == before


def test_a_source_that_lost_all_tokens_is_told_and_comes_back(dataset, workspace, tmp_path, capsys):
    (tmp_path / "ids").write_text("".join(f"b{n}\n" for n in range(60)))
    told = complaint(capsys, 1, "exclude", str(workspace), "--ids", str(tmp_path / "ids"), "-q")
    assert (
        "mixtures.both: mixture `both`: source `books` has 0 tokens, fewer than the 65 of one sample" in told
    )
    assert "build the mixture again" in complaint(capsys, 1, "trace", str(workspace), "both", "0")
    assert json.loads((workspace / "build.json").read_text())["dataset_digest"] is None
    assert run(["exclude", str(workspace), "--undo", "--ids", str(tmp_path / "ids"), "-q"]) == 0
    assert tree(workspace / "mixtures") == tree(dataset / "w/mixtures")

"""Every command: wrong arguments, JSON for scripts, the first steps of a newcomer."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import _COMMANDS
from tests.pipeline.commands import Commands
from tests.pipeline.sources.archives import gz, pages
from tests.pipeline.test_bad_input import RECIPE


@pytest.fixture
def crawlmix(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.warc.gz").write_bytes(b"".join(map(gz, pages(20))))
    (tmp_path / "r.yaml").write_text(RECIPE)
    return Commands(tmp_path, capsys)


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_has_help_and_refuses_unknown_options(crawlmix, name):
    told = crawlmix(name, "--help")
    assert told.code == 0
    assert told.out.startswith(f"Usage: crawlmix {name}")
    code, line = crawlmix.line(name, "--nonsense")
    assert code == 2
    assert re.search(r"see `crawlmix .*--help`$", line) or name in {"classifier", "mixture", "webtext"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["biuld"], "no command `biuld`; did you mean `build`?; see `crawlmix --help`"),
        (["build"], "Missing argument 'RECIPE'; see `crawlmix build --help`"),
        (["build", "r.yaml"], "Missing option '--workspace' / '-w'; see `crawlmix build --help`"),
        (
            ["build", "r.yaml", "-w", "w", "--workers", "0"],
            "Invalid value for '--workers': 0 is not in the range x>=1",
        ),
        (["build", "no.yaml", "-w", "w"], "no.yaml: cannot read the recipe: No such file or directory"),
        (["build", ".", "-w", "w"], ".: is a folder; give the recipe's file"),
        (["build", "r.yaml", "-w", "w", "--", "--runner=DaskRunner"], "the engine DaskRunner is refused"),
        (["build", "r.yaml", "-w", "w", "--", "--runner"], "`--runner` needs a name, such as"),
        (
            ["build", "r.yaml", "-w", "w", "--", "--direct_num_workrs=2"],
            "did you mean `--direct_num_workers`?",
        ),
        (["build", "r.yaml", "-w", "w", "--", "--direct_num_workers=two"], "invalid int value: 'two'"),
        (["build", "r.yaml", "-w", "w", "--", "--runner=Nope"], "unknown engine `Nope`; known are direct"),
        (["check", "no.yaml"], "no.yaml: cannot read the recipe"),
        (["status", "nowhere"], "nowhere: no workspace here"),
        (["explain", "nowhere", "x"], "nowhere"),
        (["trace", "nowhere", "m", "0"], "nowhere"),
        (["init", "r.yaml"], "r.yaml: exists already; name another file, or remove this one"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(crawlmix, arguments, line):
    code, told = crawlmix.line(*arguments)
    assert code == 2
    assert line in told


def test_a_bug_shows_its_traceback_and_exits_3(crawlmix, monkeypatch):
    monkeypatch.setattr("pipeline.cli.main.import_module", lambda _: 1 / 0)
    told = crawlmix("build", "r.yaml", "-w", "w")
    assert told.code == 3
    assert "ZeroDivisionError" in told.err
    assert told.err.endswith("crawlmix: this is a bug, please report it with the lines above\n")


@pytest.mark.slow
def test_the_first_steps_of_a_newcomer(crawlmix):
    """`init`, `check`, `build` in an empty folder, then every command that looks at the result, as JSON."""
    folder = crawlmix.folder / "new"
    folder.mkdir()
    recipe, workspace = folder / "recipe.yaml", folder / "w"
    assert json.loads(crawlmix("init", recipe, "--json").out)["recipe"] == str(recipe)
    plan = json.loads(crawlmix("check", recipe, "-w", workspace, "--json").out)
    assert {source["name"] for source in plan["sources"]} == set(
        yaml.safe_load(recipe.read_text())["sources"]
    )
    assert not workspace.exists()
    built = crawlmix("build", recipe, "-w", workspace, "--json", "--workers", 2)
    assert (built.code, built.err.count("Traceback")) == (0, 0)
    told = json.loads(built.out)
    again = json.loads(crawlmix("build", recipe, "-w", workspace, "--json").out)
    assert (again["made"], again["dataset_digest"]) == (0, told["dataset_digest"])
    status = json.loads(crawlmix("status", workspace, "--json").out)
    assert status["dataset_digest"] == told["dataset_digest"]
    assert status["ledger"] == told["ledger"]
    mixture = next(iter(status["mixtures"]))
    assert json.loads(crawlmix("trace", workspace, mixture, 0, "--json").out)
    promises = json.loads(
        crawlmix("mixture", "verify", workspace / "mixtures" / f"{mixture}.json", "--json").out
    )
    assert all(promise["held"] for promise in promises)
    code, line = crawlmix.line("explain", workspace, "https://nowhere.example/")
    assert code in {1, 2}
    assert "https://nowhere.example/" in line


def test_the_schema_holds_for_the_recipes_that_ship(crawlmix):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(crawlmix("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    root = Path(__file__).resolve().parents[2]
    for recipe in [*sorted((root / "recipes").glob("*.yaml")), crawlmix.folder / "r.yaml"]:
        assert not list(validator.iter_errors(yaml.safe_load(recipe.read_text()))), recipe
    wrong = yaml.safe_load(RECIPE.replace("format: warc", "fromat: warc"))
    assert list(validator.iter_errors(wrong))


def test_json_goes_to_stdout_and_all_else_to_stderr(crawlmix):
    told = crawlmix("build", "r.yaml", "-w", "w", "--json", "--until", "extract")
    assert json.loads(told.out)["ledger"]["sources"]["a"]["records"] == 20
    assert "extract" in told.err


def test_a_reader_that_goes_away_is_no_bug(crawlmix):
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        f"{sys.executable} -m pipeline.cli.main schema | head -c 10",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": root},
    )
    assert done.stderr == ""

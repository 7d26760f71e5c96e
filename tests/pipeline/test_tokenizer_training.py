"""A tokenizer of one's own, from a build's texts to its shards."""

import json
import shutil
from pathlib import Path

import pytest

from mixtures.dataset import MixtureDataset
from mixtures.shards import ShardSet
from pipeline.cli.main import run
from pipeline.report.trace import trace_sample
from pipeline.tokenize.tokenizer import load_tokenizer
from tests.pipeline.dataset import RECIPE, build


@pytest.fixture
def workspace(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset / "w", tmp_path / "w"))


def train(workspace: Path, out: Path, *more: str) -> int:
    return run(["tokenizer", "train", str(workspace), "--out", str(out), "--mixture", "both", *more])


def beside(dataset: Path, tokenizer: Path, name: str = "own.yaml") -> Path:
    """A recipe over the same sources with another tokenizer."""
    recipe = dataset / name
    recipe.write_text(RECIPE.replace("shards:", f"tokenizer: {tokenizer}\nshards:"))
    return recipe


def test_a_trained_tokenizer_is_the_same_each_time_and_fills_shards(dataset, workspace, tmp_path, capsys):
    own = tmp_path / "own.json"
    assert train(workspace, own, "--vocabulary-size", "400", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["vocabulary_size"] == 400
    assert train(workspace, tmp_path / "again.json", "--vocabulary-size", "400") == 0
    assert own.read_bytes() == (tmp_path / "again.json").read_bytes()
    # As many bytes of a source as its weight says, as far as there are any.
    assert set(told["sample"]) == {"web", "books"}

    before = len(ShardSet(workspace / "shards/books"))
    assert build(beside(dataset, own), workspace) == 0
    shards = ShardSet(workspace / "shards/books")
    assert shards.manifest.tokenizer.name == "own"
    assert (shards.manifest.vocabulary_size, shards.manifest.eos_id) == (400, 399)
    assert len(shards) < before * 1.5  # trained on these very words
    data = MixtureDataset(workspace / "mixtures/both.json")
    own.unlink()  # the workspace keeps its own copy
    found = trace_sample(str(workspace), "both", 7)
    assert all(one["exact"] for one in found["documents"])
    kept = load_tokenizer(str(workspace / "models/tokenizer/own.json"))
    assert kept.decode(data[7].tolist()).replace("�", "")
    (tmp_path / "ids").write_text("b3\n")
    assert run(["exclude", str(workspace), "--ids", str(tmp_path / "ids"), "-q"]) == 0
    assert ShardSet(workspace / "shards/books").manifest.tokenizer.name == "own"


def test_a_large_vocabulary_switches_the_shards_to_int32(dataset, workspace, tmp_path):
    base = load_tokenizer("gpt2").base.to_str()
    large = tmp_path / "large.json"
    content = json.loads(base)
    entry = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    names = [*(f"<|spare-{n}|>" for n in range(16_000)), "<|end_of_text|>"]
    content["added_tokens"] = [{"id": 50257 + n, "content": name, **entry} for n, name in enumerate(names)]
    large.write_text(json.dumps(content))
    assert build(beside(dataset, large, "large.yaml"), workspace) == 0
    shards = ShardSet(workspace / "shards/web")
    assert (shards.manifest.dtype, shards.manifest.eos_id) == ("int32", 50256)
    small = ShardSet(dataset / "w/shards/web")
    assert shards.tokens(0, len(shards)).tolist() == small.tokens(0, len(small)).tolist()
    assert MixtureDataset(workspace / "mixtures/both.json")[0].dtype == "int32"


def test_the_sample_follows_the_weights_and_leaves_held_out_and_excluded_pages_out(
    dataset, workspace, tmp_path, capsys
):
    (tmp_path / "ids").write_text("".join(f"b{n}\n" for n in range(50)))
    assert run(["exclude", str(workspace), "--ids", str(tmp_path / "ids"), "-q"]) == 0
    capsys.readouterr()
    assert train(workspace, tmp_path / "t.json", "--vocabulary-size", "300", "--json") == 0
    sample = json.loads(capsys.readouterr().out)["sample"]
    assert sample["books"]["documents"] <= 10
    assert 120 <= sample["web"]["documents"] < 150
    assert (
        train(workspace, tmp_path / "t.json", "--vocabulary-size", "300", "--sample", "20kB", "--json") == 0
    )
    some = json.loads(capsys.readouterr().out)["sample"]
    assert 12_000 * 0.6 < some["web"]["bytes"] < 12_000 * 1.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vocabulary-size", "10"], "a vocabulary of 10 ids; expected 257 to"),
        (["--vocabulary-size", "many"], "--vocabulary-size: expected a count such as"),
        (["--vocabulary-size", "300", "--mixture", "bth"], "no mixture `bth`; there are both, reading"),
        (["--vocabulary-size", "300", "--sample", "0.5"], "--sample: expected a size such as"),
    ],
)
def test_wrong_wishes_are_one_line(dataset, tmp_path, capsys, arguments, message):
    assert train(dataset / "w", tmp_path / "t.json", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_the_choice_of_a_mixture_is_asked_for(dataset, tmp_path, capsys):
    assert (
        run(
            [
                "tokenizer",
                "train",
                str(dataset / "w"),
                "--out",
                str(tmp_path / "t"),
                "--vocabulary-size",
                "300",
            ]
        )
        == 2
    )
    assert "has several mixtures; choose one with --mixture: both, reading" in capsys.readouterr().err


def test_a_tokenizer_that_is_missing_is_told_before_work_starts(dataset, tmp_path, capsys):
    recipe = beside(dataset, tmp_path / "none.json", "missing.yaml")
    assert run(["check", str(recipe)]) == 2
    assert (
        "none.json`: no such file; expected `gpt2` or the path of a tokenizer.json" in capsys.readouterr().err
    )

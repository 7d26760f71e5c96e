"""The commands as a user runs them, on a small build's tokens in GPT-2's vocabulary."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mixtures.manifest import TokenizerId
from mixtures.mixture import build_mixture
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from pipeline.cli.main import run as crawlmix
from pipeline.tokenize.tokenizer import load_tokenizer
from tests.training.corpora import LICENSE
from training.metrics import read_metrics

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("build")
    gpt2 = load_tokenizer("gpt2")
    for split, text in (("train", LICENSE.read_text()), ("validation", LICENSE.read_text()[::-1])):
        ids = [*gpt2.base.encode(text).ids, gpt2.eos_id]
        folder = root / "shards/licence" / ("" if split == "train" else split)
        with ShardWriter(
            folder, source="licence", tokenizer=TokenizerId("gpt2", gpt2.fingerprint),
            vocabulary_size=gpt2.vocabulary_size, eos_id=gpt2.eos_id, split=split,
        ) as writer:  # fmt: skip
            writer.add(np.array(ids, dtype=np.uint16), np.array([len(ids)], dtype=np.int64))
    path = root / "mixtures/licence.json"
    build_mixture(
        "licence", {"licence": ShardSet(root / "shards/licence")}, relative_to=path.parent, weights={"licence": 1},
        sequence_length=32, tokens=64 * 3, seed=0,
    ).write(path)  # fmt: skip
    return path


def write_quiz(folder: Path) -> Path:
    rows = [
        {"id": f"q{n}", "text": f"What is {n}?", "options": ["one", "two"], "label": n % 2} for n in range(6)
    ]
    (folder / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "quiz.yaml").write_text(
        'kind: multiple_choice\ndata: quiz.jsonl\nprompt: "{text}"\nchoices: options\nanswer: label\n'
    )
    return folder / "quiz.yaml"


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = crawlmix([str(argument) for argument in arguments])
        told = capfd.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture(scope="module")
def trained(mixture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    options = [
        "--device",
        "cpu",
        "--batch",
        "2",
        "--validate-every",
        "2",
        "--sample-every",
        "3",
        "--log-every",
        "1",
    ]
    assert crawlmix(["train", "--mixture", str(mixture), "--out", str(out), *options]) == 0
    return out


def test_training_tells_what_people_watch(trained: Path) -> None:
    records = read_metrics(trained / "metrics.jsonl")
    assert [record["step"] for record in records] == [1, 2, 3]
    scores = records[-1]["validation"]["licence"]
    # Every id of GPT-2's vocabulary is equally likely at first, and a token has a few bytes.
    assert scores["loss"] == pytest.approx(np.log(50_257), abs=0.5)
    assert 0 < scores["bits_per_byte"] < scores["loss"] / np.log(2)


def test_the_same_command_again_has_nothing_to_do(command: Command, mixture: Path, trained: Path) -> None:
    code, out, err = command(
        "train", "--mixture", mixture, "--out", trained, "--device", "cpu", "--batch", 2, "--json"
    )
    assert code == 0
    assert json.loads(out)["step"] == 3
    assert "nothing to do: the run is complete" in err


def test_a_sample_continues_the_prompt_and_repeats_itself(command: Command, trained: Path) -> None:
    found = [command("sample", trained, "--prompt", "The licence", "--tokens", 5) for _ in range(2)]
    assert found[0] == found[1]
    code, out, _ = found[0]
    assert code == 0
    assert out.startswith("The licence")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of libraries that transformers imports
def test_an_export_is_what_transformers_reads(command: Command, trained: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    assert command("export", trained, tmp_path / "model")[0] == 0
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer("Hello world<|endoftext|>").input_ids == [15496, 995, 50256]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    told = model.generate(**tokenizer("The", return_tensors="pt"), max_new_tokens=3, do_sample=False)
    _, out, _ = command("sample", trained, "--prompt", "The", "--tokens", 3, "--temperature", 0)
    assert tokenizer.decode(told[0]) == out.rstrip("\n")


def test_scores_of_clean_examples_stand_beside_all(command: Command, trained: Path, tmp_path: Path) -> None:
    quiz = write_quiz(tmp_path)
    clean = tmp_path / "clean_ids.json"
    clean.write_text(json.dumps({"quiz": ["q1", "q2"]}))
    arguments = ("--task", quiz, "--shots", "0,1", "--clean", clean, "--json")
    code, out, err = command("evaluate", trained, *arguments)
    assert (code, err) == (0, "")
    results = json.loads(out)
    assert [(one["shots"], one["all"]["examples"], one["clean"]["examples"]) for one in results] == [
        (0, 6, 2),
        (1, 6, 2),
    ]
    clean.write_text(json.dumps({"other": ["q1"]}))
    code, out, err = command("evaluate", trained, *arguments)
    assert (code, json.loads(out)[0]["clean"]) == (0, None)
    assert "does not name `quiz`; name the benchmark with the key `benchmark`: other" in err


def test_an_ablation_sets_mixtures_side_by_side(command: Command, mixture: Path, tmp_path: Path) -> None:
    quiz = write_quiz(tmp_path)
    other = mixture.with_name("other.json")
    other.write_bytes(mixture.read_bytes())
    options = ["--tokens", 128, "--batch", 2, "--seeds", 0, "--device", "cpu"]
    code, out, err = command("ablate", mixture, other, "--out", tmp_path / "runs", "--task", quiz, *options)
    assert code == 0, err
    table = json.loads((tmp_path / "runs/ablation.json").read_text())
    assert table["mixtures"] == ["licence", "other"]
    # The same mixture under another name: runs with the same seed are the same.
    assert table["differences_to_first"]["loss: licence"]["other"] == {"mean": 0.0, "margin95": None}
    assert table["scores"]["task: quiz"]["other"]["mean"] in {0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1}
    assert "loss: licence" in out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--preset", "gpt3-124m"], 2, "no preset `gpt3-124m`; did you mean `gpt3-125m`?"),
        (["--learning-rate", "-1"], 2, "learning_rate -1.0: expected a positive number"),
        (["--device", "tpu"], 2, "device `tpu`: expected `cpu`, `cuda` or `cuda:N`"),
        (["--context", "16"], 1, "samples of 32 tokens do not fit the model's context of 16"),
        (["--batch", "1000"], 1, "is less than one batch of"),
    ],
)
def test_mistakes_are_one_line(
    command: Command, mixture: Path, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    found, _, err = command("train", "--mixture", mixture, "--out", tmp_path / "run", *options)
    assert found == code
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_that_is_not_the_builds_is_refused(
    command: Command, mixture: Path, tmp_path: Path
) -> None:
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE(vocab={"<|endoftext|>": 0, "a": 1}, merges=[])).save(
        str(tmp_path / "tokenizer.json")
    )
    code, _, err = command(
        "train", "--mixture", mixture, "--out", tmp_path / "run", "--tokenizer", tmp_path / "tokenizer.json"
    )
    assert code == 2
    assert "name the tokenizer of the build" in err

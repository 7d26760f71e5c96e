import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mixtures.dataset import MixtureDataset
from mixtures.errors import MixtureError
from tests.training.corpora import EOS, VOCABULARY, make_mixture, settings
from training.distributed import World
from training.errors import TrainingError
from training.feed import Feed
from training.load import load_model
from training.loop import train
from training.metrics import read_metrics
from training.model import document_numbers
from training.run import Language, Run
from training.validation import validate


def losses(folder: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(folder / "metrics.jsonl")]


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_mixture(tmp_path_factory.mktemp("corpus"))


@pytest.mark.slow
def test_the_tiny_model_learns(mixture: Path, tmp_path: Path) -> None:
    language = Language(
        decode=lambda ids: bytes(i for i in ids if i != EOS).decode("latin-1"),
        bytes_per_token=np.array([1] * EOS + [0], dtype=np.int64),
    )
    said: list[str] = []
    outcome = train(
        settings(mixture, tmp_path / "run", steps=120, batch=16, validate_every=60, sample_every=120),
        language,
        say=said.append,
    )
    found = losses(tmp_path / "run")
    assert found[0] == pytest.approx(math.log(VOCABULARY), abs=0.1)
    assert np.mean(found[-5:]) < 0.6 * found[0]
    held_out = outcome.validation["prose"]
    # End-of-text is a token without a byte, so bits a byte are a little more than bits a token.
    assert held_out["loss"] / math.log(2) <= held_out["bits_per_byte"] < 1.1 * held_out["loss"] / math.log(2)
    assert held_out["loss"] < 0.7 * found[0]
    assert "lines" not in outcome.validation
    assert any(line.startswith("sample: ") for line in said)
    assert "<svg" in (tmp_path / "run/loss.html").read_text()


def test_every_step_is_recorded_with_what_people_watch(mixture: Path, tmp_path: Path) -> None:
    train(settings(mixture, tmp_path, steps=3), say=lambda _: None)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3]
    assert [record["tokens"] for record in records] == [512, 1024, 1536]
    last = records[-1]
    expected = {"lr", "grad_norm", "tokens_per_second", "mfu", "memory_bytes", "eta_seconds", "loader_share"}
    assert expected <= last.keys()
    assert "6N + 12LdT" in last["mfu_convention"]
    assert last["samples_by_source"] == {"prose": 18, "lines": 6}


def test_an_interrupted_run_equals_a_straight_one_to_the_bit(mixture: Path, tmp_path: Path) -> None:
    train(settings(mixture, tmp_path / "straight", steps=8), say=lambda _: None)
    train(settings(mixture, tmp_path / "halves", steps=3), say=lambda _: None)
    train(settings(mixture, tmp_path / "halves", steps=8), say=lambda _: None)
    assert losses(tmp_path / "halves") == losses(tmp_path / "straight")
    one, other = (load_model(tmp_path / name).model.state_dict() for name in ("straight", "halves"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_died_between_checkpoints_repeats_the_lost_steps(mixture: Path, tmp_path: Path) -> None:
    train(settings(mixture, tmp_path / "straight", steps=6), say=lambda _: None)
    train(settings(mixture, tmp_path / "run", steps=2), say=lambda _: None)
    lost = tmp_path / "run/metrics.jsonl"
    lost.write_text(lost.read_text() + json.dumps({"step": 3, "loss": 0.0}) + '\n{"step": 4, "lo')
    train(settings(mixture, tmp_path / "run", steps=6), say=lambda _: None)
    assert losses(tmp_path / "run") == losses(tmp_path / "straight")


def test_the_micro_batch_changes_nothing_but_rounding(mixture: Path, tmp_path: Path) -> None:
    for micro in (8, 2, 1):
        train(settings(mixture, tmp_path / str(micro), micro_batch=micro), say=lambda _: None)
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "8"), abs=1e-5)
    assert losses(tmp_path / "1") == pytest.approx(losses(tmp_path / "8"), abs=1e-5)


def test_the_batch_is_read_in_the_samplers_order_while_it_grows(mixture: Path, tmp_path: Path) -> None:
    # The paper's ramp on a run of 200,000 tokens: 16 sequences of 2048 are 512 of 64.
    chosen = settings(mixture, tmp_path, preset="gpt3-125m", batch=64, steps=None, tokens=64 * 640)
    run = Run(chosen, World(0, 1, torch.device("cpu"), started=False), Language())
    sizes, seen = [], []
    with Feed(run.dataset, run.schedule, rank=0, world=1, micro_batch=8, step=1, first=0) as feed:
        for step in feed:
            sizes.append(step.size)
            seen.append(torch.cat(step.micro_batches).numpy())
            if step.first + step.size >= 256:
                break
    rows = np.concatenate(seen)
    expected = MixtureDataset(mixture).batch(np.arange(len(rows), dtype=np.uint64))
    assert np.array_equal(rows, expected)
    assert sizes == sorted(sizes)


def test_a_loss_that_is_no_number_stops_with_the_samples_named(
    mixture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(settings(mixture, tmp_path, steps=4), say=lambda _: None)
    take = Run.take

    def poisoned(self: Run, step):
        if step.number == 6:
            with torch.no_grad():
                self.core.ln_f.weight[0] = float("nan")
        return take(self, step)

    monkeypatch.setattr(Run, "take", poisoned)
    with pytest.raises(TrainingError, match=r"step 6: .* samples 40 to 47 of .*mix.json .*step-00000004"):
        train(settings(mixture, tmp_path, steps=9), say=lambda _: None)
    assert [path.name for path in sorted((tmp_path / "checkpoints").glob("step-*"))] == ["step-00000004"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": 32}, "samples of 64 tokens do not fit the model's context of 32"),
        ({"tokens": 256}, "256 tokens is less than one batch of 512"),
        ({"preset": "huge"}, "no preset `huge`"),
        ({"batch": 0}, "batch 0: expected 1 or more"),
        ({"learning_rate": math.nan}, "learning_rate nan: expected a positive number"),
        ({"weight_decay": -1.0}, "weight_decay -1.0: expected 0 or more"),
        ({"schedule_scale": 0.0}, "schedule scale 0.0: expected a positive number"),
        ({"parallel": "magic"}, "parallel `magic`: expected one of ddp, fsdp"),
        ({"device": "tpu"}, "device `tpu`"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(
    mixture: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        train(settings(mixture, tmp_path, **changes), say=lambda _: None)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_not_used_in_silence(mixture: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"device `cuda`: PyTorch .* finds no GPU"):
        train(settings(mixture, tmp_path, device="cuda"), say=lambda _: None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "other settings: seed was 0, now is 1"),
        ({"window": 16}, "another model: window was 32, now is 16"),
    ],
)
def test_a_run_goes_on_only_as_what_it_was(
    mixture: Path, tmp_path: Path, changes: dict[str, int], message: str
) -> None:
    train(settings(mixture, tmp_path, steps=1), say=lambda _: None)
    with pytest.raises(TrainingError, match=message):
        train(settings(mixture, tmp_path, steps=2, **changes), say=lambda _: None)


def test_another_mixture_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    train(settings(make_mixture(tmp_path), tmp_path / "run", steps=1), say=lambda _: None)
    other = make_mixture(tmp_path, weights={"prose": 1, "lines": 1})
    with pytest.raises(TrainingError, match=r"another mixture: sources\[0\]"):
        train(settings(other, tmp_path / "run", steps=2), say=lambda _: None)


def test_documents_can_be_masked_and_precision_halved(mixture: Path, tmp_path: Path) -> None:
    for name, changes in {
        "plain": {}, "masked": {"mask_documents": True}, "half": {"precision": "bf16"}
    }.items():  # fmt: skip
        train(settings(mixture, tmp_path / name, steps=3, **changes), say=lambda _: None)
    plain = losses(tmp_path / "plain")
    assert losses(tmp_path / "half") == pytest.approx(plain, rel=0.01)
    assert losses(tmp_path / "masked") != plain


def test_validation_keeps_documents_apart_as_training_did(mixture: Path, tmp_path: Path) -> None:
    found = {}
    for masked in (False, True):
        run = Run(
            settings(mixture, tmp_path, validate_every=1, mask_documents=masked),
            World(0, 1, torch.device("cpu"), started=False),
            Language(),
        )
        run.build()
        with torch.no_grad():
            for parameter in run.core.parameters():
                parameter.mul_(5)  # sharp enough to care for what it sees
        rows = run.held_out[0].windows
        assert (rows[:, 1:-1] == EOS).any()
        scores = validate(
            run.core, run.held_out, world=run.world, micro_batch=3, bytes_per_token=None, autocast=run.autocast,
            border=run.border,
        )  # fmt: skip
        tokens = torch.from_numpy(rows)
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        documents = document_numbers(inputs, EOS) if masked else None
        logits = run.core(inputs, None, documents)
        truth = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        found[masked] = scores["prose"]["loss"]
        assert found[masked] == pytest.approx(float(truth.detach()), abs=1e-4)
    assert found[True] != pytest.approx(found[False], abs=1e-3)


def test_shards_that_changed_are_refused_before_the_first_step(tmp_path: Path) -> None:
    path = make_mixture(tmp_path)
    shard = tmp_path / "shards/prose/shard-00000.bin"
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    with pytest.raises((TrainingError, MixtureError), match=r"shard-00000.bin: expected SHA-256"):
        train(settings(path, tmp_path / "run", steps=1), say=lambda _: None)
    train(settings(path, tmp_path / "run", steps=1, verify=False), say=lambda _: None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler warns of its own ways; as errors they would end it
def test_compiled_blocks_give_the_same_losses(mixture: Path, tmp_path: Path) -> None:
    for flag in (False, True):
        train(settings(mixture, tmp_path / str(flag), steps=2, compile=flag), say=lambda _: None)
    assert losses(tmp_path / "True") == pytest.approx(losses(tmp_path / "False"), abs=1e-4)

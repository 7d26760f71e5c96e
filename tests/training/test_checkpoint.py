import json
from pathlib import Path

import pytest
import torch

from tests.training.corpora import make_mixture, settings
from tests.training.limits import no_file_larger_than
from training.checkpoint import Checkpoints, Position, find_damage, newest_whole, read_position
from training.distributed import world
from training.errors import TrainingError
from training.load import load_model
from training.loop import train
from training.metrics import read_metrics
from training.model import GPT, initialise
from training.presets import ModelConfig
from training.run import make_optimiser


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with checkpoints after steps 2, 4 and 5, of which two stay."""
    train(
        settings(make_mixture(tmp_path), tmp_path / "run", steps=5, checkpoint_every=2, keep=2),
        say=lambda _: None,
    )
    return tmp_path / "run"


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def damage(checkpoint: Path) -> None:
    file = next(checkpoint.glob("*.distcp"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_the_newest_stay_and_latest_names_one(run: Path) -> None:
    assert names(run) == ["latest", "step-00000004", "step-00000005"]
    assert (run / "checkpoints/latest").read_text() == "step-00000005\n"
    position = read_position(run / "checkpoints/step-00000005")
    assert (position.step, position.consumed_samples, position.consumed_tokens) == (5, 40, 2560)
    assert (
        position.mixture["fingerprint"]
        == json.loads((run / "../mixtures/mix.json").read_text())["fingerprint"]
    )


def test_a_damaged_checkpoint_is_seen_and_the_one_before_is_used(run: Path) -> None:
    straight = [record["loss"] for record in read_metrics(run / "metrics.jsonl")]
    newest = run / "checkpoints/step-00000005"
    damage(newest)
    assert "another checksum" in (find_damage(newest) or "")
    said: list[str] = []
    train(settings(run / "../mixtures/mix.json", run, steps=5), say=said.append)
    assert any("step-00000005: " in line and line.endswith("using the one before") for line in said)
    assert "continuing after step 4, sample 32" in said
    assert [record["loss"] for record in read_metrics(run / "metrics.jsonl")] == straight
    assert find_damage(newest) is None  # written again


def test_a_file_cut_short_or_missing_is_damage(run: Path) -> None:
    checkpoint = run / "checkpoints/step-00000005"
    file = next(checkpoint.glob("*.distcp"))
    file.write_bytes(file.read_bytes()[:-1])
    assert "bytes instead of" in (find_damage(checkpoint) or "")
    file.unlink()
    assert "cannot be read" in (find_damage(checkpoint) or "")
    assert newest_whole(run / "checkpoints") == run / "checkpoints/step-00000004"


def test_a_checkpoint_that_was_never_finished_is_none(run: Path) -> None:
    (run / "checkpoints/.step-00000009.partial").mkdir()
    assert newest_whole(run / "checkpoints") == run / "checkpoints/step-00000005"


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(run: Path) -> None:
    said: list[str] = []
    with (
        no_file_larger_than(100_000),
        pytest.raises(
            TrainingError, match=r"step 8 could not be written to .*File too large.*step-00000005"
        ) as caught,
    ):
        train(settings(run / "../mixtures/mix.json", run, steps=8, checkpoint_every=2), say=said.append)
    assert "\n" not in str(caught.value)
    assert any("checkpoint of step 6 could not be written" in line and "goes on" in line for line in said)
    assert names(run) == ["latest", "step-00000004", "step-00000005"]
    assert load_model(run).position.step == 5


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        load_model(tmp_path)


def test_a_run_whose_checkpoints_are_all_damaged_is_not_started_anew_in_silence(run: Path) -> None:
    for checkpoint in (run / "checkpoints").glob("step-*"):
        damage(checkpoint)
    before = (run / "metrics.jsonl").read_bytes()
    with pytest.raises(
        TrainingError, match=r"no checkpoint is whole: .*step-00000005: .*; remove .*checkpoints"
    ):
        train(settings(run / "../mixtures/mix.json", run, steps=6), say=lambda _: None)
    assert (run / "metrics.jsonl").read_bytes() == before
    with pytest.raises(TrainingError, match=r"no whole checkpoint .*another checksum"):
        load_model(run)
    with pytest.raises(TrainingError, match=r"a damaged checkpoint: .*another checksum"):
        load_model(run / "checkpoints/step-00000004")


def test_what_a_killed_process_left_behind_is_cleared_away(run: Path) -> None:
    (run / "checkpoints/.step-00000006.partial").mkdir()
    train(settings(run / "../mixtures/mix.json", run, steps=8, keep=2), say=lambda _: None)
    assert names(run) == ["latest", "step-00000005", "step-00000008"]


def test_a_checkpoint_holds_the_moment_it_was_asked_for_though_training_goes_on(tmp_path: Path) -> None:
    config = ModelConfig(layers=2, width=64, heads=4, context=16, vocabulary=500)
    model = GPT(config)
    initialise(model, layers=2, seed=0)
    optimiser = make_optimiser(model, weight_decay=0.1)
    rows = torch.arange(17)[None]
    for _ in range(2):
        model(rows[:, :-1], rows[:, 1:]).backward()
        optimiser.step()
    moment = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moments = [state["exp_avg"].clone() for state in optimiser.state.values()]
    with world("cpu") as processes:
        checkpoints = Checkpoints(tmp_path, processes, keep=1)
        assert checkpoints.save(model, optimiser, Position(1, 1, 16, {}, config.to_dict(), {})) is None
        with torch.no_grad():
            for tensor in [*model.parameters(), *(state["exp_avg"] for state in optimiser.state.values())]:
                tensor.fill_(7.0)
        assert checkpoints.wait() is None
        checkpoints.close()
        other = GPT(config)
        again = make_optimiser(other, weight_decay=0.1)
        checkpoints.load(tmp_path / "step-00000001", other, again)
    assert all(torch.equal(moment[name], tensor) for name, tensor in other.state_dict().items())
    assert all(
        torch.equal(one, state["exp_avg"]) for one, state in zip(moments, again.state.values(), strict=True)
    )

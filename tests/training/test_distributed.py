"""Real processes under torchrun, with gloo on the processor."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.corpora import make_mixture, settings
from training.checkpoint import newest_whole, read_position
from training.loop import train
from training.metrics import read_metrics

ROOT = Path(__file__).resolve().parents[2]
BATCH = 8


def launch(mixture: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    """Two processes of `crawlmix train`."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
        "-m", "pipeline.cli.main", "train", "--mixture", str(mixture), "--out", str(out), "--device", "cpu",
        "--batch", str(BATCH), "--checkpoint-every", "0", "--validate-every", "4", *options,
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def losses(folder: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(folder / "metrics.jsonl")]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A mixture, and what one process makes of it in 16 steps without a pause."""
    root = tmp_path_factory.mktemp("straight")
    mixture = make_mixture(root)
    train(settings(mixture, root / "run", steps=16, batch=BATCH), say=lambda _: None)
    return mixture, losses(root / "run")


@pytest.mark.slow
def test_two_processes_continue_what_one_began(straight: tuple[Path, list[float]], tmp_path: Path) -> None:
    mixture, expected = straight
    train(settings(mixture, tmp_path, steps=6, batch=BATCH), say=lambda _: None)
    process = launch(mixture, tmp_path, "--steps", "16", "--micro-batch", "2", "--parallel", "ddp")
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert "continuing after step 6, sample 48" in output
    assert losses(tmp_path) == pytest.approx(expected, abs=1e-4)
    records = read_metrics(tmp_path / "metrics.jsonl")
    assert [record["first_sample"] for record in records] == list(range(0, 16 * BATCH, BATCH))
    assert records[-1]["validation"]["prose"]["loss"] > 0


@pytest.mark.slow
def test_sharded_processes_stop_on_a_signal_and_one_process_continues(
    straight: tuple[Path, list[float]], tmp_path: Path
) -> None:
    mixture, expected = straight
    process = launch(mixture, tmp_path, "--parallel", "fsdp", "--log-every", "1")
    deadline = time.monotonic() + 150
    while len(losses(tmp_path)) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=100)
    assert "stopped by a signal after step" in output
    found = newest_whole(tmp_path / "checkpoints")
    assert found is not None, output
    step = read_position(found).step
    assert losses(tmp_path)[:16] == pytest.approx(expected[: len(losses(tmp_path))], abs=1e-4)
    assert len(losses(tmp_path)) == step >= 3
    train(settings(mixture, tmp_path, steps=max(16, step + 2), batch=BATCH), say=lambda _: None)
    assert losses(tmp_path)[:16] == pytest.approx(expected, abs=1e-4)
    assert [record["step"] for record in read_metrics(tmp_path / "metrics.jsonl")] == list(
        range(1, max(16, step + 2) + 1)
    )

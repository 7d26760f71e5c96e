"""A trained model out of a run's folder, in one process, whatever wrote it."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load

from training.checkpoint import RUN, Position, find_damage, newest_whole, read_position
from training.distributed import alone
from training.errors import TrainingError
from training.model import GPT
from training.presets import ModelConfig


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and where it came from."""

    model: GPT
    position: Position
    checkpoint: Path


def find_checkpoint(path: Path) -> Path:
    """The checkpoint meant by a path: itself, or the newest whole one of a run's folder.

    Raises:
        TrainingError: there is none, or the one meant is damaged.
    """
    if (path / RUN).is_file():
        if (problem := find_damage(path)) is not None:
            raise TrainingError(
                f"{path}: a damaged checkpoint: {problem}; give the run's folder to use the one before"
            )
        return path
    damaged: list[str] = []
    for folder in (path / "checkpoints", path):
        if (found := newest_whole(folder, damaged=damaged)) is not None:
            return found
    told = f" ({'; '.join(damaged)})" if damaged else ""
    raise TrainingError(
        f"{path}: no whole checkpoint{told}; expected a run's folder (`train --out`) or one checkpoint"
    )


def load_model(path: Path, *, device: torch.device | None = None) -> Trained:
    """Load a model in float32, ready to be used.

    Args:
        path: a run's folder or a checkpoint.
        device: where it goes; the processor by default.

    Raises:
        TrainingError: there is no whole checkpoint, or it cannot be read.
    """
    checkpoint = find_checkpoint(path)
    position = read_position(checkpoint)
    model = GPT(ModelConfig.from_dict(position.model))
    state = {"model": model.state_dict()}
    try:
        with alone():
            load(state, checkpoint_id=checkpoint, no_dist=True)
    except (Exception, CheckpointException) as error:  # torch wraps whatever its readers raise
        raise TrainingError(
            f"{checkpoint}: the checkpoint cannot be read: {str(error).splitlines()[0]}"
        ) from error
    model.load_state_dict(state["model"])
    return Trained(model.to(device or torch.device("cpu")).eval(), position, checkpoint)

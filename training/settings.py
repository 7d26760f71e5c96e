"""What a user can choose about a run."""

import math
from dataclasses import dataclass
from pathlib import Path

from training.distributed import PARALLEL
from training.errors import TrainingError

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """A run, before anything is opened. None means: the preset's, or what suits the machine.

    Args:
        mixture: the mixture file.
        out: folder of metrics and checkpoints.
        steps: stop after this many optimiser steps; changes nothing about the steps themselves.
        tokens: of the whole run, for which the schedule is planned; None for what the mixture asks for.
        schedule_scale: factor on the paper's warm-up, decay and ramp, which are for 300 B tokens; None to fit `tokens`.
        batch: sequences of a full step. `ramp`: start small and grow, as the paper does.
        micro_batch: sequences that a process handles at once, at most.
        mask_documents: a token sees only its own document. The paper does not.
        checkpoint_every, validate_every, sample_every: steps; 0 for never (the last step always makes a checkpoint).
        keep: checkpoints that stay.
        validation_windows: windows of each source that are read for the validation loss.
        verify: read all shards before starting and compare their SHA-256; None where that takes seconds at most.
    """

    mixture: Path
    out: Path
    preset: str = "tiny"
    steps: int | None = None
    tokens: int | None = None
    pattern: str | None = None
    window: int | None = None
    context: int | None = None
    learning_rate: float | None = None
    weight_decay: float = 0.1
    schedule_scale: float | None = None
    batch: int | None = None
    ramp: bool = True
    micro_batch: int | None = None
    seed: int = 0
    device: str | None = None
    precision: str | None = None
    parallel: str = "ddp"
    compile: bool | None = None
    activation_checkpointing: bool = False
    mask_documents: bool = False
    kernel: str | None = None
    checkpoint_every: int = 500
    keep: int = 3
    validate_every: int = 500
    validation_windows: int = 64
    sample_every: int = 0
    sample_tokens: int = 64
    log_every: int = 10
    verify: bool | None = None
    wandb: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in {None, *PRECISIONS}:
            raise TrainingError(f"precision `{self.precision}`: expected one of {', '.join(PRECISIONS)}")
        if self.parallel not in PARALLEL:
            raise TrainingError(f"parallel `{self.parallel}`: expected one of {', '.join(PARALLEL)}")
        for name in ("steps", "tokens", "batch", "micro_batch", "keep", "log_every", "validation_windows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise TrainingError(f"{name} {value}: expected 1 or more")
        for name in ("checkpoint_every", "validate_every", "sample_every", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise TrainingError(f"{name} {getattr(self, name)}: expected 0 or more")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise TrainingError(f"learning_rate {self.learning_rate}: expected a positive number")

"""Learning rate and batch as functions of the tokens consumed (Brown et al. 2020, appendix B)."""

import math
from dataclasses import dataclass

from training.errors import TrainingError
from training.presets import PAPER_TOKENS, Preset

WARMUP_TOKENS = 375_000_000
DECAY_TOKENS = 260_000_000_000
FINAL_SHARE = 0.1  # of the peak rate, from DECAY_TOKENS on


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a run does after t tokens. Nothing here knows how many processes there are.

    Args:
        peak: learning rate at the end of the warm-up.
        warmup: tokens of the linear rise from 0.
        decay: tokens at which the cosine, which starts at `warmup`, has reached a tenth of the peak.
        batch: sequences of a full step.
        first_batch: sequences of the first step.
        ramp: tokens over which the batch grows linearly.
        quantum: sequences; batches are rounded down to multiples of it.
        sequence_length: tokens of a sequence.
    """

    peak: float
    warmup: float
    decay: float
    batch: int
    first_batch: int
    ramp: float
    quantum: int
    sequence_length: int

    def __post_init__(self) -> None:
        if self.batch < 1 or self.quantum < 1 or self.batch % self.quantum:
            raise TrainingError(
                f"a batch of {self.batch} sequences is not a multiple of {self.quantum}, in which it grows"
            )

    def learning_rate(self, tokens: int) -> float:
        """Rate of the step that starts after `tokens` tokens."""
        if tokens < self.warmup:
            return self.peak * tokens / self.warmup
        if tokens >= self.decay:
            return self.peak * FINAL_SHARE
        turn = math.pi * (tokens - self.warmup) / (self.decay - self.warmup)
        return self.peak * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(turn)))

    def batch_size(self, tokens: int) -> int:
        """Sequences of the step that starts after `tokens` tokens."""
        done = 1.0 if tokens >= self.ramp else tokens / self.ramp
        grown = self.first_batch + (self.batch - self.first_batch) * done
        return max(self.quantum, int(grown) // self.quantum * self.quantum)


def plan_schedule(
    preset: Preset,
    *,
    sequence_length: int,
    tokens: int,
    scale: float | None = None,
    learning_rate: float | None = None,
    batch: int | None = None,
    ramp: bool = True,
) -> Schedule:
    """The preset's schedule for a run.

    Args:
        preset: where peak, batch and ramp come from.
        sequence_length: tokens of a sequence.
        tokens: of the whole run.
        scale: by which warm-up, decay and ramp of the paper's 300 B tokens are multiplied; None for the preset's,
            which fits the run of all but `tiny`.
        learning_rate: peak, if not the preset's.
        batch: sequences of a full step, if not the preset's.
        ramp: False to start with the full batch.

    Raises:
        TrainingError: a number is out of range.
    """
    scale = preset.schedule_scale if scale is None else scale
    factor = tokens / PAPER_TOKENS if scale is None else scale
    if not 0 < factor < math.inf:
        raise TrainingError(
            f"schedule scale {factor}: expected a positive number; 1 is a run of 300 B tokens"
        )
    quantum = max(1, preset.quantum_tokens // sequence_length)
    full = max(preset.min_batch, preset.batch_tokens // sequence_length) if batch is None else batch
    if full < quantum or batch is not None:
        quantum = math.gcd(full, quantum)
    ramping = ramp and preset.ramp_tokens > 0
    return Schedule(
        peak=preset.learning_rate if learning_rate is None else learning_rate,
        warmup=WARMUP_TOKENS * factor,
        decay=DECAY_TOKENS * factor,
        batch=full,
        first_batch=quantum if ramping else full,
        ramp=preset.ramp_tokens * factor if ramping else 0,
        quantum=quantum if ramping else full,
        sequence_length=sequence_length,
    )

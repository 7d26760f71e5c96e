"""The same small model on several mixtures: the loop by which people choose data."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mixtures.mixture import Mixture
from training.distributed import World, find_device
from training.errors import TrainingError
from training.load import Trained, load_model
from training.loop import train
from training.run import Language
from training.settings import TrainSettings
from training.validation import HeldOut, read_held_out, validate

# Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom; beyond, the normal's is near enough.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL95 = 1.96
_MICRO_BATCH = 8

# Scores a trained model on tasks: {"task": accuracy}.
Examine = Callable[[Trained], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean over the seeds, and half the width of its 95 % interval; None for a single seed."""

    mean: float
    margin: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """From one value for each seed."""
        if len(values) < 2:
            return cls(values[0], None)
        freedom = len(values) - 1
        quantile = _T95[freedom - 1] if freedom <= len(_T95) else _NORMAL95
        return cls(statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(len(values)))

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.margin is None else f" ±{self.margin:.4f}")


@dataclass(frozen=True, slots=True)
class Ablation:
    """What each mixture gave.

    Args:
        mixtures: names, in the order asked for.
        seeds: one run of each mixture for each.
        tokens: of each run.
        scores: measure, then mixture: the estimate. Measures are `loss: SOURCE` and `task: NAME`.
        differences: the same against the first mixture, run by run of the same seed.
    """

    mixtures: list[str]
    seeds: list[int]
    tokens: int
    scores: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""

        def plain(table: dict[str, dict[str, Estimate]]) -> dict[str, Any]:
            return {
                measure: {name: {"mean": one.mean, "margin95": one.margin} for name, one in row.items()}
                for measure, row in table.items()
            }

        return {
            "mixtures": self.mixtures,
            "seeds": self.seeds,
            "tokens": self.tokens,
            "scores": plain(self.scores),
            "differences_to_first": plain(self.differences),
        }

    def to_text(self) -> str:
        """Measures down, mixtures across; differences to the first below."""
        lines = [
            f"{self.tokens:,} tokens a run, seeds {', '.join(map(str, self.seeds))}; ± is a 95 % interval"
        ]
        for title, table in (("", self.scores), (f"difference to {self.mixtures[0]}", self.differences)):
            if table:
                rows = [[title, *self.mixtures]]
                rows += [
                    [measure, *(str(row.get(name, "")) for name in self.mixtures)]
                    for measure, row in table.items()
                ]
                widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
                lines += ["", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)]
        return "\n".join(lines)


def ablate(
    mixtures: Mapping[str, Path],
    settings: TrainSettings,
    *,
    seeds: Sequence[int],
    language: Language | None = None,
    examine: Examine | None = None,
    say: Callable[[str], None] = print,
) -> Ablation:
    """Train the same model on each mixture with each seed, and compare.

    Every model is tested on the held-out documents of all sources of all mixtures. Runs that are done already are
    not done again.

    Args:
        mixtures: name and file of each.
        settings: of all runs; mixture, seed and folder are filled in. `tokens` is needed: the same for all.
        seeds: of the initial parameters.
        language: see `train`.
        examine: scores a model on tasks.
        say: gets a line for each run.

    Raises:
        TrainingError: the mixtures cannot be compared: other tokenizers, no held-out documents and no task.
    """
    if settings.tokens is None:
        raise TrainingError("an ablation needs the tokens of each run, the same for all mixtures")
    held_out = _all_held_out(mixtures, settings.validation_windows)
    if not held_out and examine is None:
        raise TrainingError(
            "nothing to compare: no source has a validation split, and no task was given; build with one, or name tasks"
        )
    values: dict[str, dict[str, list[float]]] = {}
    for name, path in mixtures.items():
        for seed in seeds:
            run = replace(
                settings, mixture=path, seed=seed, out=settings.out / f"{name}-seed{seed}", validate_every=0
            )
            say(f"{name}, seed {seed}: training")
            outcome = train(run, language, say=_silent)
            if outcome.stopped:
                raise TrainingError("stopped by a signal; the same command continues")
            trained = load_model(run.out, device=find_device(settings.device))
            found = _losses(trained, held_out, masked=settings.mask_documents)
            found |= {f"task: {task}": score for task, score in (examine(trained) if examine else {}).items()}
            for measure, value in found.items():
                values.setdefault(measure, {}).setdefault(name, []).append(value)
    names = list(mixtures)
    return Ablation(
        mixtures=names,
        seeds=list(seeds),
        tokens=settings.tokens,
        scores={measure: {name: Estimate.of(row[name]) for name in names} for measure, row in values.items()},
        differences={
            measure: {
                name: Estimate.of([b - a for a, b in zip(row[names[0]], row[name], strict=True)])
                for name in names[1:]
            }
            for measure, row in values.items()
            if len(names) > 1
        },
    )


def _silent(line: str) -> None:
    del line


def _all_held_out(mixtures: Mapping[str, Path], windows: int) -> list[HeldOut]:
    found: dict[str, HeldOut] = {}
    tokenizers: dict[tuple[str, int], str] = {}
    for name, path in mixtures.items():
        mixture = Mixture.read(path)
        tokenizers.setdefault((mixture.tokenizer, mixture.sequence_length), name)
        for one in read_held_out(path, mixture, windows=windows):
            found.setdefault(one.source, one)
    if len(tokenizers) > 1:
        raise TrainingError(
            f"mixtures {' and '.join(tokenizers.values())} differ in tokenizer or sequence length; losses would not compare"
        )
    return [found[source] for source in sorted(found)]


def _losses(trained: Trained, held_out: list[HeldOut], *, masked: bool) -> dict[str, float]:
    device = next(trained.model.parameters()).device
    scores = validate(
        trained.model,
        held_out,
        world=World(0, 1, device, started=False),
        micro_batch=_MICRO_BATCH,
        bytes_per_token=None,
        autocast=nullcontext,
        border=int(trained.position.mixture["eos_id"]) if masked else None,
    )
    return {f"loss: {source}": float(score["loss"] or 0.0) for source, score in scores.items()}

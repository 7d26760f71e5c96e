"""The training loop. Everything is counted in tokens; a run's whole position is the number of samples consumed."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from training.attention import Race
from training.checkpoint import Position
from training.distributed import world
from training.errors import TrainingError
from training.feed import Feed, Step
from training.generate import generate
from training.machine import convention, memory_bytes, utilisation
from training.metrics import Metrics, duration
from training.plot import write_plot
from training.run import Language, Run
from training.settings import TrainSettings
from training.signals import Signals
from training.validation import validate


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    step: int
    tokens: int
    loss: float
    stopped: bool  # by a signal; the same command continues
    validation: dict[str, Any] = field(default_factory=dict)


def train(
    settings: TrainSettings, language: Language | None = None, *, say: Callable[[str], None] | None = None
) -> Outcome:
    """Train, or continue a run that was interrupted; the same settings in the same folder always go on.

    Under torchrun every process calls this with the same settings.

    Args:
        settings: the run.
        language: decodes samples and counts bytes.
        say: gets lines for people; None for the console.

    Raises:
        TrainingError: the input is not usable, the loss is no number any more, or the last checkpoint failed.
    """
    with world(settings.device) as processes, Signals() as signals:
        run = Run(settings, processes, language or Language())
        races = run.build()
        position = run.resume()
        step = position.step if position else 0
        samples = position.consumed_samples if position else 0
        metrics = None
        if processes.first:
            metrics = Metrics(
                settings.out, resumed=step, log_every=settings.log_every, wandb=settings.wandb, say=say
            )
        teller = metrics.say if metrics else _nothing
        if processes.first:
            for line in _greeting(run, races, position):
                teller(line)
        try:
            outcome = _steps(run, signals, metrics, step, samples, teller)
        finally:
            run.checkpoints.close()
            if metrics is not None:
                metrics.close()
        if processes.first:
            _plot(run, teller)
        processes.barrier()
        return outcome


def _plot(run: Run, say: Callable[[str], None]) -> None:
    folder = run.settings.out
    try:
        page = write_plot(folder, title=f"{run.settings.preset} on {run.dataset.mixture.name}")
    except OSError as error:
        say(f"warning: the loss curve could not be written to {folder} ({error.strerror})")
        return
    if page is not None:
        say(f"loss curve: {page}")


def _nothing(line: str) -> None:
    del line


def _greeting(run: Run, races: list[Race], position: Position | None) -> Iterator[str]:
    config, schedule = run.config, run.schedule
    yield (
        f"{run.settings.preset}: {config.parameter_count():,} parameters, pattern {config.pattern}, window "
        f"{config.window}; {run.world.size} x {run.world.device.type}"
        f"{' (' + run.settings.parallel + ')' if run.world.started else ''}, {'bf16' if run.half else 'fp32'}"
        f"{', compiled' if run.compile else ''}"
    )
    yield (
        f"{run.total_tokens:,} tokens of `{run.dataset.mixture.name}`; batch {schedule.batch_size(0)} to "
        f"{schedule.batch} sequences of {run.length}, {run.micro_batch} at once"
    )
    for race in races:
        if race.milliseconds:
            yield f"attention: {race}"
    yield f"MFU: {convention(run.world.device)}"
    for damage in run.checkpoints.damaged:
        yield f"{damage}; using the one before"
    if position:
        yield f"continuing after step {position.step:,}, sample {position.consumed_samples:,}"


def _steps(
    run: Run, signals: Signals, metrics: Metrics | None, step: int, samples: int, say: Callable[[str], None]
) -> Outcome:
    settings, world = run.settings, run.world
    outcome = Outcome(step, samples * run.length, math.nan, stopped=False)
    saved = step
    begin = time.perf_counter()
    session = Session()
    if _done(run, step, samples):
        say("nothing to do: the run is complete")
        return outcome
    feed = Feed(
        run.dataset,
        run.schedule,
        rank=world.rank,
        world=world.size,
        micro_batch=run.micro_batch,
        step=step + 1,
        first=samples,
        pin=world.device.type == "cuda",
    )
    with feed:
        for batch in feed:
            total, norm = run.take(batch)
            told = world.sum(torch.stack([total.double(), total.new_tensor(float(signals.stop)).double()]))
            loss = float(told[0]) / (batch.size * run.length)
            grad_norm = float(norm)
            step, samples = batch.number, batch.first + batch.size
            if not math.isfinite(loss) or not math.isfinite(grad_norm):
                run.checkpoints.wait()  # what was sound before this step is kept
                raise _lost(run, batch, loss)
            stopped, done = float(told[1]) > 0, _done(run, step, samples)
            now = time.perf_counter()
            seconds, begin = now - begin, now
            session.add(batch.size * run.length, seconds)
            record = _record(run, batch, loss, grad_norm, seconds, session, feed.waited)
            if settings.validate_every and run.held_out and (done or step % settings.validate_every == 0):
                record["validation"] = validate(
                    run.core,
                    run.held_out,
                    world=world,
                    micro_batch=run.micro_batch,
                    bytes_per_token=run.language.bytes_per_token,
                    autocast=run.autocast,
                    border=run.border,
                )
            if metrics is not None:
                metrics.record(record)
            if settings.sample_every and (done or step % settings.sample_every == 0):
                say(f"sample: {_sample(run, step)}")
            due = settings.checkpoint_every and step % settings.checkpoint_every == 0
            if due or done or stopped:
                problem = run.checkpoints.save(run.core, run.optimiser, run.position(step, samples))
                saved = step
                if problem:
                    say(f"warning: {problem}; training goes on")
            outcome = Outcome(
                step,
                samples * run.length,
                loss,
                stopped=stopped and not done,
                validation=record.get("validation", {}),
            )
            begin = time.perf_counter()
            if done or stopped:
                break
    if (problem := run.checkpoints.wait()) is not None and saved == step:
        raise TrainingError(problem)
    say(session.line(outcome, feed.waited))
    if outcome.stopped:
        say(f"stopped by a signal after step {step:,}; the same command continues")
    return outcome


@dataclass(slots=True)
class Session:
    """Speed of this process's part of the run, compilation at the first step left out."""

    tokens: int = 0
    seconds: float = 0.0
    all_seconds: float = 0.0
    steps: int = 0

    def add(self, tokens: int, seconds: float) -> None:
        """Count a step."""
        self.all_seconds += seconds
        if self.steps:
            self.tokens, self.seconds = self.tokens + tokens, self.seconds + seconds
        self.steps += 1

    def loader_share(self, waited: float) -> float:
        """Part of the time, 0 to 1, in which the loop stood still for data."""
        return waited / self.all_seconds if self.all_seconds else 0.0

    def line(self, outcome: Outcome, waited: float) -> str:
        """What this process's part of the run came to."""
        speed = f"{self.tokens / self.seconds:,.0f} tok/s after the first step, " if self.seconds else ""
        return (
            f"{self.steps:,} steps to {outcome.tokens:,} tokens in {duration(self.all_seconds)}: loss {outcome.loss:.4f}, "
            f"{speed}waited for data {self.loader_share(waited):.1%} of the time"
        )


def _done(run: Run, step: int, samples: int) -> bool:
    if run.settings.steps is not None and step >= run.settings.steps:
        return True
    return samples * run.length >= run.total_tokens


def _lost(run: Run, batch: Step, loss: float) -> TrainingError:
    kept = run.checkpoints.complete()
    last = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
    return TrainingError(
        f"step {batch.number:,}: the loss or its gradient is no number any more (loss {loss}); the step read samples "
        f"{batch.first:,} to {batch.first + batch.size - 1:,} of {run.settings.mixture} (see `crawlmix trace`); {last}"
    )


def _sample(run: Run, step: int) -> str:
    ids = generate(
        run.core,
        [run.dataset.mixture.eos_id],
        tokens=run.settings.sample_tokens,
        context=run.length,
        seed=run.settings.seed + step,
        top_k=50,
        fixed_length=run.compile,
        autocast=run.autocast,
    )
    return repr(run.language.decode(ids)) if run.language.decode else str(ids)


def _record(
    run: Run, batch: Step, loss: float, norm: float, seconds: float, session: Session, waited: float
) -> dict[str, Any]:
    samples = batch.first + batch.size
    tokens = batch.size * run.length
    speed = tokens / seconds
    average = session.tokens / session.seconds if session.seconds else speed
    left = run.total_tokens - samples * run.length
    if run.settings.steps is not None:
        left = min(left, (run.settings.steps - batch.number) * tokens)
    counts = run.dataset.sampler.counts(samples)
    return {
        "step": batch.number,
        "tokens": samples * run.length,
        "loss": loss,
        "lr": run.optimiser.param_groups[0]["lr"],
        "grad_norm": norm,
        "batch": batch.size,
        "first_sample": batch.first,
        "seconds": seconds,
        "tokens_per_second": speed,
        "mfu": utilisation(
            run.config,
            sequence_length=run.length,
            tokens_per_second=speed,
            device=run.world.device,
            devices=run.world.size,
        ),
        "mfu_convention": convention(run.world.device),
        "loader_share": session.loader_share(waited),
        "memory_bytes": memory_bytes(run.world.device),
        "eta_seconds": max(0.0, left / average),
        "samples_by_source": dict(zip(run.dataset.sampler.names, counts, strict=True)),
    }

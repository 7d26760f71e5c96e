"""The training loop. Everything is counted in tokens; a run's whole position is the number of samples consumed."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mixtures.dataset import MixtureDataset
from mixtures.difference import first_difference
from training.attention import Race
from training.attention import choose as choose_kernel
from training.checkpoint import Checkpoints, Position, read_position
from training.distributed import World, accumulating, replicate, spread, world
from training.errors import TrainingError
from training.feed import Feed, Step
from training.generate import generate
from training.machine import convention, memory_bytes, utilisation
from training.metrics import Metrics
from training.model import GPT, document_numbers, initialise
from training.plot import write_plot
from training.presets import configure, find_preset
from training.schedule import Schedule, plan_schedule
from training.settings import TrainSettings
from training.signals import Signals
from training.validation import HeldOut, read_held_out, validate

BETAS = (0.9, 0.95)
EPSILON = 1e-8
CLIP = 1.0  # global gradient norm; all four: Brown et al. 2020, appendix B
_MICRO_BATCH_TOKENS = {"cpu": 4_096, "cuda": 65_536}


@dataclass(frozen=True, slots=True)
class Language:
    """What training needs to know of the tokenizer, for people to read along. All optional."""

    decode: Callable[[list[int]], str] | None = None
    bytes_per_token: npt.NDArray[np.int64] | None = None  # (vocabulary,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    step: int
    tokens: int
    loss: float
    stopped: bool  # by a signal; the same command continues
    validation: dict[str, Any] = field(default_factory=dict)


class Run:
    """One run in one process; see `train`."""

    def __init__(self, settings: TrainSettings, world: World, language: Language) -> None:
        self.settings, self.world, self.language = settings, world, language
        preset = find_preset(settings.preset)
        self.dataset = MixtureDataset(settings.mixture, verify=settings.verify and world.first)
        mixture = self.dataset.mixture
        self.length = mixture.sequence_length
        self.total_tokens = settings.tokens or mixture.tokens
        self.config = configure(
            preset,
            vocabulary=mixture.vocabulary_size,
            pattern=settings.pattern,
            window=settings.window,
            context=settings.context,
        )
        if self.length > self.config.context:
            raise TrainingError(
                f"{settings.mixture}: samples of {self.length:,} tokens do not fit the model's context of "
                f"{self.config.context:,}; build the mixture with a shorter sequence_length, or give a longer context"
            )
        self.schedule = plan_schedule(
            preset,
            sequence_length=self.length,
            tokens=self.total_tokens,
            scale=settings.schedule_scale,
            learning_rate=settings.learning_rate,
            batch=settings.batch,
            ramp=settings.ramp,
        )
        if self.total_tokens < self.schedule.batch_size(0) * self.length:
            raise TrainingError(
                f"{settings.mixture}: a run of {self.total_tokens:,} tokens is less than one batch of "
                f"{self.schedule.batch_size(0) * self.length:,} ({self.schedule.batch_size(0)} sequences of "
                f"{self.length}); ask for more tokens or a smaller batch"
            )
        self.micro_batch = _micro_batch(self.schedule, world, settings.micro_batch, self.length)
        cuda = world.device.type == "cuda"
        self.half = (settings.precision or ("bf16" if cuda else "fp32")) == "bf16"
        self.compile = cuda if settings.compile is None else settings.compile
        self.fsdp = settings.parallel == "fsdp" and world.started
        self.checkpoints = Checkpoints(settings.out / "checkpoints", world, keep=settings.keep)
        self.held_out: list[HeldOut] = []
        if settings.validate_every:
            self.held_out = read_held_out(settings.mixture, mixture, windows=settings.validation_windows)

    def build(self) -> list[Race]:
        """Make the model, its optimiser and kernels."""
        with torch.device("meta"):
            core = GPT(self.config, activation_checkpointing=self.settings.activation_checkpointing)
        races = self._kernels(core)
        spread(core, self.world, parallel=self.settings.parallel, half=self.half)
        initialise(core, layers=self.config.layers, seed=self.settings.seed)
        core.fuse_loss = self.compile
        if self.compile:
            for block in core.blocks:
                block.compile()
        self.core = core
        self.optimiser = make_optimiser(core, weight_decay=self.settings.weight_decay)
        self.model = replicate(core, self.world, parallel=self.settings.parallel)
        return races

    def _kernels(self, core: GPT) -> list[Race]:
        if self.settings.kernel is not None:
            core.use_kernels(self.settings.kernel, self.settings.kernel)
            return [Race(self.settings.kernel, {}, {})]
        shape = (self.micro_batch, self.config.heads, self.length, self.config.head_width)
        windows = sorted(
            {self.config.layer_window(n) for n in range(self.config.layers)}, key=lambda w: w or 0
        )
        race = partial(
            choose_kernel,
            shape,
            device=self.world.device,
            dtype=torch.bfloat16 if self.half else torch.float32,
            documents=self.settings.mask_documents,
        )
        found = {window: race(window) for window in windows}
        dense = found[None].winner if None in found else "sdpa"
        banded = next((found[window].winner for window in windows if window is not None), "sdpa")
        core.use_kernels(dense, banded)
        return list(found.values())

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the model computes: bfloat16 products on float32 parameters, or nothing."""
        if self.half and not self.fsdp:
            return torch.autocast(self.world.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def resume(self) -> Position | None:
        """Continue from the newest whole checkpoint, if there is one.

        Raises:
            TrainingError: it belongs to another mixture, model or schedule; names the first difference.
        """
        found = self.checkpoints.newest()
        if found is None:
            return None
        position = read_position(found)
        place = f"{found.parent}: this run cannot be continued"
        remedy = "choose another folder, or the old settings"
        if difference := first_difference(position.mixture, self.dataset.mixture.to_dict()):
            raise TrainingError(f"{place}: another mixture: {difference}; {remedy}")
        for what, old, new in (
            ("another model", position.model, self.config.to_dict()),
            ("other settings", position.settings, self.identity()),
        ):
            for key in sorted(old.keys() | new.keys()):
                if old.get(key) != new.get(key):
                    raise TrainingError(
                        f"{place}: {what}: {key} was {old.get(key)}, now is {new.get(key)}; {remedy}"
                    )
        self.checkpoints.load(found, self.core, self.optimiser)
        return position

    def identity(self) -> dict[str, Any]:
        """What decides the losses, besides mixture and model; neither processes nor micro-batch nor device."""
        mine = self.settings
        return asdict(self.schedule) | {
            "seed": mine.seed, "weight_decay": mine.weight_decay, "mask_documents": mine.mask_documents
        }  # fmt: skip

    def position(self, step: int, samples: int) -> Position:
        """Where the run stands after `step` steps."""
        return Position(
            step=step,
            consumed_samples=samples,
            consumed_tokens=samples * self.length,
            mixture=self.dataset.mixture.to_dict(),
            model=self.config.to_dict(),
            settings=self.identity(),
        )

    def take(self, step: Step) -> tuple[Tensor, Tensor]:
        """One optimiser step; the sum of the losses of this process and the gradient norm, still on the device."""
        rate = self.schedule.learning_rate(step.first * self.length)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        # Processes' gradients are averaged, so the sum over the global batch needs the factor.
        scale = self.world.size / (step.size * self.length)
        total = torch.zeros((), dtype=torch.float32, device=self.world.device)
        for number, rows in enumerate(step.micro_batches):
            tokens = rows.to(self.world.device, non_blocking=True)
            inputs, targets = tokens[:, :-1], tokens[:, 1:]
            documents = (
                document_numbers(inputs, self.dataset.mixture.eos_id)
                if self.settings.mask_documents
                else None
            )
            with accumulating(self.model, last=number == len(step.micro_batches) - 1):
                with self.autocast():
                    loss = self.model(inputs, targets, documents)
                (loss * scale).backward()
            total += loss.detach()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimiser.step()
        return total, norm.full_tensor() if hasattr(norm, "full_tensor") else norm


def make_optimiser(model: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """Adam with decoupled decay on matrices; biases and norms are not decayed (the paper names no tensors)."""
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)


def _micro_batch(schedule: Schedule, world: World, wanted: int | None, length: int) -> int:
    if schedule.quantum % world.size:
        raise TrainingError(
            f"batches of {schedule.quantum} sequences cannot be shared by {world.size} processes; "
            f"choose a batch that is a multiple of {world.size}"
        )
    share = schedule.quantum // world.size
    limit = max(1, _MICRO_BATCH_TOKENS[world.device.type] // length) if wanted is None else wanted
    return next(size for size in range(min(limit, share), 0, -1) if share % size == 0)


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
            run.checkpoints.wait()
            run.checkpoints.close()
            if metrics is not None:
                metrics.__exit__(None, None, None)
        if processes.first:
            write_plot(settings.out, title=f"{settings.preset} on {run.dataset.mixture.name}")
        processes.barrier()
        return outcome


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
    yield from run.checkpoints.damaged
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
        "loader_share": waited / session.all_seconds if session.all_seconds else 0.0,
        "memory_bytes": memory_bytes(run.world.device),
        "eta_seconds": max(0.0, left / average),
        "samples_by_source": dict(zip(run.dataset.sampler.names, counts, strict=True)),
    }

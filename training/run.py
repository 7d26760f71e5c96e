"""One run in one process: its model, optimiser and data, and one optimiser step."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
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
from training.distributed import World, accumulating, replicate, spread
from training.errors import TrainingError
from training.feed import Step
from training.model import GPT, document_numbers, initialise
from training.presets import configure, find_preset
from training.schedule import Schedule, plan_schedule
from training.settings import TrainSettings
from training.validation import HeldOut, read_held_out

BETAS = (0.9, 0.95)
EPSILON = 1e-8
CLIP = 1.0  # global gradient norm; all four: Brown et al. 2020, appendix B
VERIFIED_BYTES = 1 << 30  # shards up to this size are compared with their checksums unasked
_MICRO_BATCH_TOKENS = {"cpu": 4_096, "cuda": 65_536}


@dataclass(frozen=True, slots=True)
class Language:
    """What training needs to know of the tokenizer, for people to read along. All optional."""

    decode: Callable[[list[int]], str] | None = None
    bytes_per_token: npt.NDArray[np.int64] | None = None  # (vocabulary,)


class Run:
    """One run in one process; see `train`."""

    def __init__(self, settings: TrainSettings, world: World, language: Language) -> None:
        self.settings, self.world, self.language = settings, world, language
        preset = find_preset(settings.preset)
        self.dataset = MixtureDataset(settings.mixture)
        mixture = self.dataset.mixture
        if world.first:
            _verify(self.dataset, wanted=settings.verify)
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
        self.border = mixture.eos_id if settings.mask_documents else None
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
            documents = None if self.border is None else document_numbers(inputs, self.border)
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


def _verify(dataset: MixtureDataset, *, wanted: bool | None) -> None:
    """Compare the shards with their checksums: when asked to, and where reading them is a matter of seconds."""
    size = sum(len(shards) for shards in dataset.shards) * dataset.dtype.itemsize
    if size <= VERIFIED_BYTES if wanted is None else wanted:
        for shards in dataset.shards:
            shards.verify()


def _micro_batch(schedule: Schedule, world: World, wanted: int | None, length: int) -> int:
    if schedule.quantum % world.size:
        grows = schedule.quantum < schedule.batch
        raise TrainingError(
            f"batches {'that grow by' if grows else 'of'} {schedule.quantum} sequences cannot be shared by "
            f"{world.size} processes; choose {'--no-ramp and ' if grows else ''}a batch that is a multiple of {world.size}"
        )
    share = schedule.quantum // world.size
    limit = max(1, _MICRO_BATCH_TOKENS[world.device.type] // length) if wanted is None else wanted
    return next(size for size in range(min(limit, share), 0, -1) if share % size == 0)

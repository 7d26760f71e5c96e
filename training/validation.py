"""Loss and bits per byte on each source's held-out documents."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mixtures.dataset import ValidationWindows
from mixtures.mixture import VALIDATION, Mixture
from training.distributed import World
from training.model import document_numbers

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What is read of one source: (windows, sequence length + 1) int64."""

    source: str
    windows: Int64s


def read_held_out(mixture_file: Path, mixture: Mixture, *, windows: int) -> list[HeldOut]:
    """Read up to `windows` validation windows of each source, spread evenly; sources without any are left out.

    They do not come from the sampler, so nothing here moves a run's position.
    """
    found = []
    for source in mixture.sources:
        if source.validation_tokens <= mixture.sequence_length:
            continue
        if not (mixture_file.parent / source.folder / VALIDATION).is_dir():
            continue
        held_out = ValidationWindows(mixture_file, source.name)
        count = min(windows, len(held_out))
        chosen = np.linspace(0, len(held_out) - 1, count).round().astype(int).tolist() if count else []
        if chosen:
            tokens = np.stack([held_out[window] for window in chosen]).astype(np.int64)
            found.append(HeldOut(source.name, tokens))
    return found


@torch.no_grad()
def validate(
    model: nn.Module,
    held_out: list[HeldOut],
    *,
    world: World,
    micro_batch: int,
    bytes_per_token: Int64s | None,
    autocast: Any,
    border: int | None = None,
) -> Mapping[str, dict[str, float | None]]:
    """Mean loss in nats a token, and bits a byte, of each source.

    Every process must call this: the windows are shared out, and with `fsdp` the model runs on all at once.

    Args:
        model: the trained one; its mode is restored.
        held_out: what to read.
        world: the processes.
        micro_batch: windows at once.
        bytes_per_token: (vocabulary,) UTF-8 bytes of each token, 0 for end-of-text; None if the tokenizer is unknown,
            which leaves `bits_per_byte` None.
        autocast: context in which the model runs.
        border: end-of-text id, if the model was trained with documents kept apart.
    """
    was_training = model.training
    model.eval()
    out: dict[str, dict[str, float | None]] = {}
    for source in held_out:
        totals = torch.zeros(3, dtype=torch.float64)  # nats, tokens, bytes
        stride = world.size * micro_batch
        for begin in range(0, len(source.windows), stride):
            mine = source.windows[begin + world.rank * micro_batch :][:micro_batch]
            # A process without a window still takes part, with one that does not count.
            rows = torch.from_numpy(mine if len(mine) else source.windows[:1]).to(world.device)
            inputs = rows[:, :-1]
            documents = None if border is None else document_numbers(inputs, border)
            with autocast():
                loss = model(inputs, rows[:, 1:], documents)
            if len(mine):
                targets = mine[:, 1:]
                size = 0 if bytes_per_token is None else int(bytes_per_token[targets].sum())
                totals += torch.tensor([float(loss), targets.size, size], dtype=torch.float64)
        nats, tokens, size_bytes = world.sum(totals.to(world.device)).tolist()
        bits = nats / math.log(2) / size_bytes if size_bytes else None
        out[source.source] = {"loss": nats / tokens, "bits_per_byte": bits}
    model.train(was_training)
    return out

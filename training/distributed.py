"""One process or many: under torchrun every process runs the same program, and this says which one it is."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.errors import TrainingError
from training.model import GPT

PARALLEL = ("ddp", "fsdp")
_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run, and this one among them."""

    rank: int
    size: int
    device: torch.device
    started: bool  # a process group exists
    checkpoint_group: Any = (
        None  # of its own, so that checkpoints written meanwhile do not meet training's messages
    )

    @property
    def first(self) -> bool:
        """Whether this process speaks for all: prints, writes metrics, names checkpoints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, in place."""
        if self.started:
            dist.all_reduce(values)
        return values

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.started:
            dist.barrier(group=self.checkpoint_group)


def find_device(wanted: str | None) -> torch.device:
    """The device asked for, or the best there is.

    Raises:
        TrainingError: a GPU was asked for and there is none.
    """
    name = wanted or ("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(
            f"device `{name}`: PyTorch {torch.__version__} finds no GPU on this machine; use `cpu`, or install a driver"
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError(f"device `{name}`: expected `cpu`, `cuda` or `cuda:N`") from error
    if device.type not in {"cpu", "cuda"}:
        raise TrainingError(f"device `{name}`: expected `cpu`, `cuda` or `cuda:N`")
    return device


@contextmanager
def world(device: str | None) -> Iterator[World]:
    """Join the processes that torchrun started, or be alone; leave them at the end."""
    found = find_device(device)
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        with alone():
            yield World(0, 1, found, started=False)
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if found.type == "cuda":
        if local >= torch.cuda.device_count():
            raise TrainingError(
                f"process {local} of this machine has no GPU of its own: there are {torch.cuda.device_count()}; "
                "start at most one process a GPU"
            )
        found = torch.device("cuda", local)
        torch.cuda.set_device(found)
    dist.init_process_group("cpu:gloo,cuda:nccl" if found.type == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        group = dist.new_group(backend="gloo")
        yield World(dist.get_rank(), dist.get_world_size(), found, started=True, checkpoint_group=group)
    finally:
        dist.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """Keep torch's checkpoints from warning that there is one process only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def spread(model: GPT, world: World, *, parallel: str, half: bool) -> nn.Module:
    """Make a model of meta tensors real on this process: whole (`ddp`) or its share (`fsdp`); values are not set.

    Args:
        model: built on the meta device.
        world: the processes.
        parallel: `ddp` keeps the whole model in every process, `fsdp` cuts parameters, gradients and moments.
        half: compute in bfloat16. With `fsdp` the policy casts; otherwise the caller uses autocast.
    """
    if parallel == "fsdp" and world.started:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        policy = (
            MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
            if half
            else MixedPrecisionPolicy()
        )
        mesh = init_device_mesh(world.device.type, (world.size,))
        for block in model.blocks:
            fully_shard(block, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)
        return model.to_empty(device=world.device)
    return model.to_empty(device=world.device)


def replicate(model: nn.Module, world: World, *, parallel: str) -> nn.Module:
    """Wrap for `ddp`, once the values are set: they are the same in all processes already."""
    if parallel == "ddp" and world.started:
        from torch.nn.parallel import DistributedDataParallel

        ids = [world.device.index] if world.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, init_sync=False, gradient_as_bucket_view=True)
    return model


@contextmanager
def accumulating(model: nn.Module, *, last: bool) -> Iterator[None]:
    """Exchange gradients only with the last micro-batch of a step."""
    exchange: Any = model  # DDP and FSDP2 have different switches; a model of one process has none
    if hasattr(exchange, "set_requires_gradient_sync"):
        exchange.set_requires_gradient_sync(last)
    with exchange.no_sync() if hasattr(exchange, "no_sync") and not last else nullcontext():
        yield

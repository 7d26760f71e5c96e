"""Checkpoints: written beside the training, put in place by rename, checked before they are used.

    checkpoints/
      latest               name of the newest complete one
      step-00000120/       torch.distributed.checkpoint files, `run.json`, `files.json` (sizes and checksums)

A checkpoint can be read by any number of processes, whatever number wrote it.
"""

import json
import re
import shutil
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from mixtures.manifest import write_atomically
from training.distributed import World
from training.errors import TrainingError

LATEST = "latest"
RUN = "run.json"
FILES = "files.json"
_NAME = re.compile(r"step-(\d{8,})")
_PARTIAL = ".partial"
_READ = 1 << 22


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands, and what it is a run of."""

    step: int
    consumed_samples: int
    consumed_tokens: int
    mixture: dict[str, Any]  # the whole mixture file
    model: dict[str, Any]
    settings: dict[str, Any]  # what decides the losses besides: seed, schedule, ...


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: `checkpoints` of the run's folder.
        world: the processes; all call the same methods in the same order.
        keep: how many complete ones stay.
    """

    def __init__(self, folder: Path, world: World, *, keep: int) -> None:
        self.folder = folder
        self._world = world
        self._keep = keep
        self._pending: Future[str | None] | None = None
        self._finisher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self.damaged: list[str] = []  # one line for each checkpoint that was passed over

    def save(self, model: nn.Module, optimiser: torch.optim.Optimizer, position: Position) -> str | None:
        """Start to write a checkpoint; training may go on at once. Waits for the one before.

        Returns:
            A line about the one before if it failed; None if all is well.
        """
        before = self.wait()
        final = self.folder / f"step-{position.step:08d}"
        partial = final.with_name(f".{final.name}{_PARTIAL}")
        if (failed := self._agree(self._prepare(partial, position))) is not None:
            return failed
        state: dict[str, Any] = {
            "model": get_model_state_dict(model),
            "optimiser": get_optimizer_state_dict(model, optimiser),
            "rng": torch.get_rng_state(),
        }
        written = async_save(
            state,
            checkpoint_id=partial,
            process_group=self._world.checkpoint_group,
            no_dist=not self._world.started,
        )
        self._pending = self._finisher.submit(self._finish, written, partial, final)
        return before

    def _prepare(self, partial: Path, position: Position) -> str | None:
        if not self._world.first:
            return None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(f".step-*{_PARTIAL}"):  # of a process that was killed meanwhile
                shutil.rmtree(left, ignore_errors=True)
            partial.mkdir()
            (partial / RUN).write_text(json.dumps(asdict(position), indent=1, sort_keys=True) + "\n")
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            return self._failure(position.step, error)
        return None

    def _finish(self, written: Any, partial: Path, final: Path) -> str | None:
        step = int(final.name.removeprefix("step-"))
        try:
            written.result()
            if self._world.first:
                _seal(partial, final)
                self._prune()
        except (Exception, CheckpointException) as error:  # noqa: BLE001  the latter is no Exception; `wait` tells the user
            if self._world.first:
                shutil.rmtree(partial, ignore_errors=True)
            return self._failure(step, error)
        return None

    def wait(self) -> str | None:
        """Wait until nothing is being written any more.

        Returns:
            A line about the checkpoint that was being written if it failed; None if all is well. The same in all
            processes.
        """
        if self._pending is None:
            return None
        problem = self._pending.result()
        self._pending = None
        return self._agree(problem)

    def close(self) -> None:
        """Let go of the thread; what is being written is finished first. Asks no other process for anything."""
        self._finisher.shutdown(wait=True)

    def complete(self) -> list[Path]:
        """Folders of all checkpoints that were put in place, oldest first."""
        if not self.folder.is_dir():
            return []
        named = (path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        return sorted(named, key=lambda path: int(path.name.removeprefix("step-")))

    def newest(self) -> Path | None:
        """The newest checkpoint that is whole; None if there is none. `damaged` tells which were passed over.

        The first process reads and decides for all.

        Raises:
            TrainingError: there are some, but none is whole: a run is not started anew in silence.
        """
        found = newest_whole(self.folder, damaged=self.damaged) if self._world.first else None
        if (name := self._agree(None if found is None else found.name)) is not None:
            return self.folder / name
        if (told := self._agree("; ".join(self.damaged) or None)) is not None:
            raise TrainingError(f"no checkpoint is whole: {told}; remove {self.folder} to start anew")
        return None

    def load(self, folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Fill a model and its optimiser; their processes need not be as many as wrote the checkpoint."""
        state: dict[str, Any] = {
            "model": get_model_state_dict(model),
            "optimiser": get_optimizer_state_dict(model, optimiser),
            "rng": torch.get_rng_state(),
        }
        load(
            state,
            checkpoint_id=folder,
            process_group=self._world.checkpoint_group,
            no_dist=not self._world.started,
        )
        set_model_state_dict(model, state["model"])
        set_optimizer_state_dict(model, optimiser, state["optimiser"])
        torch.set_rng_state(state["rng"])

    def _prune(self) -> None:
        for old in self.complete()[: -self._keep]:
            shutil.rmtree(old)

    def _agree(self, word: str | None) -> str | None:
        """What the first process says."""
        if not self._world.started:
            return word
        told: list[str | None] = [word]
        torch.distributed.broadcast_object_list(told, src=0, group=self._world.checkpoint_group)
        return told[0]

    def _failure(self, step: int, error: BaseException) -> str:
        kept = self.complete()
        last = f"the last good one is {kept[-1]}" if kept else "there is no earlier one"
        return (
            f"the checkpoint of step {step:,} could not be written to {self.folder} ({_cause(error)}); {last}"
        )


def newest_whole(folder: Path, *, damaged: list[str] | None = None) -> Path | None:
    """The newest checkpoint below `folder` whose files are all as they were written.

    Args:
        folder: `checkpoints` of a run.
        damaged: gets a line for each newer one that is not.
    """
    if not folder.is_dir():
        return None
    names = sorted(
        (path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True, key=_step
    )
    for name in names:
        problem = find_damage(folder / name)
        if problem is None:
            return folder / name
        if damaged is not None:
            damaged.append(f"{folder / name}: {problem}")
    return None


def find_damage(checkpoint: Path) -> str | None:
    """Compare a checkpoint's files with their recorded sizes and checksums; None if all agree."""
    try:
        files = json.loads((checkpoint / FILES).read_bytes())
        for name, (size, checksum) in sorted(files.items()):
            path = checkpoint / name
            if path.stat().st_size != size:
                return f"{name} has {path.stat().st_size:,} bytes instead of {size:,}"
            if _checksum(path) != checksum:
                return f"{name} has another checksum than when it was written"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"{FILES} or a file that it names cannot be read ({error})"
    return None if RUN in files else f"{FILES} does not name {RUN}"


def read_position(checkpoint: Path) -> Position:
    """Read where a run stood.

    Raises:
        TrainingError: `run.json` is missing or not of this release.
    """
    try:
        return Position(**json.loads((checkpoint / RUN).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{checkpoint / RUN}: not the state of a run ({error})") from error


def _seal(partial: Path, final: Path) -> None:
    files = {
        path.name: [path.stat().st_size, _checksum(path)] for path in partial.iterdir() if path.is_file()
    }
    write_atomically(partial / FILES, json.dumps(files, indent=1, sort_keys=True).encode())
    if final.exists():  # a run that was resumed from an earlier step comes by again
        shutil.rmtree(final)
    partial.rename(final)
    write_atomically(final.parent / LATEST, f"{final.name}\n".encode())


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as stream:
        while block := stream.read(_READ):
            found = zlib.crc32(block, found)
    return found


def _step(name: str) -> int:
    return int(name.removeprefix("step-"))


def _cause(error: BaseException) -> str:
    """The operating system's word, if it is in there somewhere: backends wrap it several times."""
    seen: list[BaseException] = [error]
    for wrapped in seen:  # grows as it is read
        if isinstance(wrapped, OSError) and wrapped.strerror:
            return wrapped.strerror
        failures = getattr(wrapped, "failures", None)
        if isinstance(failures, dict):
            seen.extend(pair[0] for pair in failures.values() if isinstance(pair[0], BaseException))
        causes = (wrapped.__cause__, wrapped.__context__)
        seen.extend(cause for cause in causes if cause is not None and cause not in seen)
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]

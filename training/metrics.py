"""Where a run's numbers go: the console, `metrics.jsonl`, and TensorBoard and Weights & Biases if installed."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from training.errors import TrainingError

METRICS = "metrics.jsonl"


class Metrics:
    """The record of a run, kept by its first process.

    One line of `metrics.jsonl` for each step. A run that continues from step n drops the lines after n first, so the
    file holds each step once, whatever happened in between.

    Args:
        folder: of the run.
        resumed: step that the run continues from; 0 for a new one.
        log_every: steps between two lines on the console.
        wandb: project of Weights & Biases; None for none.
        say: gets lines for people; None for the console.

    Raises:
        TrainingError: Weights & Biases was asked for and is not installed, or the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        resumed: int,
        log_every: int,
        wandb: str | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.say = say or _print
        self._log_every = log_every
        self._unwritten = b""  # lines that the disk had no room for
        self.path = folder / METRICS
        kept = [record for record in read_metrics(self.path) if record["step"] <= resumed]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_name(f".{METRICS}.tmp")
            temporary.write_text("".join(json.dumps(record) + "\n" for record in kept))
            temporary.replace(self.path)
            self._file = self.path.open("ab", buffering=0)
            self._size = self.path.stat().st_size
        except OSError as error:
            raise TrainingError(f"{folder}: the run's folder cannot be written: {error.strerror}") from error
        self._board = _tensorboard(folder, resumed)
        self._wandb = None if wandb is None else _start_wandb(wandb, folder)

    def record(self, values: Mapping[str, Any]) -> None:
        """Keep the numbers of one step (`step` is among them)."""
        self._write(json.dumps(values).encode() + b"\n")
        numbers = {name: value for name, value in _flat(values).items() if name != "step"}
        self._show(numbers, values["step"])
        if self._wandb is not None:
            self._wandb.log(numbers, step=values["step"])
        if values["step"] == 1 or values["step"] % self._log_every == 0 or "validation" in values:
            self.say(_line(values))

    def _show(self, numbers: Mapping[str, float], step: int) -> None:
        """Hand the numbers to TensorBoard, whose writer does not survive a full disk: the run goes on without it."""
        if self._board is None:
            return
        try:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)
        except OSError as error:
            self._board = None
            self.say(f"warning: TensorBoard gets no more numbers of this session ({error.strerror})")

    def _write(self, line: bytes) -> None:
        """Append a line; on a full disk keep it for later, when a checkpoint that is pruned may have made room."""
        warned, self._unwritten = bool(self._unwritten), self._unwritten + line
        try:
            written = self._file.write(self._unwritten)
        except OSError as error:
            written, cause = 0, error.strerror
        else:
            cause = "the disk is full"
        if written == len(self._unwritten):
            self._size += written
            self._unwritten = b""
            return
        self._file.truncate(self._size)
        if not warned:
            self.say(f"warning: {self.path} cannot be written ({cause}); its lines are kept for later")

    def close(self) -> None:
        """Finish all outputs."""
        if self._unwritten:
            self._write(b"")
        self._file.close()
        if self._board is not None:
            with suppress(OSError):  # `metrics.jsonl` holds the numbers
                self._board.close()
        if self._wandb is not None:
            self._wandb.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a run's records; a last line that a crash cut short is left out."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if isinstance(record, dict) and "step" in record:
            found.append(record)
    return found


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  the console is one of the outputs


def _line(values: Mapping[str, Any]) -> str:
    parts = [
        f"step {values['step']:,}",
        f"{values['tokens'] / 1e6:.3f}M tokens",
        f"loss {values['loss']:.4f}",
        f"lr {values['lr']:.2e}",
        f"grad {values['grad_norm']:.2f}",
        f"{values['tokens_per_second']:,.0f} tok/s",
    ]
    if values["mfu"] is not None:
        parts.append(f"MFU {values['mfu']:.1%}")
    parts += [f"{values['memory_bytes'] / 2**30:.2f} GiB", f"ETA {duration(values['eta_seconds'])}"]
    for source, scores in values.get("validation", {}).items():
        bits = scores["bits_per_byte"]
        parts.append(f"{source} {scores['loss']:.4f}" + ("" if bits is None else f" ({bits:.3f} bits/byte)"))
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    out: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            out[prefix + name] = value
    return out


def _tensorboard(folder: Path, resumed: int) -> Any:
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder / "tensorboard", purge_step=resumed + 1 if resumed else None)


def _start_wandb(project: str, folder: Path) -> Any:
    if find_spec("wandb") is None:
        raise TrainingError("Weights & Biases was asked for, but `wandb` is not installed: pip install wandb")
    import wandb  # type: ignore[import-not-found,unused-ignore]

    os.environ.setdefault("WANDB_SILENT", "true")
    # A run that continues goes on in the same curves: its folder names it.
    name = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()
    return wandb.init(project=project, dir=str(folder), name=folder.name, id=name, resume="allow")

"""Extraction behind a wall: pages go in batches to a child process that can be killed, and always come back.

Size and nesting are decided by counting (see `limits`); the limits here are the backstop. A page at which the child
dies, or is stopped by a limit, is tried once more, alone in a new child, so that neither its neighbours nor a
passing trouble of the machine decides its fate; then it is `failed`, and the pages after it go on.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pipeline.extract.frames import read_result, write_batch
from pipeline.extract.html import check_extractor
from pipeline.extract.limits import Limits
from pipeline.extract.page import Extracted, Page
from pipeline.extract.worker import OUT_OF_MEMORY

__all__ = ["Extracted", "Guard", "GuardSettings", "Limits", "Page"]

_ROOT = Path(__file__).resolve().parents[2]
_STDERR_TAIL_BYTES = 300
_PIPE_BYTES = 1 << 20  # what Linux allows to anybody
_MEMORY_SIGNS = ("bad_alloc", "MemoryError", "Cannot allocate", "out of memory")


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Backstops, far above what any page within the limits needs."""

    cpu_seconds: float = 30.0  # of the child for one page
    wall_seconds: float = 600.0  # for one batch; against a child that is stuck without computing
    memory_bytes: int = 3 << 30  # address space of the child
    batch_bytes: int = 1 << 20  # bodies sent at once


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    overdue: bool = False


@dataclass(slots=True)
class Guard:
    """An extractor in a child process; a context manager. One thread at a time.

    Raises:
        UsageError: at the start, if the extractor is unknown or not installed.
    """

    extractor: str = "resiliparse"
    limits: Limits = field(default_factory=Limits)
    settings: GuardSettings = field(default_factory=GuardSettings)
    restarts: int = 0  # children that had to be replaced
    _ended_seconds: float = 0.0  # CPU time of children that are gone
    _child: _Child | None = None
    _last_words: str = ""

    def __post_init__(self) -> None:
        check_extractor(self.extractor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def extract(self, pages: Sequence[Page]) -> list[Extracted]:
        """Extract pages: one result for each, in their order; no page raises."""
        results: list[Extracted] = []
        while len(results) < len(pages):
            batch = self._batch(pages, len(results))
            answers, death = self._run(batch)
            results += answers
            if death is not None:
                results += self._retry(batch[len(answers)])
        return results

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._stop(self._child)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all its children so far, as far as the system tells (Linux)."""
        return self._ended_seconds + (_used(self._child) if self._child else 0.0)

    @property
    def child_id(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.process.pid if self._child else None

    def _batch(self, pages: Sequence[Page], start: int) -> list[Page]:
        end, size = start, 0
        while end < len(pages) and (end == start or size + len(pages[end].body) <= self.settings.batch_bytes):
            size += len(pages[end].body)
            end += 1
        return list(pages[start:end])

    def _retry(self, page: Page) -> list[Extracted]:
        answers, death = self._run([page])
        if death is None:
            return answers
        rule, detail = death
        return [Extracted(extractor=self.extractor, fate="failed", rule=rule, detail=detail)]

    def _run(self, batch: list[Page]) -> tuple[list[Extracted], tuple[str, str] | None]:
        """Send a batch; return the answers until the child died, and of what (rule, detail) if it did."""
        child = self._child or self._start()
        assert child.process.stdin is not None
        assert child.process.stdout is not None
        watchdog = threading.Timer(self.settings.wall_seconds, self._overdue, [child])
        watchdog.daemon = True
        watchdog.start()
        answers: list[Extracted] = []
        try:
            # The child reads the whole batch before it answers, so neither waits for the other's full pipe.
            write_batch(child.process.stdin, batch)
            answers.extend(read_result(child.process.stdout) for _ in batch)
        except (OSError, EOFError, ValueError):
            return answers, self._post_mortem(child)
        finally:
            watchdog.cancel()
        return answers, None

    def _start(self) -> _Child:
        settings = {
            "extractor": self.extractor,
            "limits": asdict(self.limits),
            "cpu_seconds": self.settings.cpu_seconds,
            "memory_bytes": self.settings.memory_bytes,
            # Linux's signal comes when the *thread* ends that started the child.
            "die_with_parent": threading.current_thread() is threading.main_thread(),
        }
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        # The path as it is here, so that the child imports the same code; threads would only cost memory.
        environment = {
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)]),
            "PYTHONSAFEPATH": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "LC_ALL": "C.UTF-8",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.extract.worker", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
        )
        for pipe in (process.stdin, process.stdout):
            if pipe is not None and hasattr(
                fcntl, "F_SETPIPE_SZ"
            ):  # Linux: fewer changes between the processes
                with contextlib.suppress(OSError):  # a limit of the system on the sum of pipes
                    fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._child = _Child(process, stderr)
        return self._child

    @staticmethod
    def _overdue(child: _Child) -> None:
        child.overdue = True
        child.process.kill()

    def _post_mortem(self, child: _Child) -> tuple[str, str]:
        self._stop(child)
        self.restarts += 1
        code = child.process.returncode
        if child.overdue:
            return "extractor_timeout", f"no answer within {self.settings.wall_seconds:g} s"
        if code == -signal.SIGPROF:
            return "extractor_timeout", f"more than {self.settings.cpu_seconds:g} s of CPU time"
        if code == OUT_OF_MEMORY or any(sign in self._last_words for sign in _MEMORY_SIGNS):
            return "extractor_memory", f"more than {self.settings.memory_bytes} bytes of memory"
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return "extractor_died", f"{how} {self._last_words}".strip()

    def _stop(self, child: _Child) -> None:
        self._ended_seconds += _used(child)
        for stream in (child.process.stdin, child.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what could not be written to a dead child
                    stream.close()
        try:
            child.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        size = child.stderr.seek(0, os.SEEK_END)
        child.stderr.seek(max(0, size - _STDERR_TAIL_BYTES))
        self._last_words = " ".join(child.stderr.read().decode("utf-8", "replace").split())
        child.stderr.close()
        self._child = None


def _used(child: _Child) -> float:
    try:
        fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

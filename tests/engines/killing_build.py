"""A build during which one worker process is killed in each stage: `python -m tests.engines.killing_build …`.

It prints one JSON object: the digest, and in which stages a worker was killed.
"""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from pipeline.build import build
from pipeline.progress import Progress
from pipeline.recipe import load_recipe

# A worker that dies while it still connects is waited for by its engine for three minutes before the task is tried
# again, so wait until it holds its connections for control, state and data.
_CONNECTIONS = 3
_TICKS = 10  # clock ticks of CPU time: it works
_SECONDS = 0.15  # in which it comes to say on them who it is


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found |= {int(child) for child in listed.read_text().split()}
    return found


def workers(pool: int) -> set[int]:
    """Return the worker processes of a pool: the children of its only child."""
    return {worker for nursery in _children(pool) for worker in _children(nursery)}


def _busy(pid: int) -> bool:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        sockets = sum(
            str(path.readlink()).startswith("socket:") for path in Path(f"/proc/{pid}/fd").iterdir()
        )
        return fields[0] != "Z" and sockets >= _CONNECTIONS and int(fields[11]) + int(fields[12]) > _TICKS
    return False


class _Killer(Progress):
    """Kills one worker that was started for the stage that begins, once it works."""

    def __init__(self, pool: int) -> None:
        self.killed: list[str] = []
        self._pool = pool
        self._before: set[int] = set()
        super().__init__(quiet=True)

    def begin(self, stage: str, parts: int, total_bytes: int = 0) -> None:
        super().begin(stage, parts, total_bytes)
        if parts and stage not in self.killed:
            self._before |= workers(self._pool)
            threading.Thread(target=self._kill_one, args=(stage,), daemon=True).start()

    def _kill_one(self, stage: str) -> None:
        while self._stage == stage:
            for pid in workers(self._pool) - self._before:
                if not _busy(pid):
                    continue
                time.sleep(_SECONDS)
                if not _busy(pid):
                    continue
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed.append(stage)
                    return
            time.sleep(0.02)


def main() -> None:
    """Build: recipe, workspace, the pool's process id, then Beam's options."""
    recipe, workspace, pool, *options = sys.argv[1:]
    killer = _Killer(int(pool))
    outcome = build(load_recipe(Path(recipe)), workspace, beam_options=options, progress=killer)
    sys.stdout.write(json.dumps({"digest": outcome.dataset_digest, "killed": killer.killed}) + "\n")


if __name__ == "__main__":
    main()

"""Worker processes of the direct engine: any number of jobs, in any order of completion, each exactly once.

A worker that dies is replaced and its task tried once more; a task that kills two workers ends the build with a message that names it.
"""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from pipeline.errors import CrawlmixError, UsageError
from pipeline.tasks import Task

OnProgress = Callable[[int, int], None]
_ORDERLY_SECONDS = 2.0


@dataclass
class Job:
    """One part: the task that makes it whole, and tasks that may run side by side before to spread the work.

    `whole` does on its own whatever a step has not done, so engines without a pool run it alone.
    """

    whole: Task
    steps: Sequence[Task] = ()

    def to_json(self) -> str:
        """Write the job as one line."""
        return json.dumps({"whole": self.whole, "steps": list(self.steps)}, sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> "Job":
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))


@dataclass
class Done:
    """A finished job: the result of its whole part and the CPU time of all its tasks, children included."""

    job: Job
    result: dict[str, Any]
    cpu_seconds: float


class WorkerError(Exception):
    """A worker met a bug; the text is its traceback."""


class _DiedError(Exception):
    pass


class _ClosedError(Exception):
    pass


class _Worker:
    def __init__(self) -> None:
        environment = {
            **os.environ,
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def run(self, task: Task, on_progress: OnProgress) -> tuple[dict[str, Any], float]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(task).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise _DiedError from None
        for line in stdout:
            message = json.loads(line)
            if "bug" in message:
                raise WorkerError(message["bug"])
            if "error" in message:
                raise (UsageError if message["exit_code"] == UsageError.exit_code else CrawlmixError)(
                    message["error"]
                )
            on_progress(message["records"], message["bytes"])
            if "result" in message:
                return message["result"], message["cpu_seconds"]
        raise _DiedError

    def dismiss(self) -> None:
        """Let it end by itself, and its own child processes too."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def end(self, patience_seconds: float = 0) -> int:
        with suppress(subprocess.TimeoutExpired):
            return self._reap(patience_seconds)
        self.process.kill()
        return self._reap(None)

    def _reap(self, seconds: float | None) -> int:
        code = self.process.wait(seconds)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # what was still to be flushed has no reader any more
                    stream.close()
        return code


class WorkerPool:
    """Keeps `size` worker processes; use it as a context manager."""

    def __init__(self, size: int, on_progress: OnProgress | None = None) -> None:
        self.size = size
        self.killed = 0  # workers that did not end by themselves
        self.on_progress = on_progress or (lambda _records, _bytes: None)
        self._workers: list[_Worker | None] = [None] * size
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(orderly=kind is None)

    def _close(self, *, orderly: bool) -> None:
        with self._lock:
            self._closed = True
            workers = [worker for worker in self._workers if worker is not None]
            self._workers = [None] * self.size
        if orderly:
            for worker in workers:
                worker.dismiss()
        else:
            self.killed += len(workers)
        for worker in workers:
            worker.end(_ORDERLY_SECONDS if orderly else 0)

    def _worker(self, slot: int) -> _Worker:
        with self._lock:
            if self._closed:
                raise _ClosedError
            worker = self._workers[slot] = self._workers[slot] or _Worker()
            return worker

    def start(self, tasks: int) -> None:
        """Start as many workers as so many tasks can use, ahead of the first of them."""
        for slot in range(min(tasks, self.size)):
            self._worker(slot)

    def run(self, jobs: Sequence[Job], on_done: Callable[[Done], None] | None = None) -> list[Done]:
        """Run jobs to the end; results stand in the order of `jobs`.

        Raises:
            CrawlmixError: a task found the user's input or environment at fault, or killed two workers; the first
                failure ends the run once the tasks under way have ended.
            WorkerError: a bug in a task.
        """
        run = _Run(jobs, on_done or (lambda _: None))
        threads = [
            threading.Thread(target=self._serve, args=(slot, run), daemon=True)
            for slot in range(min(self.size, sum(max(len(job.steps), 1) for job in jobs)))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)  # a join without a limit would not let an interrupt through
        except BaseException:
            run.fail(KeyboardInterrupt())
            self._close(orderly=False)
            raise
        if run.error is not None:
            raise run.error
        return [done for done in run.done if done is not None]

    def _serve(self, slot: int, run: "_Run") -> None:
        while (item := run.take()) is not None:
            place, task = item
            for attempt in (1, 2):
                try:
                    worker = self._worker(slot)
                    result, seconds = worker.run(task, self.on_progress)
                except _ClosedError:
                    return
                except _DiedError:
                    self.killed += 1
                    code = worker.end()
                    self._workers[slot] = None
                    if attempt == 2:
                        how = f"signal {-code}" if code < 0 else f"exit code {code}"
                        run.fail(
                            CrawlmixError(
                                f"{task.get('name', task['kind'])}: the worker ended twice ({how}); out of memory?"
                                " Use fewer workers or smaller parts (`part_bytes`)"
                            )
                        )
                except BaseException as error:  # noqa: BLE001  handed to the thread that called `run`
                    run.fail(error)
                    break
                else:
                    run.finish(place, result, seconds)
                    break


class _Run:
    """The state of one call of `WorkerPool.run`, shared by its threads."""

    def __init__(self, jobs: Sequence[Job], on_done: Callable[[Done], None]) -> None:
        self.jobs = jobs
        self.on_done = on_done
        self.error: BaseException | None = None
        self.done: list[Done | None] = [None] * len(jobs)
        self._changed = threading.Condition()
        self._ready: deque[tuple[int, Task]] = deque()
        self._open = [len(job.steps) for job in jobs]
        self._cpu = [0.0] * len(jobs)
        self._left = len(jobs)
        for place, job in enumerate(jobs):
            self._ready.extend((place, task) for task in job.steps or [job.whole])

    def take(self) -> tuple[int, Task] | None:
        with self._changed:
            while not self._ready and self._left and self.error is None:
                self._changed.wait()
            return self._ready.popleft() if self._ready and self.error is None else None

    def finish(self, place: int, result: dict[str, Any], seconds: float) -> None:
        with self._changed:
            job = self.jobs[place]
            self._cpu[place] += seconds
            self._open[place] -= 1
            if self._open[place] == 0:
                self._ready.appendleft((place, job.whole))  # finished parts first: a crash loses less
            elif self._open[place] < 0:
                done = self.done[place] = Done(job, result, self._cpu[place])
                self._left -= 1
                self.on_done(done)
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()

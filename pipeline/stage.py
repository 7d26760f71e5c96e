"""The one place where Beam wraps tasks: a manifest of jobs in, files and counters out.

A job makes one part. Its descriptor travels through Beam, its text never does. On the direct engine a bundle's jobs
go to a pool of worker processes; elsewhere each job runs where Beam puts it.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from pipeline.engines import tells_counters
from pipeline.errors import CrawlmixError, UsageError
from pipeline.pool import Done, Job, WorkerPool
from pipeline.runner import as_engine_error, make_pipeline, runner_name
from pipeline.storage.listing import remove
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import exists, open_input
from pipeline.tasks import CHILD_SECONDS, run_task

# The pool of this process's build: the direct engine runs its DoFns in this very process.
_pool: WorkerPool | None = None
_on_done: Callable[[Done], None] | None = None
_error: BaseException | None = None


class _RunJobs(beam.DoFn):
    """Runs jobs and counts the fates that they report."""

    def __init__(self, stage: str, failure: str) -> None:
        self._stage = stage
        self._failure = failure
        self._waiting: list[Job] = []

    def process(self, line: str) -> Iterator[str]:
        job = Job.from_json(line)
        if _pool is not None:
            self._waiting.append(job)
            return
        begun = time.thread_time()
        with self._noting_failure():
            result = run_task(job.whole, lambda _records, _bytes: None)
        cpu = time.thread_time() - begun + result.pop(CHILD_SECONDS, 0)
        yield self._finished(result | {"cpu_seconds": cpu})

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._waiting:
            assert _pool is not None
            for done in self._run_in_pool(_pool):
                yield WindowedValue(
                    self._finished(done.result | {"cpu_seconds": done.cpu_seconds}), 0, (GlobalWindow(),)
                )
            self._waiting = []

    def _run_in_pool(self, pool: WorkerPool) -> list[Done]:
        """Keep an error for the caller of `run_jobs`, in this very process; Beam would print it and wrap it."""
        global _error  # noqa: PLW0603  as `_pool`
        try:
            return pool.run(self._waiting, _on_done)
        except BaseException as error:  # noqa: BLE001  raised again by `run_jobs`
            _error = error
            return []

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Leave the user's error in a file: engines wrap exceptions, each in its own way."""
        try:
            yield
        except CrawlmixError as error:
            write_json(self._failure, {"error": str(error), "exit_code": error.exit_code})
            raise

    def _finished(self, result: dict[str, Any]) -> str:
        for fate, number in result.get("fates", {}).items():
            Metrics.counter(self._stage, fate).inc(number)
        Metrics.counter(self._stage, "parts").inc()
        Metrics.counter(self._stage, "cpu_ms").inc(round(1000 * result.get("cpu_seconds", 0)))
        return json.dumps(result, sort_keys=True)


def _read_lines(path: str) -> Iterator[str]:
    with open_input(path) as stream:
        for line in stream:
            yield line.decode().rstrip("\n")


def add_jobs(pipeline: beam.Pipeline, stage: str, manifest: str, failure: str | None = None) -> None:
    """Add the steps that do a list of jobs.

    Args:
        pipeline: to add to.
        stage: namespace of the counters.
        manifest: one job a line; read when the pipeline runs, so that its graph does not grow with it.
        failure: where a worker writes the user's error that ended it; beside the manifest by default.
    """
    (
        pipeline
        | "Manifest" >> beam.Create([manifest])
        | "ReadJobs" >> beam.FlatMap(_read_lines)
        | "Spread" >> beam.Reshuffle()
        | stage >> beam.ParDo(_RunJobs(stage, failure or f"{manifest}.failure.json"))
    )


def run_jobs(
    stage: str,
    jobs: Sequence[Job],
    *,
    manifest: str,
    beam_options: Sequence[str] = (),
    pool: WorkerPool | None = None,
    on_done: Callable[[Done], None] | None = None,
) -> dict[str, int]:
    """Run the jobs of a stage on the engine that `beam_options` name.

    Args:
        stage: namespace of the counters.
        jobs: one for each part that has to be made.
        manifest: where to write the list of jobs; the pipeline reads it there, so that its graph stays small.
        beam_options: as on the command line after `--`.
        pool: worker processes, for the direct engine.
        on_done: called for each finished job, in this process, on the direct engine only.

    Returns:
        Beam's counters of this stage by name.

    Raises:
        CrawlmixError: a part could not be made, for a reason that the user can mend.
    """
    global _pool, _on_done, _error  # noqa: PLW0603  a DoFn cannot carry a process pool
    failure = f"{manifest}.failure.json"
    remove(failure)
    with publish(manifest) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.writelines(job.to_json() + "\n" for job in jobs)
    _pool = pool if runner_name(beam_options) == "direct" else None
    _on_done = on_done

    def build(pipeline: beam.Pipeline) -> None:
        add_jobs(pipeline, stage, manifest, failure)

    try:
        counters = run_pipeline(stage, build, beam_options)
    except (
        Exception
    ):  # engines wrap what a worker raised, each in a type of its own; what is not the user's goes on
        if exists(failure):
            with open_input(failure) as stream:
                told = json.loads(stream.read())
            raise (UsageError if told["exit_code"] == UsageError.exit_code else CrawlmixError)(
                told["error"]
            ) from None
        raise
    finally:
        _pool = _on_done = None
        met, _error = _error, None
    if met is not None:
        raise met
    return counters


def run_pipeline(
    stage: str, build: Callable[[beam.Pipeline], None], beam_options: Sequence[str]
) -> dict[str, int]:
    """Build and run one pipeline to its end.

    Returns:
        Beam's counters in the namespace `stage`; none where the engine keeps them to itself.

    Raises:
        CrawlmixError: the engine ended the job otherwise than done.
    """
    pipeline = make_pipeline(beam_options)
    build(pipeline)
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except RuntimeError as error:
        if runner_name(beam_options) == "direct" or (told := as_engine_error(stage, error)) is None:
            raise
        raise told from error
    if str(state) != "DONE":
        raise CrawlmixError(f"{stage}: the engine ended the job as {state}; its own log says why")
    total: dict[str, int] = {}
    if not tells_counters(beam_options):
        return total
    for counter in result.metrics().query()["counters"]:
        metric = counter.key.metric
        if metric.namespace == stage:  # of every step that counts under this name
            total[metric.name] = total.get(metric.name, 0) + (counter.committed or counter.attempted or 0)
    return total

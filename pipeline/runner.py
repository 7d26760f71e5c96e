"""Engines: `direct` by default; Spark, Flink and Dataflow by Beam's own options; those that lose data are refused.

`direct`, and Beam's name `DirectRunner`, mean Beam's in-process portable engine (`FnApiRunner`): today's
`DirectRunner` would first try to download another engine.
"""

import io
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pipeline.engines import check_engine, with_defaults
from pipeline.errors import CrawlmixError, UsageError

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.job_server import JobServer

# Imported by Beam wherever they are installed, for connectors that we do not use. Beam guards each of these imports.
_CONNECTORS = ("pymongo", "bson", "apache_beam.io.gcp.bigquery")
_CLOUDS = ("boto3", "google.auth", "google.cloud")  # other engines stage their files through these
_LOCAL = {"direct", "directrunner", "fnapirunner", "bundlebasedrunner"}
_REFUSED = {
    "daskrunner": "it drops the output of finish_bundle and reports success",
    "interactiverunner": "it keeps every intermediate collection in memory",
    "renderrunner": "it draws pipelines and runs none",
}


def runner_name(options: Sequence[str]) -> str:
    """Find the engine that Beam options ask for; `direct` when they name none.

    Raises:
        UsageError: the engine is known to lose data, or `--runner` stands without a name.
    """
    name = "direct"
    for i, option in enumerate(options):
        if option.startswith("--runner="):
            name = option.partition("=")[2]
        elif option == "--runner":
            if i + 1 == len(options):
                raise UsageError("`--runner` needs a name, such as `--runner=SparkRunner`")
            name = options[i + 1]
    if name.lower() in _LOCAL:
        return "direct"
    short = name.rpartition(".")[2]
    if short.lower() in _REFUSED:
        raise UsageError(
            f"the engine {short} is refused: {_REFUSED[short.lower()]}; use direct, SparkRunner, FlinkRunner or DataflowRunner"
        )
    return name


def check_runner(options: Sequence[str]) -> None:
    """Refuse an engine that cannot work here, before work starts.

    Raises:
        UsageError: the engine loses data, is not installed, or does not answer.
    """
    name = runner_name(options)
    if name != "direct":
        check_engine(name, options)


def import_beam(options: Sequence[str] = ()) -> None:
    """Import Beam without its optional database and cloud clients, and without their warnings.

    To be called before any module that imports Beam at its top; a build that finds all done never does. The clients
    would be more than a third of the start-up (1.6 against 2.8 CPU seconds). On engines other than `direct` the
    clouds' clients stay.
    """
    if "apache_beam" in sys.modules:
        return
    names = (*_CONNECTORS, *(_CLOUDS if runner_name(options) == "direct" else ()))
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None means "not installed"
    hidden = {name: modules.pop(name) for name in names if name in modules}
    modules.update(dict.fromkeys(names))
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
    finally:
        logging.disable(previous)
        for name in names:
            modules.pop(name, None)
        modules.update(hidden)


def _parsed(options: Sequence[str]) -> "PipelineOptions":
    """Read Beam's options; its parser would print a page of help and exit."""
    from apache_beam.options.pipeline_options import PipelineOptions

    told = io.StringIO()
    try:
        with redirect_stderr(told):
            parsed = PipelineOptions(list(options))
            parsed.get_all_options()
    except SystemExit:
        reason = (told.getvalue().strip().splitlines() or ["unreadable"])[-1].rpartition("error: ")[2]
        raise UsageError(f"Beam options: {reason}") from None
    return parsed


def _direct_options(options: Sequence[str]) -> "PipelineOptions":
    """Read Beam's options, and refuse those that it would drop with a warning.

    Other engines ask their job server for more options, so there an unknown one is theirs to judge.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        parsed = _parsed(options)
        known = parsed.get_all_options()
        unknown = [name for name in parsed.get_all_options(retain_unknown_options=True) if name not in known]
    finally:
        logging.disable(previous)
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean `--{near[0]}`?" if near else ""
        raise UsageError(f"unknown Beam option `--{unknown[0]}`{hint}")
    return PipelineOptions([option for option in options if not option.startswith("--runner")])


_flink_servers: "dict[str, JobServer]" = {}


def _flink_runner() -> Any:
    """Make a Flink runner that starts one job server for all jobs of a process, as Beam's does for Spark."""
    from apache_beam.runners.portability.flink_runner import FlinkRunner

    runner: Any = FlinkRunner()
    start = runner.default_job_server

    def one_server(options: Any) -> Any:
        from apache_beam.options.pipeline_options import FlinkRunnerOptions

        key = str(options.view_as(FlinkRunnerOptions))
        if key not in _flink_servers:
            _flink_servers[key] = start(options)
        return _flink_servers[key]

    runner.default_job_server = one_server
    return runner


def as_engine_error(stage: str, error: RuntimeError) -> CrawlmixError | None:
    """Return what an engine said of a job that it ended, in one line; None where our own code raised."""
    told = str(error)
    if "Traceback (most recent call last)" in told:
        return None
    reason = told.rpartition("failed in state FAILED: ")[2].strip().splitlines()
    line = reason[0][:500] if reason else "for a reason that it did not tell"
    return CrawlmixError(
        f"{stage}: the engine ended the job: {line}; its own log says more (the same command continues the build)"
    )


def make_pipeline(options: Sequence[str]) -> "beam.Pipeline":
    """Create an empty pipeline for the engine that the options name.

    Raises:
        UsageError: an unknown engine, or one whose packages are not installed.
    """
    import_beam(options)
    import apache_beam as beam

    name = runner_name(options)
    if name == "direct":
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        return beam.Pipeline(runner=FnApiRunner(), options=_direct_options(options))
    try:
        parsed = _parsed(with_defaults(name, options))
        if name.rpartition(".")[2].lower() == "flinkrunner":
            return beam.Pipeline(runner=_flink_runner(), options=parsed)
        return beam.Pipeline(options=parsed)
    except (ImportError, ValueError) as error:
        raise UsageError(f"the engine {name} cannot be used here: {error}") from error

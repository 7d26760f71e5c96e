import socket
import subprocess
import sys

import pytest

from pipeline.errors import UsageError
from pipeline.runner import runner_name


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "direct"),
        (["--runner=DirectRunner"], "direct"),
        (["--runner", "direct"], "direct"),
        (["--runner=FnApiRunner", "--streaming"], "direct"),
        (["--runner=SparkRunner"], "SparkRunner"),
        (
            ["--runner=apache_beam.runners.dask.dask_runner.DaskRunner_"],
            "apache_beam.runners.dask.dask_runner.DaskRunner_",
        ),
    ],
)
def test_the_engine_is_read_from_beams_own_options(options, name):
    assert runner_name(options) == name


@pytest.mark.parametrize(
    "option", ["--runner=DaskRunner", "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"]
)
def test_an_engine_that_loses_data_is_refused(option):
    with pytest.raises(UsageError, match="DaskRunner is refused: it drops"):
        runner_name([option])


def test_a_runner_without_a_name_is_one_line():
    with pytest.raises(UsageError, match="`--runner` needs a name"):
        runner_name(["--runner"])


def test_the_direct_engine_opens_no_connection(monkeypatch):
    from pipeline.runner import make_pipeline

    def refuse(*_args, **_kwargs):
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    import apache_beam as beam

    pipeline = make_pipeline(["--runner=DirectRunner"])
    numbers = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | beam.CombineGlobally(sum)
    numbers | beam.Map(lambda total: beam.metrics.Metrics.counter("test", "total").inc(total))
    result = pipeline.run()
    result.wait_until_finish()
    assert [counter.committed for counter in result.metrics().query()["counters"]] == [3]


@pytest.mark.parametrize(
    "module",
    ["pipeline.cli.main", "pipeline.worker", "pipeline.build", "pipeline.extract.worker", "mixtures.dataset"],
)
def test_a_module_that_runs_no_pipeline_never_imports_beam(module):
    code = f"import sys, {module}; sys.exit('apache_beam' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

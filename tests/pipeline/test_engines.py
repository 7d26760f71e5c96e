import json
import socket
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.engines import check_engine, read_options, tells_counters, with_defaults
from pipeline.errors import CrawlmixError, UsageError
from pipeline.runner import as_engine_error, check_runner
from tests.pipeline.builds import run, sample

SPARK = "org/apache/beam/runners/spark/SparkJobServerDriver.class"
FLINK = "org/apache/beam/runners/flink/FlinkJobServerDriver.class"
POOL = ["--environment_type=EXTERNAL", "--environment_config=pool.example:50000"]


@pytest.fixture(autouse=True)
def _no_engines_of_this_machine(monkeypatch):
    monkeypatch.delenv("CRAWLMIX_ENGINES", raising=False)


def jar(path, main=SPARK, beam="2.70.0"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(main, b"")
        archive.writestr("org/apache/beam/sdk/sdk.properties", f"name=Beam\nversion={beam}\n")
    return path


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def flink_rest(answer):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def spark(path, *more, java="sh"):
    return [f"--spark_job_server_jar={path}", f"--job_server_java_launcher={java}", *more]


def flink(path, port, *more):
    return [
        f"--flink_job_server_jar={path}",
        "--job_server_java_launcher=sh",
        f"--flink_master=localhost:{port}",
        *more,
    ]


def test_options_are_read_in_both_forms():
    assert read_options(["--a=1", "--b", "2", "--c", "--d=x=y", "--a=3"]) == {
        "a": "3",
        "b": "2",
        "c": "",
        "d": "x=y",
    }


def test_a_job_server_that_is_not_there_is_told_with_its_coordinates():
    with pytest.raises(
        UsageError, match=r"--spark_job_server_jar=FILE .*beam-runners-spark-3-job-server:2\.77"
    ):
        check_engine("SparkRunner", [])


def test_java_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="needs Java 11 or 17"):
        check_engine("SparkRunner", spark(jar(tmp_path / "s.jar"), java="no-such-java"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "there is no such file"),
        (lambda path: path.write_text("no") and path, "not a jar"),
        (
            lambda path: jar(path, FLINK),
            "not Beam's job server for Spark; take org.apache.beam:beam-runners-spark-3",
        ),
        (lambda path: jar(path, beam="2.47.0"), r"of Beam 2\.47, and 2\.62 to 2\.\d+ is known to work"),
        (lambda path: jar(path, beam="2.999.0"), r"of Beam 2\.999, and 2\.62 to"),
    ],
)
def test_a_wrong_jar_is_told(tmp_path, make, message):
    with pytest.raises(UsageError, match=message):
        check_engine("SparkRunner", spark(make(tmp_path / "server.jar")))


def test_a_master_that_does_not_answer_is_told(tmp_path):
    master = f"--spark_master_url=spark://localhost:{closed_port()}"
    with pytest.raises(UsageError, match=r"nothing answers at localhost:.*start the Spark master"):
        check_engine("SparkRunner", spark(jar(tmp_path / "s.jar"), master))
    with pytest.raises(UsageError, match=r"nothing answers at localhost:.*start the Flink master"):
        check_engine("FlinkRunner", flink(jar(tmp_path / "f.jar", FLINK), closed_port()))


@pytest.mark.parametrize("master", ["spark://localhost", "spark://localhost:x"])
def test_an_address_of_no_master_is_told(tmp_path, master):
    with pytest.raises(UsageError, match="expected spark://HOST:7077"):
        check_engine("SparkRunner", spark(jar(tmp_path / "s.jar"), f"--spark_master_url={master}"))


def test_a_cluster_must_know_where_its_workers_come_from(tmp_path):
    path = jar(tmp_path / "s.jar")
    with listening() as port:
        master = f"--spark_master_url=spark://localhost:{port}"
        with pytest.raises(UsageError, match=r"--environment_type=EXTERNAL .*pipeline\.worker_pool"):
            check_engine("SparkRunner", spark(path, master))
        with pytest.raises(UsageError, match="HOST:PORT, not 'pool'"):
            check_engine(
                "SparkRunner", spark(path, master, "--environment_type=EXTERNAL", "--environment_config=pool")
            )
        gone = closed_port()
        here = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{gone}"]
        with pytest.raises(UsageError, match=f"no worker pool answers; .* --port {gone}"):
            check_engine("SparkRunner", spark(path, master, *here))
        check_engine("SparkRunner", spark(path, master, *POOL))


def test_an_uber_jar_needs_the_rest_address(tmp_path):
    with pytest.raises(UsageError, match="needs --spark_rest_url=http://HOST:6066"):
        check_engine("SparkRunner", spark(jar(tmp_path / "s.jar"), "--spark_submit_uber_jar"))


def test_a_job_server_for_another_flink_is_told(tmp_path):
    path = jar(tmp_path / "beam-runners-flink-1.19-job-server-2.70.0.jar", FLINK)
    other = json.dumps({"flink-version": "1.20.1"}).encode()
    with (
        flink_rest(other) as port,
        pytest.raises(UsageError, match=r"for Flink 1\.19, the cluster runs 1\.20\.1"),
    ):
        check_engine("FlinkRunner", flink(path, port, *POOL))
    with flink_rest(json.dumps({"flink-version": "1.19.3"}).encode()) as port:
        check_engine("FlinkRunner", flink(path, port, *POOL))
    with flink_rest(b"<html>") as port, pytest.raises(UsageError, match="not as Flink's REST service does"):
        check_engine("FlinkRunner", flink(path, port, *POOL))


def test_each_slot_of_a_task_manager_gets_a_python_worker(tmp_path):
    path = jar(tmp_path / "beam-runners-flink-1.19-job-server-2.70.0.jar", FLINK)
    managers = [{"slotsNumber": 2}, {"slotsNumber": 8}]
    for told, expected in ((managers, 8), ([], 1)):
        with flink_rest(json.dumps({"taskmanagers": told}).encode()) as port:
            options = with_defaults("FlinkRunner", flink(path, port, *POOL))
            given = with_defaults("FlinkRunner", flink(path, port, "--sdk_worker_parallelism=3"))
        assert options[-1] == f"--sdk_worker_parallelism={expected}"
        assert [option for option in given if "parallelism" in option] == ["--sdk_worker_parallelism=3"]


def test_prism_is_never_downloaded(tmp_path):
    with pytest.raises(UsageError, match=r"go install github\.com/apache/beam/sdks/v2/go/cmd/prism@v2"):
        check_engine("PrismRunner", [])
    with pytest.raises(UsageError, match="is not a program"):
        check_engine("PrismRunner", [f"--prism_location={tmp_path}"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "needs --job_endpoint=HOST:PORT"),
        (["--job_endpoint=here"], "expected HOST:PORT or embed"),
        ([f"--job_endpoint=localhost:{closed_port()}"], "nothing answers there"),
    ],
)
def test_a_portable_engine_needs_a_job_server(options, message):
    with pytest.raises(UsageError, match=message):
        check_engine("PortableRunner", options)


def test_what_make_engines_fetched_is_found(tmp_path, monkeypatch):
    (tmp_path / "jars").mkdir()
    path = jar(tmp_path / "jars" / "beam-runners-spark-3-job-server-2.77.0.jar")
    monkeypatch.setenv("CRAWLMIX_ENGINES", str(tmp_path))
    assert with_defaults("SparkRunner", ["--runner=SparkRunner"]) == [
        "--runner=SparkRunner",
        "--experiments=disable_logging_submission_environment",
        f"--spark_job_server_jar={path}",
        "--job_server_jvm_properties=-Dbeam.spark.test.reuseSparkContext=true",
        "--environment_type=LOOPBACK",
    ]
    assert with_defaults("DataflowRunner", ["--runner=DataflowRunner"]) == ["--runner=DataflowRunner"]


def test_a_jar_for_the_cluster_brings_its_own_settings(tmp_path):
    path = jar(tmp_path / "beam-runners-spark-3-job-server-2.77.0.jar")
    options = spark(path, "--spark_submit_uber_jar", "--spark_master_url=spark://localhost:1")
    assert "--storage_level=MEMORY_ONLY" in with_defaults("SparkRunner", options)
    assert not any("reuseSparkContext" in option for option in with_defaults("SparkRunner", options))
    assert not tells_counters(options)
    assert tells_counters(spark(path))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("SparkRuner", r"did you mean SparkRunner\?"), ("FooBar", "known are direct, SparkRunner, FlinkRunner")],
)
def test_an_engine_that_nobody_knows_is_told_before_anything_is_written(name, hint):
    with pytest.raises(UsageError, match=f"unknown engine `{name}`; {hint}"):
        check_runner([f"--runner={name}"])
    check_runner(["--runner=their.own.Runner"])


def test_nothing_is_checked_for_the_engine_of_this_process():
    check_runner([])
    check_runner(["--runner=DirectRunner"])


def test_an_engine_that_cannot_work_leaves_no_workspace(tmp_path):
    with pytest.raises(UsageError, match="needs Beam's job server"):
        run(sample(tmp_path / "inputs"), tmp_path / "w", beam_options=["--runner=SparkRunner"])
    assert not (tmp_path / "w").exists()


def test_what_an_engine_says_of_a_job_is_one_line():
    told = as_engine_error(
        "annotate",
        RuntimeError("Pipeline x failed in state FAILED: java.io.IOException: no space\n\tat Foo.java"),
    )
    assert isinstance(told, CrawlmixError)
    assert str(told).startswith(
        "annotate: the engine ended the job: java.io.IOException: no space; its own log"
    )
    assert as_engine_error("annotate", RuntimeError("Traceback (most recent call last):\n ...")) is None

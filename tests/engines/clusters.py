"""Real engines on loopback, out of the folder that `make engines` fills: each a context that gives Beam's options."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.engines.processes import answers, free_port, server, wait_for

WORKERS = 2
ROOT = Path(__file__).resolve().parents[2]
_HEAP = "-Xmx512m"
# What Java 17 keeps closed and the engines open by reflection; their own start scripts say the same.
_OPEN = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.text", "java.time",
        "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
        "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar",
    )
]  # fmt: skip


def home() -> Path:
    """Return the folder of engines; tests of an engine that is not in it fail, and say what to do."""
    return Path(os.environ.get("CRAWLMIX_ENGINES", ROOT / ".cache" / "engines"))


def need(path: str) -> Path:
    """Return a file of the folder of engines."""
    found = sorted(home().glob(path))
    assert found, f"{home() / path} is missing: run `make engines`"
    return found[-1]


@contextmanager
def pool(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a worker pool; gives its port and process id."""
    port, log = free_port(), folder / "pool.log"
    command = [sys.executable, "-m", "pipeline.worker_pool", "--port", str(port)]
    with server(command, log) as process:
        wait_for(lambda: "workers start at" in log.read_text(), process, log, "the worker pool")
        yield port, process.pid


def external(port: int) -> list[str]:
    """Options for workers out of a pool."""
    return ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]


@contextmanager
def _spark_cluster(folder: Path, cores: int, environment: dict[str, str]) -> Iterator[int]:
    """Run a standalone Spark cluster: a master and two workers of so many cores; gives the master's port."""
    spark_home = need("spark/pyspark")
    launcher = [str(spark_home / "bin" / "spark-class")]
    environment = {
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "SPARK_DAEMON_MEMORY": "512m",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        **environment,
    }
    (folder / "local").mkdir()  # two workers that make it at once can both fail
    port, log = free_port(), folder / "master.log"
    master = ["--host", "localhost", "--port", str(port), "--webui-port", str(free_port())]
    with ExitStack() as stack:
        command = [*launcher, "org.apache.spark.deploy.master.Master", *master]
        process = stack.enter_context(server(command, log, environment))
        wait_for(lambda: "I have been elected leader" in log.read_text(), process, log, "Spark's master")
        for number in range(WORKERS):
            size = ["-c", str(cores), "-m", f"{cores}g", "-d", str(folder / f"work{number}")]
            worker = ["--host", "localhost", "--webui-port", "0", *size, f"spark://localhost:{port}"]
            log = folder / f"worker{number}.log"
            command = [*launcher, "org.apache.spark.deploy.worker.Worker", *worker]
            process = stack.enter_context(server(command, log, environment))
            wait_for(
                lambda log=log: "Successfully registered" in log.read_text(), process, log, "a Spark worker"
            )
        yield port


@contextmanager
def spark(folder: Path, pool_port: int) -> Iterator[list[str]]:
    """Run a Spark cluster whose jobs come from a job server."""
    with _spark_cluster(folder, 1, {}) as port:
        yield [
            "--runner=SparkRunner",
            f"--spark_master_url=spark://localhost:{port}",
            f"--spark_job_server_jar={need('jars/beam-*spark-3-job-server-*.jar')}",
            "--job_server_jvm_properties=-Xmx1g",
            *external(pool_port),
        ]


@contextmanager
def spark_of_jars(folder: Path, pool_port: int) -> Iterator[list[str]]:
    """Run a Spark cluster that takes each job as a jar, and starts its driver on a worker, beside an executor."""
    rest = free_port()
    environment = {
        "SPARK_MASTER_OPTS": f"-Dspark.master.rest.enabled=true -Dspark.master.rest.port={rest}",
        "JAVA_TOOL_OPTIONS": " ".join(_OPEN),
    }
    with _spark_cluster(folder, 2, environment):
        yield [
            "--runner=SparkRunner",
            "--spark_submit_uber_jar",
            f"--spark_rest_url=http://localhost:{rest}",
            f"--spark_job_server_jar={need('jars/beam-*spark-3-job-server-*.jar')}",
            *external(pool_port),
        ]


def _flink_configuration(folder: Path, rest: int) -> Path:
    settings = {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": free_port(),
        "jobmanager.bind-host": "localhost",
        "rest.address": "localhost",
        "rest.bind-address": "localhost",
        "rest.port": rest,
        "blob.server.port": free_port(),
        "taskmanager.host": "localhost",
        "taskmanager.bind-host": "localhost",
        "taskmanager.numberOfTaskSlots": WORKERS,
        "parallelism.default": WORKERS,
        "taskmanager.cpu.cores": f"{WORKERS}.0",
        "taskmanager.memory.task.heap.size": "384mb",
        "taskmanager.memory.task.off-heap.size": "0b",
        "taskmanager.memory.framework.heap.size": "128mb",
        "taskmanager.memory.framework.off-heap.size": "128mb",
        "taskmanager.memory.network.min": "256mb",
        "taskmanager.memory.network.max": "256mb",
        "taskmanager.memory.managed.size": "128mb",
        "taskmanager.memory.jvm-metaspace.size": "256mb",
        "taskmanager.memory.jvm-overhead.min": "64mb",
        "taskmanager.memory.jvm-overhead.max": "64mb",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 3,
        "restart-strategy.fixed-delay.delay": "1 s",
        "io.tmp.dirs": folder / "local",
    }
    (folder / "local").mkdir()
    (folder / "config.yaml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
    (folder / "log4j.properties").write_text(
        "rootLogger.level = INFO\nrootLogger.appenderRef.stdout.ref = console\n"
        "appender.console.name = console\nappender.console.type = CONSOLE\n"
        "appender.console.layout.type = PatternLayout\nappender.console.layout.pattern = %d %p %c{1} %m%n\n"
    )
    return folder


def _task_slots(rest: int) -> int:
    if not answers(rest):
        return 0
    connection = HTTPConnection("localhost", rest, timeout=5)
    try:
        connection.request("GET", "/overview")
        return int(json.loads(connection.getresponse().read())["slots-total"])
    except (OSError, ValueError, KeyError):
        return 0
    finally:
        connection.close()


@contextmanager
def flink(folder: Path, pool_port: int) -> Iterator[list[str]]:
    """Run a Flink session cluster: a job manager and a task manager of two slots."""
    library = need("flink/pyflink/lib")
    jar = need("jars/beam-*flink-*-job-server-*.jar")
    rest = free_port()
    configuration = _flink_configuration(folder, rest)
    java = [
        "java",
        _HEAP,
        "-XX:MaxDirectMemorySize=512m",
        *_OPEN,
        f"-Dlog4j.configurationFile={configuration}/log4j.properties",
    ]
    java += ["-cp", f"{library}/*"]
    parts = (
        ("jobmanager", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"),
        ("taskmanager", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"),
    )
    with ExitStack() as stack:
        for name, main in parts:
            log = folder / f"{name}.log"
            process = stack.enter_context(server([*java, main, "--configDir", str(configuration)], log))
        wait_for(lambda: _task_slots(rest) == WORKERS, process, log, "Flink")
        yield [
            "--runner=FlinkRunner",
            f"--flink_master=localhost:{rest}",
            f"--flink_job_server_jar={jar}",
            f"--parallelism={WORKERS}",
            "--job_server_jvm_properties=-Xmx1g",
            *external(pool_port),
        ]


_CLUSTERS: dict[str, Callable[[Path, int], AbstractContextManager[list[str]]]] = {
    "spark": spark,
    "spark of jars": spark_of_jars,
    "flink": flink,
}


@dataclass(frozen=True)
class Engine:
    """An engine that runs."""

    options: list[str]  # Beam's
    pool: int = 0  # process id of its worker pool, if it has one


@contextmanager
def engine(name: str, folder: Path) -> Iterator[Engine]:
    """Run an engine by name."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "direct":
        yield Engine([])
    elif name == "loopback":
        yield Engine(["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"])
    elif name == "prism":
        yield Engine(
            ["--runner=PrismRunner", f"--prism_location={need('prism/prism')}", "--environment_type=LOOPBACK"]
        )
    elif name == "pool":
        with pool(folder) as (port, pid):
            yield Engine(external(port), pid)
    else:
        with pool(folder) as (port, pid), _CLUSTERS[name](folder, port) as options:
            yield Engine(options, pid)

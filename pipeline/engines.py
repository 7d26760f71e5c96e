"""What must be there before a build starts on another engine, and the options that it then needs.

Beam finds these things out late: it downloads what is missing, waits minutes for a master that does not answer, or
fails in the middle of a stage with a page of Java. Here each is one line that says what to install or set.
"""

import os
import re
import shutil
import socket
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import UsageError
from pipeline.flink_rest import flink_version, slots_of_a_worker

HOME = "CRAWLMIX_ENGINES"  # environment variable: the folder that `make engines` fills
_OLDEST_BEAM = (2, 62)  # of a job server that the tests passed with
_PROPERTIES = "org/apache/beam/sdk/sdk.properties"
_SECONDS = 5.0
_LOCAL_MASTER = re.compile(r"local(\[.+\])?|\[local\]|\[auto\]")
_POOL = "--environment_type=EXTERNAL --environment_config=localhost:50000, with `python -m pipeline.worker_pool` on every machine"


@dataclass(frozen=True)
class _JavaEngine:
    runner: str
    title: str
    jar_option: str
    master_option: str
    uber_option: str
    jar_pattern: str
    main_class: str
    coordinates: str


_SPARK = _JavaEngine(
    "SparkRunner",
    "Spark",
    "spark_job_server_jar",
    "spark_master_url",
    "spark_submit_uber_jar",
    "beam-*spark-3-job-server-*.jar",
    "org.apache.beam.runners.spark.SparkJobServerDriver",
    "org.apache.beam:beam-runners-spark-3-job-server",
)
_FLINK = _JavaEngine(
    "FlinkRunner",
    "Flink",
    "flink_job_server_jar",
    "flink_master",
    "flink_submit_uber_jar",
    "beam-*flink-*-job-server-*.jar",
    "org.apache.beam.runners.flink.FlinkJobServerDriver",
    "org.apache.beam:beam-runners-flink-1.19-job-server",
)
_KNOWN = ("direct", "SparkRunner", "FlinkRunner", "DataflowRunner", "PrismRunner", "PortableRunner")
_JAVA = {"sparkrunner": _SPARK, "flinkrunner": _FLINK}


def read_options(options: Sequence[str]) -> dict[str, str]:
    """Read `--name=value`, `--name value` and `--name`; a later one of the same name counts."""
    found: dict[str, str] = {}
    for place, option in enumerate(options):
        if not option.startswith("--"):
            continue
        name, equals, value = option[2:].partition("=")
        if not equals and place + 1 < len(options) and not options[place + 1].startswith("--"):
            value = options[place + 1]
        found[name] = value
    return found


def check_engine(runner: str, options: Sequence[str]) -> None:
    """Refuse an engine that cannot work here, before anything is written.

    Args:
        runner: its name, as `runner_name` gives it.
        options: Beam's, as on the command line.

    Raises:
        UsageError: something is not installed, of a wrong version, not set, or does not answer.
    """
    given = read_options(options)
    short = runner.rpartition(".")[2].lower()
    if engine := _JAVA.get(short):
        _check_java_engine(engine, given)
    elif short == "prismrunner":
        _check_prism(given)
    elif short == "portablerunner":
        _check_portable(given)
    elif short != "dataflowrunner" and "." not in runner:  # a path in Python names somebody's own
        names = {name.lower(): name for name in _KNOWN}
        near = get_close_matches(short, names, n=1)
        hint = f"did you mean {names[near[0]]}?" if near else f"known are {', '.join(_KNOWN)}"
        raise UsageError(f"unknown engine `{runner}`; {hint}")


def with_defaults(runner: str, options: Sequence[str]) -> list[str]:
    """Add what an engine needs and the user did not say, such as where the job server is.

    Raises:
        UsageError: there is no job server, or the cluster does not answer.
    """
    given = read_options(options)
    short = runner.rpartition(".")[2].lower()
    # Beam lists the installed packages for each job, to log them: a second each time, and nobody's business.
    added = [] if short == "dataflowrunner" else ["--experiments=disable_logging_submission_environment"]
    if engine := _JAVA.get(short):
        if engine.jar_option not in given:
            added.append(f"--{engine.jar_option}={_jar(engine, given)}")
        if engine is _SPARK:
            if engine.uber_option in given:
                # Inside a jar Beam looks for its default in a runner that the jar does not hold.
                added += [] if "storage_level" in given else ["--storage_level=MEMORY_ONLY"]
            else:
                # A build is a dozen jobs; a context for each would start all executors a dozen times.
                added.append("--job_server_jvm_properties=-Dbeam.spark.test.reuseSparkContext=true")
        if _LOCAL_MASTER.fullmatch(master := given.get(engine.master_option, "local")):
            if "environment_type" not in given:
                added.append("--environment_type=LOOPBACK")
        elif engine is _FLINK and "sdk_worker_parallelism" not in given:
            # By Beam's default all slots of a task manager share one Python process, and so one core.
            added.append(f"--sdk_worker_parallelism={slots_of_a_worker(master)}")
    elif short == "prismrunner" and "prism_location" not in given:
        added.append(f"--prism_location={_prism(given)}")
    return [*options, *added]


def tells_counters(options: Sequence[str]) -> bool:
    """Say whether a job's counters come back: of one that a cluster starts from a jar, Beam cannot ask for them."""
    given = read_options(options)
    return not any(engine.uber_option in given for engine in _JAVA.values())


def _home() -> Path | None:
    return Path(os.environ[HOME]) if os.environ.get(HOME) else None


def _check_java_engine(engine: _JavaEngine, given: Mapping[str, str]) -> None:
    jar = _jar(engine, given)
    launcher = given.get("job_server_java_launcher", "java")
    if engine.uber_option not in given and shutil.which(launcher) is None:
        raise UsageError(
            f"{engine.runner} needs Java 11 or 17 (`{launcher}` is not there): install a JRE or set --job_server_java_launcher"
        )
    if "://" not in jar or jar.startswith("file://"):
        _check_jar(engine, Path(jar.removeprefix("file://")))
    master = given.get(engine.master_option, "local[4]" if engine is _SPARK else "[auto]")
    if engine.uber_option in given and engine is _SPARK:
        master = given.get("spark_rest_url", "")
        if not master:
            raise UsageError(
                "--spark_submit_uber_jar needs --spark_rest_url=http://HOST:6066, the master's REST address"
            )
    if _LOCAL_MASTER.fullmatch(master):
        return
    _check_master(engine, master)
    if engine is _FLINK:
        _check_flink_version(master, Path(jar.removeprefix("file://")))
    _check_environment(engine.runner, given)


def _jar(engine: _JavaEngine, given: Mapping[str, str]) -> str:
    if named := given.get(engine.jar_option):
        return named
    home = _home()
    found = sorted((home / "jars").glob(engine.jar_pattern)) if home else []
    if not found:
        raise UsageError(
            f"{engine.runner} needs Beam's job server for {engine.title}: set --{engine.jar_option}=FILE to the jar"
            f" {engine.coordinates}:{version('apache-beam')}, or run `make engines` and set {HOME} to the folder that it names"
        )
    return str(found[-1])


def _check_jar(engine: _JavaEngine, path: Path) -> None:
    place = f"--{engine.jar_option}: {path}"
    if not path.is_file():
        raise UsageError(f"{place}: there is no such file")
    try:
        with zipfile.ZipFile(path) as jar:
            names = set(jar.namelist())
            told = jar.read(_PROPERTIES).decode() if _PROPERTIES in names else ""
    except (zipfile.BadZipFile, OSError) as error:
        raise UsageError(f"{place}: not a jar ({error}); fetch it again") from error
    if engine.main_class.replace(".", "/") + ".class" not in names:
        raise UsageError(f"{place}: not Beam's job server for {engine.title}; take {engine.coordinates}")
    match = re.search(r"^version=(\d+)\.(\d+)", told, re.MULTILINE)
    if match is None:
        return
    found = int(match[1]), int(match[2])
    installed = tuple(int(number) for number in version("apache-beam").split(".")[:2])
    if not _OLDEST_BEAM <= found <= installed:
        oldest, newest = (".".join(map(str, pair)) for pair in (_OLDEST_BEAM, installed))
        raise UsageError(
            f"{place}: of Beam {match[1]}.{match[2]}, and {oldest} to {newest} is known to work with apache-beam"
            f" {version('apache-beam')}; take {engine.coordinates}:{version('apache-beam')}"
        )


def _check_master(engine: _JavaEngine, master: str) -> None:
    option = engine.master_option
    if engine is _SPARK and not master.startswith(("spark://", "http://", "https://")):
        return  # yarn, k8s://, mesos://: theirs to judge
    address = urlsplit(master if "://" in master else f"http://{master}")
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host = port = None
    if host is None or port is None:
        form = "spark://HOST:7077" if engine is _SPARK else "HOST:8081"
        raise UsageError(f"--{option}={master}: expected {form}")
    if not _answers(host, port):
        raise UsageError(
            f"--{option}={master}: nothing answers at {host}:{port}; start the {engine.title} master or correct the address"
        )


def _check_flink_version(master: str, jar: Path) -> None:
    """Compare the cluster's Flink with the job server's: between minor versions their messages differ."""
    cluster = flink_version(master)
    match = re.search(r"flink-(\d+\.\d+)-job-server", jar.name)
    if match and not f"{cluster}.".startswith(f"{match[1]}."):
        raise UsageError(
            f"--flink_job_server_jar: {jar} is for Flink {match[1]}, the cluster runs {cluster};"
            f" take org.apache.beam:beam-runners-flink-{'.'.join(cluster.split('.')[:2])}-job-server"
        )


def _check_environment(runner: str, given: Mapping[str, str]) -> None:
    """Say where workers come from: Beam's default, its own container image, does not hold crawlmix."""
    kind = given.get("environment_type", "").upper()
    config = given.get("environment_config", "")
    if kind in {"", "DOCKER"} and not config and "sdk_container_image" not in given:
        raise UsageError(
            f"{runner} on a cluster must know where its Python workers come from: {_POOL};"
            " or --environment_type=DOCKER --environment_config=IMAGE, an image that holds crawlmix"
        )
    if kind == "EXTERNAL":
        host, _, port = config.rpartition(":")
        if not host or not port.isdigit():
            raise UsageError(
                f"--environment_type=EXTERNAL needs --environment_config=HOST:PORT, not {config!r}"
            )
        # Elsewhere the address is the worker machines' own, and may mean nothing here.
        if host in {"localhost", "127.0.0.1"} and _all_here(given) and not _answers(host, int(port)):
            raise UsageError(
                f"--environment_config={config}: no worker pool answers; start `python -m pipeline.worker_pool --port {port}`"
            )


def _all_here(given: Mapping[str, str]) -> bool:
    masters = [given[name] for name in ("spark_master_url", "flink_master", "job_endpoint") if name in given]
    return any("localhost" in master or "127.0.0.1" in master for master in masters)


def _prism(given: Mapping[str, str]) -> str:
    if named := given.get("prism_location"):
        return named
    home = _home()
    if home is not None and (home / "prism" / "prism").is_file():
        return str(home / "prism" / "prism")
    raise UsageError(
        "PrismRunner needs the program prism: `go install github.com/apache/beam/sdks/v2/go/cmd/prism"
        f"@v{version('apache-beam')}` and set --prism_location=FILE, or run `make engines` and set {HOME}"
    )


def _check_prism(given: Mapping[str, str]) -> None:
    path = _prism(given)
    if not Path(path).is_file() or not os.access(path, os.X_OK):
        raise UsageError(f"--prism_location: {path} is not a program; `go install` builds it")
    _check_environment("PrismRunner", {"environment_type": "LOOPBACK", **given})


def _check_portable(given: Mapping[str, str]) -> None:
    endpoint = given.get("job_endpoint", "")
    if not endpoint:
        raise UsageError(
            "PortableRunner needs --job_endpoint=HOST:PORT of a job server, or --job_endpoint=embed"
        )
    if endpoint == "embed":
        return
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--job_endpoint={endpoint}: expected HOST:PORT or embed")
    if not _answers(host, int(port)):
        raise UsageError(
            f"--job_endpoint={endpoint}: nothing answers there; start the job server or correct the address"
        )
    _check_environment("PortableRunner", given)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return True
    except OSError:
        return False

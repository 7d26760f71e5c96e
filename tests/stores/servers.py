"""Real object stores on loopback: moto's S3, and a Cloud Storage emulator where one is installed."""

import logging
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.storage import objects
from tests.pipeline.storage.relay import Relay, relaying

GCS_PROGRAM = "fake-gcs-server"  # go install github.com/fsouza/fake-gcs-server@v1.56.1


@dataclass
class Store:
    """A store behind a relay that can make mistakes."""

    scheme: str
    relay: Relay
    environment: dict[str, str] = field(default_factory=dict)
    buckets: int = 0

    def bucket(self) -> str:
        """Make an empty bucket."""
        self.buckets += 1
        name = f"bucket-{self.buckets:04d}"
        if self.scheme == "s3":
            status, _, content = self.relay.ask("PUT", f"/{name}")
        else:
            told = f'{{"name": "{name}"}}'.encode()
            status, _, content = self.relay.ask(
                "POST", "/storage/v1/b?project=test", told, {"Content-Type": "application/json"}
            )
        assert status == 200, content
        return f"{self.scheme}://{name}"


def missing(what: str) -> None:
    """Skip, or fail where all engines are wanted (`CRAWLMIX_ALL_ENGINES=1`)."""
    if os.environ.get("CRAWLMIX_ALL_ENGINES"):
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


@contextmanager
def simple_storage() -> Iterator[Store]:
    """Run S3 (moto) for this process and those it starts."""
    s3fs = pytest.importorskip("s3fs")
    moto_server = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request otherwise
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        with relaying(server.get_host_and_port()[1]) as relay, pytest.MonkeyPatch.context() as patch:
            environment = {
                "AWS_ENDPOINT_URL": relay.url,
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            }
            for key, value in environment.items():
                patch.setenv(key, value)
            relay.ask("POST", "/moto-api/reset")  # all its servers of a process share their buckets
            s3fs.S3FileSystem.clear_instance_cache()
            patch.setattr(objects, "_without_credentials", set())  # of buckets of the same names elsewhere
            yield Store("s3", relay, environment)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


@contextmanager
def cloud_storage() -> Iterator[Store]:
    """Run a Cloud Storage emulator for this process and those it starts."""
    program = os.environ.get("CRAWLMIX_FAKE_GCS") or shutil.which(GCS_PROGRAM)
    if program is None or not Path(program).is_file():
        missing(f"{GCS_PROGRAM} (named by CRAWLMIX_FAKE_GCS, or on the PATH)")
    assert program is not None
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # read when gcsfs is imported
    try:
        import gcsfs
    except ImportError:
        missing("the gcp extra")
    port = _free_port()
    with relaying(port) as relay, pytest.MonkeyPatch.context() as patch:
        process = subprocess.Popen(
            [
                program,
                *("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"),
                *("-external-url", relay.url, "-public-host", relay.url.removeprefix("http://")),
                *("-log-level", "error"),
            ]
        )
        try:
            _wait_for(process, f"http://127.0.0.1:{port}/storage/v1/b?project=test")
            patch.setenv("STORAGE_EMULATOR_HOST", relay.url)
            gcsfs.GCSFileSystem.clear_instance_cache()
            yield Store("gs", relay, {"STORAGE_EMULATOR_HOST": relay.url})
        finally:
            gcsfs.GCSFileSystem.clear_instance_cache()
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: "subprocess.Popen[bytes]", url: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"{GCS_PROGRAM} does not answer at {url}")

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A job of two bundles on Beam's own job service, whose workers come out of the pool.
JOB = """\
import os, sys
from pipeline.runner import import_beam, make_pipeline
options = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL", "--environment_config=" + sys.argv[1]]
import_beam(options)
import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to
with make_pipeline(options) as pipeline:
    workers = pipeline | beam.Create([1, 2, 3]) | beam.Map(lambda number: (number, os.getpid() != %d))
    assert_that(workers | beam.Map(lambda told: told), equal_to([(1, True), (2, True), (3, True)]))
"""


@pytest.fixture(scope="module")
def pool():
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.worker_pool", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[-1]
        process.terminate()


def children(pid):
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in listed.read_text().split()]
    return found


def start(address, name, control):
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, endpoints_pb2

    with grpc.insecure_channel(address) as channel:
        request = beam_fn_api_pb2.StartWorkerRequest(
            worker_id=name, control_endpoint=endpoints_pb2.ApiServiceDescriptor(url=control)
        )
        return beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel).StartWorker(request).error


def stop(address, name):
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        return stub.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id=name)).error


def wait_until(met):
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_workers_run_the_jobs_of_an_engine(pool):
    process, address = pool
    command = [sys.executable, "-c", JOB % process.pid, address]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@contextmanager
def executor():
    """An engine's side of a worker: hears it say hello and gives it nothing to do."""
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2_grpc

    gone = threading.Event()

    class Control(beam_fn_api_pb2_grpc.BeamFnControlServicer):
        def Control(self, _answers, _context):
            gone.wait()
            yield from ()

    server = grpc.server(ThreadPoolExecutor(4))
    beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server(Control(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(0)
        gone.set()


@pytest.mark.slow
def test_a_worker_ends_with_its_engine_and_not_for_another_that_bears_its_name(pool):
    process, address = pool
    (nursery,) = children(process.pid)

    def living():
        return [pid for pid in children(nursery) if state(pid) != "Z"]

    wait_until(lambda: not living())
    with executor() as first:
        assert start(address, "1-1", first) == ""
        wait_until(lambda: len(living()) == 1)
        (mine,) = living()
        with executor() as second:
            assert start(address, "1-1", second) == ""
            wait_until(lambda: len(living()) == 2)
            time.sleep(1)  # until both are connected
        wait_until(lambda: living() == [mine])
        assert stop(address, "1-1") == ""  # of the second executor, whose worker is gone already
        assert stop(address, "unknown") == ""
        time.sleep(1)
        assert living() == [mine]
    wait_until(lambda: not living())


def test_workers_end_with_the_pool(pool):
    process, _ = pool
    (nursery,) = children(process.pid)
    workers = children(nursery)
    process.terminate()
    assert process.wait(20) == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (nursery, *workers)))


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.worker_pool", "--host", "127.0.0.1", "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=ROOT,
        )
    assert done.returncode == 2
    assert f"crawlmix: --port {port}: in use on 127.0.0.1; choose another" in done.stderr

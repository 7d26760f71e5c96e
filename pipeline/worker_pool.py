"""Beam's worker processes for Spark and Flink: `python -m pipeline.worker_pool`, once on every machine of the cluster.

Beam's own pool starts a fresh Python for each worker, which imports Beam for two to four CPU seconds in each of a
build's jobs, and it knows workers by a name that two executors of one machine both use, so one would stop the other's.
Here a process that has imported Beam forks the workers, and nobody stops them by name: a worker ends by itself when its
engine hangs up.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import IO, Any, NoReturn, Self

from pipeline.errors import CrawlmixError, UsageError
from pipeline.worker import die_with_parent

_NURSERY = "--nursery"  # what the process that forks workers is started with
_THREADS = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Nursery:
    """The parent of all workers: takes lines on stdin, one for each to start; ends with its stdin."""

    def __init__(self) -> None:
        self._children: set[int] = set()

    def serve(self, orders: IO[str]) -> None:
        """Follow orders until they end, then end all workers."""
        from pipeline.runner import import_beam

        import_beam()
        for module in (
            "apache_beam.runners.worker.sdk_worker",
            "pipeline.stage",
        ):  # what every worker asks for
            import_module(module)
        _say("ready")
        for line in orders:
            order = json.loads(line)
            self._reap()
            self._start(order["start"], order["control"])
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _start(self, name: str, control: str) -> None:
        pid = os.fork()
        if pid == 0:
            _be_worker(name, control)
        self._children.add(pid)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                self._children.discard(pid)


def _be_worker(name: str, control: str) -> NoReturn:
    import grpc  # type: ignore[import-untyped]  # its types are a package of their own
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    # What goes wrong in a job reaches its driver; here it would only be said again, and with every orderly end.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    logging.getLogger("root").setLevel(logging.CRITICAL)
    threading.excepthook = lambda _: None
    code = 1
    try:
        os.close(0)
        die_with_parent()
        SdkHarness(control, worker_id=name, state_cache_size=0, data_buffer_time_limit_ms=-1).run()
        code = 0
    except grpc.RpcError:
        code = 0  # an engine that hangs up is how a worker's life ends
    except BaseException:  # noqa: BLE001  nobody else would ever tell
        traceback.print_exc()
    finally:
        os._exit(code)


class Pool:
    """Beam's service of a worker pool, on one port of this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._asked = (host, port)
        self._lock = threading.Lock()
        self.port = 0

    def __enter__(self) -> Self:
        self._bind()
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "pipeline.worker_pool", _NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_THREADS},
        )
        assert self._nursery.stdout is not None
        if self._nursery.stdout.readline().strip() != "ready":
            self._end_nursery()
            raise CrawlmixError("the worker pool did not start; its output above says why")
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0)
        self._end_nursery()

    def _bind(self) -> None:
        from pipeline.runner import import_beam

        import_beam()
        import grpc
        from apache_beam.portability.api import beam_fn_api_pb2_grpc

        host, port = self._asked
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(self, self._server)
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            raise UsageError(f"--port {port}: in use on {host}; choose another") from None

    def _end_nursery(self) -> None:
        assert self._nursery.stdin is not None
        with suppress(BrokenPipeError):
            self._nursery.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._nursery.wait(5)
            return
        self._nursery.kill()
        self._nursery.wait()

    def wait(self) -> None:
        """Return when no more workers can be started."""
        self._nursery.wait()

    def _order(self, order: dict[str, str]) -> str:
        """Pass an order on; returns what went wrong."""
        assert self._nursery.stdin is not None
        with self._lock:
            try:
                self._nursery.stdin.write(json.dumps(order) + "\n")
                self._nursery.stdin.flush()
            except (BrokenPipeError, ValueError):
                return "the worker pool has ended"
        return ""

    def StartWorker(self, request: Any, _context: Any) -> Any:  # noqa: N802  gRPC's name
        """Start the worker that an engine asks for."""
        from apache_beam.portability.api import beam_fn_api_pb2

        error = self._order({"start": request.worker_id, "control": request.control_endpoint.url})
        return beam_fn_api_pb2.StartWorkerResponse(error=error)

    def StopWorker(self, request: Any, _context: Any) -> Any:  # noqa: N802  gRPC's name
        """Leave the worker to end with its engine's connection.

        An executor asks when its own worker may have ended already; the one that is left of that name is then another
        executor's, which would wait three minutes for the one it lost.
        """
        from apache_beam.portability.api import beam_fn_api_pb2

        del request
        return beam_fn_api_pb2.StopWorkerResponse()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a pool until it is interrupted; prints its address."""
    if list(arguments if arguments is not None else sys.argv[1:]) == [_NURSERY]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Nursery().serve(sys.stdin)
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.worker_pool", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--host", default="localhost", help="where to listen; executors of this machine suffice"
    )
    parser.add_argument("--port", type=int, default=50000, help="0 takes a free one")
    chosen = parser.parse_args(arguments)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a shell that starts us in the background ignores SIGINT for us
        signal.signal(number, _interrupt)
    try:
        with Pool(chosen.host, chosen.port) as pool:
            _say(f"workers start at {chosen.host}:{pool.port}")
            pool.wait()
    except CrawlmixError as error:
        sys.stderr.write(f"crawlmix: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())

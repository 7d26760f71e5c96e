"""A worker process of the direct engine: tasks come in on stdin, one JSON line each, results go out on stdout.

It does not import Beam, so it starts in half a second. It ends when its parent does.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO

from pipeline.errors import CrawlmixError
from pipeline.tasks import CHILD_SECONDS, run_task

_REPORT_SECONDS = 0.2
_PARENT_SECONDS = 1.0


def die_with_parent() -> None:
    """End this process soon after its parent has ended, even in the middle of a task.

    Linux's parent-death signal will not do: it fires when the *thread* that started the process ends.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(tasks: BinaryIO, results: BinaryIO) -> None:
    """Answer each line of `tasks` with progress lines and one final line, until `tasks` ends."""

    def send(message: dict[str, Any]) -> None:
        results.write(json.dumps(message).encode() + b"\n")
        results.flush()

    for line in tasks:
        last = time.monotonic()
        records = size = 0

        def report(more_records: int, more_bytes: int) -> None:
            nonlocal last, records, size
            records, size = records + more_records, size + more_bytes
            if time.monotonic() - last > _REPORT_SECONDS:
                send({"records": records, "bytes": size})
                last, records, size = time.monotonic(), 0, 0

        start = time.process_time()
        try:
            result = run_task(json.loads(line), report)
        except CrawlmixError as error:
            send({"error": str(error), "exit_code": error.exit_code})
        except Exception:  # noqa: BLE001  a bug: the parent shows the traceback and ends the build
            send({"bug": traceback.format_exc()})
        else:
            cpu = time.process_time() - start + result.pop(CHILD_SECONDS, 0)
            send({"result": result, "records": records, "bytes": size, "cpu_seconds": cpu})


def main() -> None:
    """Serve tasks; whatever libraries print goes to stderr, since stdout carries the results."""
    die_with_parent()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # sent to all of a group; the parent decides what they mean
        signal.signal(number, signal.SIG_IGN)
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, results)


if __name__ == "__main__":
    main()

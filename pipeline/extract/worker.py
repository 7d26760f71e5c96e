"""The process in which hostile pages are parsed: reads batches from stdin, answers on stdout, may be killed.

It is told what to do by one JSON argument (see `main`). Its CPU limit is a kernel timer for each page whose
signal keeps its default action, so it ends the process even inside a C++ loop. It ends when stdin does.
"""

import json
import os
import resource
import signal
import sys

from pipeline.extract.frames import read_batch, write_result
from pipeline.extract.html import check_extractor
from pipeline.extract.limits import Limits
from pipeline.extract.page import extract_page

OUT_OF_MEMORY = 97  # exit status
_STDERR_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


def main(argument: str) -> int:
    """Serve until stdin ends.

    Args:
        argument: JSON with `extractor`, `limits`, `cpu_seconds` (of one page), `memory_bytes` (address space) and
            `die_with_parent` (only where the parent's thread that started us lives as long as the parent).
    """
    settings = json.loads(argument)
    extractor, limits = settings["extractor"], Limits(**settings["limits"])
    check_extractor(extractor)
    inbox = sys.stdin.buffer
    outbox = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(2, 1)  # a library that prints must not reach the frames
    # Ctrl-C and a service manager's SIGTERM go to the whole group; the parent decides what becomes of us.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if settings["die_with_parent"]:
        _die_with_parent()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _limit(resource.RLIMIT_AS, settings["memory_bytes"])
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _STDERR_BYTES)
    while True:
        try:
            pages = read_batch(inbox)
        except EOFError:
            return 0
        for page in pages:
            signal.setitimer(signal.ITIMER_PROF, settings["cpu_seconds"])
            try:
                result = extract_page(page, extractor=extractor, limits=limits)
                signal.setitimer(signal.ITIMER_PROF, 0)
                write_result(outbox, result)
            except MemoryError:
                os._exit(OUT_OF_MEMORY)


def _die_with_parent() -> None:
    """Have Linux kill this process with its parent, even in the middle of a page."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit(what: int, amount: int) -> None:
    hard = resource.getrlimit(what)[1]
    amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.setrlimit(what, (amount, amount))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

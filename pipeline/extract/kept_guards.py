"""Guards that serve one task after another: a child costs more to start than a slice to read."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.extract.guard import Guard, GuardSettings
from pipeline.extract.limits import Limits

# Engines run tasks side by side in threads that come and go; each takes a guard from here, or starts one.
_free: list[Guard] = []


@contextmanager
def kept_guard(told: dict[str, Any]) -> Iterator[Guard]:
    """Lend a guard to one task; its child goes on to the next task of this process.

    Args:
        told: the task's `extractor` and limits, as `extract_stage` states them.
    """
    guard = _taken(
        told["extractor"],
        Limits(max_bytes=told["max_bytes"], max_depth=told["max_depth"], max_tags=told["max_tags"]),
        GuardSettings(cpu_seconds=told["max_cpu_seconds"], memory_bytes=told["max_memory"]),
    )
    try:
        yield guard
    except BaseException:
        guard.close()  # its child may still hold answers to what nobody waits for
        raise
    _free.append(guard)


def _taken(extractor: str, limits: Limits, settings: GuardSettings) -> Guard:
    while _free:
        try:
            guard = _free.pop()
        except IndexError:  # another thread was faster
            break
        if (guard.extractor, guard.limits, guard.settings) == (extractor, limits, settings):
            return guard
        guard.close()
    return Guard(extractor, limits, settings)


@atexit.register
def _close() -> None:
    while _free:
        _free.pop().close()

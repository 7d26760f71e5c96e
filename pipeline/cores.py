"""How many processes this machine can really run at a time."""

import os


def usable_cores() -> int:
    """Return the cores that this process may use: its affinity where the system tells, else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

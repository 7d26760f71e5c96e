"""What a Flink cluster tells of itself over its REST service."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import UsageError

_SECONDS = 5.0
_MAX_ANSWER = 64 << 20  # bytes


def flink_version(master: str) -> str:
    """Return the cluster's version, as in `1.19.3`.

    Raises:
        UsageError: what answers there is not Flink.
    """
    return str(_ask(master, "/config", "flink-version"))


def slots_of_a_worker(master: str) -> int:
    """Return how many tasks its largest task manager does at once; 1 where none has registered yet."""
    found = _ask(master, "/taskmanagers", "taskmanagers")
    return max((int(manager["slotsNumber"]) for manager in found), default=1)


def _ask(master: str, path: str, key: str) -> Any:
    address = urlsplit(master if "://" in master else f"http://{master}")
    try:
        connection = HTTPConnection(address.hostname or "", address.port, timeout=_SECONDS)
        connection.request("GET", path)
        return json.loads(connection.getresponse().read(_MAX_ANSWER))[key]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--flink_master={master}: answers, but not as Flink's REST service does") from error

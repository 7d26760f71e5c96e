"""When to ask a server again, how long to wait before, and how many may ask at once."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import TypeVar

from pipeline.errors import CrawlmixError

Sleep = Callable[[float], None]
T = TypeVar("T")

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# A try that brought this much counts as progress: the count of failures starts again. Less would let a server
# that drops every connection after a few bytes be asked for ever.
PROGRESS_BYTES = 64 << 10

_JITTER = random.Random(os.urandom(16))  # decides waiting times only
os.register_at_fork(after_in_child=lambda: _JITTER.seed(os.urandom(16)))


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Limits of one reader or writer; the defaults are polite to a public server."""

    tries: int = 8  # in a row without progress
    base_seconds: float = 0.5  # wait before try n+1: uniform in [0, base * 2**(n-1)] ("full jitter")
    max_seconds: float = 60.0  # longest wait, also when the server asks for more by Retry-After
    connect_timeout: float = 10.0  # seconds
    read_timeout: float = 60.0  # seconds without a byte
    request_timeout: float = 600.0  # seconds for a request of `block_bytes`; in proportion for a larger one
    max_per_host: int = 4  # requests at once from this process to one host or bucket
    max_redirects: int = 5
    block_bytes: int = 8 << 20  # largest range asked for at once
    max_spool_bytes: int = 64 << 30  # largest file taken from a server that gives no ranges


DEFAULT = NetworkPolicy()


class TransientError(Exception):
    """A fault that may be gone at the next try; `retry_after` is what the server asks to wait, in seconds."""

    def __init__(self, cause: str, retry_after: float | None = None) -> None:
        super().__init__(cause)
        self.retry_after = retry_after


class Attempts:
    """Counts failures of one operation in a row, waits between them, and gives up.

    Args:
        what: the URL, for the message.
        policy: how often and how long.
        sleep: takes seconds; tests pass their own.
    """

    def __init__(self, what: str, policy: NetworkPolicy, sleep: Sleep) -> None:
        self._what = what
        self._policy = policy
        self._sleep = sleep
        self._failures = 0

    def progressed(self) -> None:
        """Forget earlier failures."""
        self._failures = 0

    def failed(self, fault: TransientError, offset: int | None = None) -> None:
        """Wait before the next try.

        Raises:
            CrawlmixError: this was the last try; names URL, byte offset, number of tries and the fault.
        """
        self._failures += 1
        if self._failures >= self._policy.tries:
            place = "" if offset is None else f" at byte {offset}"
            raise CrawlmixError(
                f"{self._what}: gave up{place} after {self._failures} tries, the last: {fault}; check the network"
                " and the server's limits, then start again (what is finished is not done twice)"
            ) from fault
        self._sleep(self._wait(fault.retry_after))

    def _wait(self, retry_after: float | None) -> float:
        ceiling = min(self._policy.max_seconds, self._policy.base_seconds * 2.0 ** (self._failures - 1))
        drawn = _JITTER.uniform(0.0, ceiling)
        if retry_after is None:
            return drawn
        # Jitter on top, so that workers told the same time do not come back together.
        return min(self._policy.max_seconds, max(retry_after, 0.0) + drawn)


def with_retries(action: Callable[[], T], what: str, policy: NetworkPolicy, sleep: Sleep = time.sleep) -> T:
    """Run `action` until it raises no `TransientError`, or the policy's tries are used up."""
    attempts = Attempts(what, policy, sleep)
    while True:
        try:
            return action()
        except TransientError as fault:
            attempts.failed(fault)


class _Gate:
    """Counts the requests under way by host, in this process."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._active: Counter[str] = Counter()

    @contextmanager
    def hold(self, host: str, limit: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._active[host] < limit)
            self._active[host] += 1
        try:
            yield
        finally:
            with self._changed:
                self._active[host] -= 1
                if not self._active[host]:
                    del self._active[host]
                self._changed.notify_all()


_gate = _Gate()


def _new_gate() -> None:
    # A forked child has none of its parent's requests, and the lock may have been held at the fork.
    global _gate  # noqa: PLW0603
    _gate = _Gate()


os.register_at_fork(after_in_child=_new_gate)


def slot(host: str, policy: NetworkPolicy) -> AbstractContextManager[None]:
    """Wait for one of the host's `max_per_host` slots and hold it while the context is open."""
    return _gate.hold(host, policy.max_per_host)

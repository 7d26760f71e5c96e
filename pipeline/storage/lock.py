"""One build at a time in a workspace."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import CrawlmixError
from pipeline.storage.paths import is_remote, local_path

_held: set[int] = set()


def _close_in_child() -> None:
    # flock belongs to the open file, which a forked child shares: a worker that outlives a killed build would
    # keep the workspace locked.
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


@contextmanager
def lock(folder: str) -> Iterator[None]:
    """Hold a workspace for this process; the system gives it free when the process ends, however it ends.

    The mark is a `.lock` file in the folder, made if missing. On object stores this does nothing: they have no
    lock that dies with its holder, and a lease would keep a killed build out of its own workspace. Two builds of
    one recipe write the same bytes there; two of different recipes are stopped by the workspace's `build.json`.

    Raises:
        CrawlmixError: another process holds it (names process and host), or the folder cannot be written.
    """
    if is_remote(folder):
        yield
        return
    path = local_path(folder) / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CrawlmixError(
            f"{folder}: cannot be used as workspace ({error.strerror}); choose another folder"
        ) from error
    _held.add(descriptor)
    try:
        _take(descriptor, folder)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _take(descriptor: int, folder: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "unknown"
        raise CrawlmixError(
            f"{folder}: another build is running in this workspace ({holder}); wait for its end or choose another folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

"""Marks that a folder is in use: a lock beside it that dies with its holder, however the process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def mark_of(folder: Path) -> Path:
    """The file that is locked for a folder; its time says when the folder was last taken into use."""
    return folder.with_name(f"{folder.name}.lock")


def hold(folder: Path, *, alone: bool = False, wait: bool = True) -> int | None:
    """Lock a folder's mark; the lock ends when the descriptor is closed or the process ends.

    Args:
        folder: need not be there yet, but its parent.
        alone: refuse other holders as well; otherwise many may hold it at once.
        wait: until it is free; else None is returned where another holds it.

    Returns:
        The open descriptor, on a mark that is still the folder's own.
    """
    mark = mark_of(folder)
    kind = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB)
    while True:
        descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            there = mark.stat().st_ino == os.fstat(descriptor).st_ino
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            there = False
        except BaseException:
            os.close(descriptor)
            raise
        if there:
            os.utime(descriptor)
            return descriptor
        os.close(descriptor)  # who held it before removed folder and mark


@contextmanager
def held_alone(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a folder alone inside the block; yields False where another holds it and `wait` is not set."""
    descriptor = hold(folder, alone=True, wait=wait)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def discard(folder: Path) -> bool:
    """Remove a folder and its mark if nobody holds it; says whether it went."""
    import shutil

    with held_alone(folder, wait=False) as free:
        if not free:
            return False
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        mark_of(folder).unlink(missing_ok=True)
    return True


def last_used(folder: Path) -> float:
    """When the folder was last taken into use, in seconds since the epoch; 0 where it has no mark."""
    with suppress(FileNotFoundError):
        return mark_of(folder).stat().st_mtime
    return 0.0

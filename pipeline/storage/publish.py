"""Outputs that appear whole or not at all."""

import errno
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pipeline.errors import CrawlmixError
from pipeline.storage.paths import is_remote, join, local_path, name, shown
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep

_SUFFIX = ".tmp"
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space, then start again: what is finished is not done twice",
    errno.EDQUOT: "the quota is used up; free some space, then start again: what is finished is not done twice",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "no permission to write there; choose another folder or change its permissions",
    errno.EPERM: "no permission to write there; choose another folder or change its permissions",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another folder",
    errno.EEXIST: "a part of this path is a file, not a folder; choose another folder",
    errno.EISDIR: "there is a folder of this name; move it away",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter one",
}
# Whatever was being written, these say that the target's disk is at fault.
_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_FOREIGN_TEMP_SECONDS = 24 * 3600  # a temp file of another host is left alone for a day: its writer may live

_in_flight: set[Path] = set()


@contextmanager
def publish(final: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> Iterator[Path]:
    """Yield a local path to write; when the block ends without error its content appears at `final` at once.

    Local: a hidden file in the same folder (made if missing), flushed to disk, then renamed over `final`. Object
    stores: a local file, then a single put, which is atomic there. On error nothing appears at `final`, what was
    there stays, and the temporary file is removed.

    Raises:
        CrawlmixError: the disk is full or read-only, permission is missing, or the store gives up.
    """
    if is_remote(final):
        with _uploaded(final, policy, sleep) as temp:
            yield temp
        return
    target = local_path(final)
    temp = _temp_beside(target)
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Claimed before the writer opens it, so that a folder without permission is reported in our words.
        temp.touch(exist_ok=False)
    _in_flight.add(temp)
    try:
        with _explained(target, only=_DISK_FAULTS, temp=temp):
            yield temp
        with _explained(target):
            _sync(temp)
            temp.replace(target)
            _sync(target.parent)
    finally:
        _in_flight.discard(temp)
        with suppress(OSError):
            temp.unlink(missing_ok=True)


def write_text(final: str, text: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> None:
    """Publish `text` as UTF-8; raises as `publish` does."""
    with publish(final, policy, sleep) as temp:
        temp.write_text(text, encoding="utf-8", newline="\n")


def write_json(final: str, data: Any, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> None:
    """Publish `data` as indented JSON in the order given; NaN and infinity are refused with ValueError."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(final, text, policy, sleep)


def clean_temp(folder: str) -> list[Path]:
    """Remove what dead writers left below a local folder, and return it; object stores keep no temporary files.

    A file of this host goes when its process is gone, one of another host when it is a day old.
    """
    if is_remote(folder):
        return []
    removed = []
    for path in sorted(local_path(folder).rglob(f".*{_SUFFIX}")):
        if is_temp(path.name) and _is_dead(path):
            with suppress(FileNotFoundError), _explained(path):
                path.unlink()
                removed.append(path)
    return removed


def is_temp(file_name: str) -> bool:
    """Say whether `file_name` is of the form that `publish` gives to unfinished files."""
    return _writer(file_name) is not None


@contextmanager
def _uploaded(final: str, policy: NetworkPolicy, sleep: Sleep) -> Iterator[Path]:
    from pipeline.storage.objects import ObjectStore
    from pipeline.storage.scratch import scratch_folder, scratch_root

    store = ObjectStore(final, policy, sleep)
    with _explained(scratch_root(), only=_DISK_FAULTS), scratch_folder() as folder:
        temp = folder / name(final)
        yield temp
        store.put(temp, final)


@contextmanager
def folder_to_write(final: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> Iterator[Path]:
    """Yield a local folder for writers of several files: `final` itself, or one whose files are then stored there.

    On object stores nothing is stored when the block ends with an error, but otherwise one file after the other: say
    that all are there by a file that is published afterwards.
    """
    if not is_remote(final):
        yield local_path(final)
        return
    from pipeline.storage.scratch import scratch_folder, scratch_root

    with _explained(scratch_root(), only=_DISK_FAULTS), scratch_folder() as folder:
        yield folder
        for path in sorted(folder.iterdir()):
            upload(path, join(final, path.name), policy, sleep)


def upload(local: Path, final: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> None:
    """Store a finished local file at `final` on an object store; raises as `publish` does."""
    from pipeline.storage.objects import ObjectStore

    ObjectStore(final, policy, sleep).put(local, final)


@contextmanager
def _explained(target: Path, only: frozenset[int] | None = None, temp: Path | None = None) -> Iterator[None]:
    """Turn an OSError about `target` into one line; with `only`, others pass unless they name `temp`."""
    try:
        yield
    except OSError as error:
        ours = only is None or error.errno in only or (temp is not None and error.filename == os.fspath(temp))
        if not ours or isinstance(error, FileNotFoundError):
            raise
        remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
        raise CrawlmixError(f"{shown(os.fspath(target))}: cannot be written: {remedy}") from error


def _temp_beside(target: Path) -> Path:
    return target.parent / f".{target.name}.{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}"


def _host() -> str:
    return blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _writer(file_name: str) -> tuple[str, int] | None:
    """Return host mark and process id out of the name of a temporary file."""
    if not (file_name.startswith(".") and file_name.endswith(_SUFFIX)):
        return None
    mark = file_name.removesuffix(_SUFFIX).rpartition(".")[2].split("-")
    if len(mark) != 3 or not mark[1].isdigit() or len(mark[0]) != 8 or len(mark[2]) != 8:
        return None
    return mark[0], int(mark[1])


def _is_dead(path: Path) -> bool:
    host, pid = _writer(path.name) or ("", 0)
    if host != _host():
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime > _FOREIGN_TEMP_SECONDS
        return False
    if pid == os.getpid():
        return path not in _in_flight
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Copies of remote files on this machine, for what is mapped into memory or read again and again.

An entry is a folder under the cache's root (`CRAWLMIX_CACHE`), named by a hash of what it holds: address, size and the
store's own tag of the object, so a changed object is another entry. A process holds the entries that it uses until it
ends; those that no process holds go, longest unused first, when room is needed (`CRAWLMIX_CACHE_BYTES`, by default half
of the disk).
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage.held import discard, held_alone, hold, last_used
from pipeline.storage.identity import identity
from pipeline.storage.listing import list_files
from pipeline.storage.paths import is_remote, local_path, shown
from pipeline.storage.paths import name as name_of
from pipeline.storage.reading import open_input
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep

_CHUNK = 1 << 20
_FREE = 64 << 20  # bytes of the disk that stay free

_held: dict[Path, int] = {}  # descriptors of the entries that this process uses


def _forget() -> None:
    # The lock belongs to the open file, which a forked child shares; it takes its own when it needs one.
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to have in an entry."""

    url: str
    name: str  # path inside the entry
    size: int
    sha256: str | None = None  # of its bytes, where it is known


def local_copy(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> Path:
    """Return a local path with the content of `url`: of the file itself if it is local, else of a copy.

    The path stays valid as long as this process lives, and ends in the file's own name.

    Raises:
        UsageError: there is no such file, or no access.
        CrawlmixError: it cannot be fetched, or there is no room for it.
    """
    if not is_remote(url):
        return local_path(url)
    size, tag = identity(url, policy, sleep)
    wanted = Wanted(url, name_of(url), size)
    return fetch([url, size, tag], [wanted], policy, sleep) / wanted.name


def local_folder(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> Path:
    """Return a local path with the files that lie directly in the folder `url`; otherwise as `local_copy`."""
    if not is_remote(url):
        return local_path(url)
    found = list_files(url, policy, sleep)
    if not found:
        raise UsageError(f"{shown(url)}: there is no such folder, or nothing is in it")
    wanted = [Wanted(f"{url.rstrip('/')}/{file.name}", file.name, file.size) for file in found]
    key = [url, *((file.name, file.size, file.tag) for file in found)]
    return fetch(key, wanted, policy, sleep)


def fetch(
    key: Sequence[object],
    files: Sequence[Wanted],
    policy: NetworkPolicy = DEFAULT,
    sleep: Sleep = time.sleep,
) -> Path:
    """Return the entry of `key` with all of `files` in it; what is in it already is not fetched again.

    Args:
        key: what the entry's content depends on; an entry may be asked for more files later.
        files: to have; those with a `sha256` are compared with it while they come in.
        policy: limits of requests.
        sleep: takes seconds; tests pass their own.

    Raises:
        CrawlmixError: a file is not what its size or hash says, or there is no room.
    """
    root = _root()
    entry = root / hashlib.blake2b(repr(list(key)).encode(), digest_size=16).hexdigest()
    _use(entry)
    if not _missing(entry, files):
        return entry
    # One process fetches, the others wait for it: torchrun starts eight that want the same.
    with held_alone(root / f"{entry.name}.filling"):
        missing = _missing(entry, files)
        _make_room(root, sum(file.size for file in missing))
        with ThreadPoolExecutor(policy.max_per_host) as threads:
            list(threads.map(lambda file: _download(file, entry, policy, sleep), missing))
    return entry


def cache_limit(root: Path) -> int:
    """Bytes that all entries together may have.

    Raises:
        UsageError: `CRAWLMIX_CACHE_BYTES` is no size.
    """
    from pipeline.units import parse_bytes  # late: workers need no pydantic

    told = os.environ.get("CRAWLMIX_CACHE_BYTES")
    if told is None:
        return shutil.disk_usage(root).total // 2
    try:
        return parse_bytes(told)
    except ValueError as error:
        raise UsageError(f"CRAWLMIX_CACHE_BYTES: {error}") from None


def _root() -> Path:
    given = os.environ.get("CRAWLMIX_CACHE")
    if given:
        root = Path(given)
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(home) / "crawlmix"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CrawlmixError(
            f"{root}: cannot keep copies of remote files there ({error.strerror}); set CRAWLMIX_CACHE to a folder with room"
        ) from error
    return root


def _use(entry: Path) -> None:
    if entry not in _held:
        descriptor = hold(entry)
        assert descriptor is not None  # it waits
        _held[entry] = descriptor
    entry.mkdir(mode=0o700, exist_ok=True)


def _missing(entry: Path, files: Sequence[Wanted]) -> list[Wanted]:
    there = {file.name: entry / file.name for file in files}
    return [
        file
        for file in files
        if not there[file.name].is_file() or there[file.name].stat().st_size != file.size
    ]


def _download(file: Wanted, entry: Path, policy: NetworkPolicy, sleep: Sleep) -> None:
    target = entry / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")  # one process fills an entry at a time
    digest, size = hashlib.sha256(), 0
    try:
        with open_input(file.url, policy, sleep) as source, temporary.open("wb") as copy:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
                size += len(chunk)
        if size != file.size:
            raise CrawlmixError(
                f"{shown(file.url)}: {size:,} bytes instead of {file.size:,}; it was changed meanwhile, start again"
            )
        if file.sha256 is not None and digest.hexdigest() != file.sha256:
            raise CrawlmixError(
                f"{shown(file.url)}: has SHA-256 {digest.hexdigest()[:16]} instead of {file.sha256[:16]}; it was"
                " damaged or built again since"
            )
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _make_room(root: Path, needed: int) -> None:
    """Remove entries that nobody uses until `needed` bytes fit."""
    limit = cache_limit(root)
    entries = sorted(_entries(root), key=last_used)
    used = {entry: _bytes(entry) for entry in entries}
    total = sum(used.values())

    def room() -> int:
        return min(limit - total, shutil.disk_usage(root).free - _FREE)

    for entry in entries:
        if room() >= needed:
            return
        if discard(entry):
            discard(root / f"{entry.name}.filling")
            total -= used[entry]
    if room() < needed:
        from pipeline.units import format_bytes

        raise CrawlmixError(
            f"{root}: no room for copies of remote files: {format_bytes(needed)} needed, {format_bytes(max(room(), 0))} left;"
            " set CRAWLMIX_CACHE to a folder on a larger disk, or CRAWLMIX_CACHE_BYTES to more"
        )


def _entries(root: Path) -> Iterable[Path]:
    return (path for path in root.iterdir() if path.is_dir())


def _bytes(entry: Path) -> int:
    return sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())

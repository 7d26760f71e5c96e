"""What lies in a folder, and taking a file away, on any storage that has folders."""

import time
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage.paths import HTTP, is_remote, local_path, scheme, shown
from pipeline.storage.publish import is_temp
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a folder, by its name in it."""

    name: str
    size: int  # bytes
    tag: str  # changes when the bytes do: ETag or generation, or the time of change of a local file


def list_dir(folder: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> list[str]:
    """Return the names of files and folders directly in `folder`, sorted; none if it does not exist.

    Unfinished files of `publish` are left out.

    Raises:
        UsageError: http, which has no listing, or the folder cannot be read.
    """
    if not is_remote(folder):
        try:
            return sorted(entry.name for entry in local_path(folder).iterdir() if not is_temp(entry.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"{folder}: cannot be listed ({error.strerror})") from error
    _refuse_http(folder, "listing")
    from pipeline.storage.objects import ObjectStore

    return ObjectStore(folder, policy, sleep).list_dir(folder)


def list_files(folder: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> list[StoredFile]:
    """Return the files directly in `folder` with their sizes, by name; by one listing, as `list_dir`."""
    if not is_remote(folder):
        found = []
        for name in list_dir(folder):
            with suppress(FileNotFoundError):
                path = local_path(folder) / name
                if path.is_file():
                    status = path.stat()
                    found.append(StoredFile(name, status.st_size, str(status.st_mtime_ns)))
        return found
    _refuse_http(folder, "listing")
    from pipeline.storage.objects import ObjectStore

    return ObjectStore(folder, policy, sleep).list_files(folder)


def remove(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> None:
    """Remove a file; one that is not there is no error.

    Raises:
        CrawlmixError: it cannot be removed.
    """
    if not is_remote(url):
        try:
            with suppress(FileNotFoundError):
                local_path(url).unlink()
        except OSError as error:
            raise CrawlmixError(f"{url}: cannot be removed ({error.strerror})") from error
        return
    _refuse_http(url, "way to remove files")
    from pipeline.storage.objects import ObjectStore

    ObjectStore(url, policy, sleep).remove(url)


def _refuse_http(url: str, what: str) -> None:
    if scheme(url) in HTTP:
        raise UsageError(f"{shown(url)}: http has no {what}; use a local folder, s3:// or gs://")

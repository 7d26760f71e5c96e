"""Whether a file is still the file that was read: its size and a tag that changes with its bytes."""

import os
import time
from collections.abc import Iterator
from stat import S_ISREG

from pipeline.storage.listing import StoredFile
from pipeline.storage.paths import OBJECT_STORES, is_remote, local_path, scheme
from pipeline.storage.reading import open_input, size
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep


def identity(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> tuple[int, str]:
    """Return a file's bytes as stored, and a tag.

    The tag holds the size and, of a local file, the time of its change; of an object, what its store calls this state
    of it (ETag or generation). Over http it is the size alone: mirrors of one file differ in all else.

    Raises:
        UsageError: as `open_input` does.
    """
    if scheme(url) in OBJECT_STORES:
        from pipeline.storage.objects import ObjectStore

        return object_identity(ObjectStore(url, policy, sleep).stat(url))
    if is_remote(url):
        remote = size(url, policy, sleep)
        return remote, str(remote)
    try:
        status = local_path(url).stat()
    except OSError:
        status = None
    if status is None or not S_ISREG(status.st_mode):
        with open_input(url) as file:  # says what is wrong where `stat` would only fail
            status = os.fstat(file.fileno())
    return status.st_size, f"{status.st_size}-{status.st_mtime_ns}"


def identities(
    folder: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep
) -> Iterator[tuple[str, tuple[int, str]]]:
    """Yield the URL and the `identity` of each object directly below a folder of an object store, by one listing.

    Raises:
        UsageError: it may not be listed.
    """
    from pipeline.storage.objects import ObjectStore

    for found in ObjectStore(folder, policy, sleep).list_files(folder):
        yield f"{folder}/{found.name}", object_identity(found)


def object_identity(found: StoredFile) -> tuple[int, str]:
    """Return the `identity` of an object that a listing told of."""
    return found.size, f"{found.size}-{found.tag}"

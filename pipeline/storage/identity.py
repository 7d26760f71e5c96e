"""Whether a file is still the file that was read: its size and a tag that changes with its bytes."""

import os
from stat import S_ISREG

from pipeline.storage.paths import is_remote, local_path
from pipeline.storage.reading import open_input, size


def identity(url: str) -> tuple[int, str]:
    """Return a file's bytes as stored, and a tag: size and time of change, or the size alone of a remote file.

    Raises:
        UsageError: as `open_input` does.
    """
    if is_remote(url):
        remote = size(url)
        return remote, str(remote)
    try:
        status = local_path(url).stat()
    except OSError:
        status = None
    if status is None or not S_ISREG(status.st_mode):
        with open_input(url) as file:  # says what is wrong where `stat` would only fail
            status = os.fstat(file.fileno())
    return status.st_size, f"{status.st_size}-{status.st_mtime_ns}"

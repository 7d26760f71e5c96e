"""Whether a file is still the file that was read: its size and a tag that changes with its bytes."""

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
    with open_input(url):  # says what is wrong where `stat` would only fail
        status = local_path(url).stat()
    return status.st_size, f"{status.st_size}-{status.st_mtime_ns}"

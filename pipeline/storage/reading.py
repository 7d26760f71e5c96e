"""Open any input for reading: local files as they are, remote ones as seekable files over ranges."""

import io
import os
import time
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import CrawlmixError, NoFileError, UsageError
from pipeline.storage.paths import HTTP, is_remote, local_path, scheme, shown
from pipeline.storage.ranged import RangedFile
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep, with_retries


def open_input(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> BinaryIO:
    """Open `url` for reading from its start; the file is seekable and its `name` is fit for messages.

    A remote file reads ahead in ranges that grow to `policy.block_bytes` and resumes after a fault at the byte
    it reached. The bytes are those stored: no encoding is undone. A missing local file is reported here, a
    missing remote one at the first read.

    Raises:
        NoFileError: there is no such file.
        UsageError: no access, a folder, an unknown scheme, or an extra is not installed.
        CrawlmixError: (while reading) the policy's tries are used up, or the object changed meanwhile.
    """
    if not is_remote(url):
        return _open_local(local_path(url))
    return io.BufferedReader(_ranged(url, policy, sleep), policy.block_bytes)


def size(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> int:
    """Return the bytes of a file as stored; raises as `open_input` does."""
    if not is_remote(url):
        with _open_local(local_path(url)) as file:
            return os.fstat(file.fileno()).st_size
    with _ranged(url, policy, sleep) as file:
        return file.size()


def exists(url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> bool:
    """Say whether there is a file at `url`.

    Raises:
        UsageError: the server refuses to tell.
    """
    if not is_remote(url):
        return local_path(url).is_file()
    if scheme(url) in HTTP:
        from pipeline.storage.http import HttpObject

        return with_retries(HttpObject(url, policy).exists, shown(url), policy, sleep)
    from pipeline.storage.objects import ObjectStore

    return ObjectStore(url, policy, sleep).exists(url)


def read_bytes(url: str, max_bytes: int, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> bytes:
    """Return a whole file.

    Raises:
        CrawlmixError: it is larger than `max_bytes`; also as `open_input` does.
    """
    with open_input(url, policy, sleep) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise CrawlmixError(
            f"{shown(url)}: larger than {max_bytes} bytes, which is too much for a file of this kind"
        )
    return data


def read_if_there(
    url: str, max_bytes: int, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep
) -> bytes | None:
    """Return a whole file, or None where there is none; otherwise as `read_bytes`. Cheaper than to ask first."""
    try:
        return read_bytes(url, max_bytes, policy, sleep)
    except NoFileError:
        return None


def _open_local(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise UsageError(f"{path}: is {kind}; name a file")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NoFileError(f"{path}: there is no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error


def _ranged(url: str, policy: NetworkPolicy, sleep: Sleep) -> RangedFile:
    if scheme(url) in HTTP:
        from pipeline.storage.http import HttpObject

        return RangedFile(HttpObject(url, policy), policy, sleep)
    from pipeline.storage.objects import ObjectStore, StoredObject

    return RangedFile(StoredObject(url, ObjectStore(url, policy, sleep)), policy, sleep)

"""Names of files and folders on any storage: split, join, resolve; nothing is opened here."""

import os
import posixpath
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pipeline.errors import UsageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Names that neither lead elsewhere nor need to be spelt anew: none begins with a dot, but for one like `.work`.
_NAMES = re.compile(r"\.?[A-Za-z0-9_-][A-Za-z0-9._-]*(/\.?[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
HTTP = frozenset({"http", "https"})
OBJECT_STORES = frozenset({"s3", "gs"})


def scheme(url: str) -> str:
    """Return `file`, `http`, `https`, `s3` or `gs`.

    Raises:
        UsageError: another scheme; names those that are known.
    """
    match = _SCHEME.match(url)
    found = match.group(1).lower() if match else "file"
    if found == "file" or found in HTTP or found in OBJECT_STORES:
        return found
    raise UsageError(
        f"{url}: cannot read or write {found}://; known are local paths, http://, https://, s3:// and gs://"
    )


def is_remote(url: str) -> bool:
    """Say whether `url` is anything but a local path."""
    return scheme(url) != "file"


def local_path(url: str) -> Path:
    """Return the path of a local `url`, which is a plain path or `file://`."""
    if scheme(url) != "file":
        raise UsageError(f"{shown(url)}: a local path is needed here")
    if not _SCHEME.match(url):
        return Path(url)
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise UsageError(
            f"{url}: a file:// URL of another host; write file:///{parts.netloc}{parts.path} or a plain path"
        )
    return Path(unquote(parts.path))


def join(base: str, *parts: str) -> str:
    """Append `parts`, each a relative path, to a folder on any storage; a query of an http URL stays at the end.

    Raises:
        UsageError: a part is absolute or leads out of the folder by `..`.
    """
    if _NAMES.fullmatch("/".join(parts)) and (folder := _plain_folder(base)):
        return "/".join([folder, *parts])  # the same, thirty times as fast; a plan joins a million
    for part in parts:
        if part.startswith("/") or ".." in part.split("/") or _SCHEME.match(part):
            raise UsageError(
                f"{part}: must be a path inside {shown(base)}, without `..` and without a leading /"
            )
    if not is_remote(base):
        return os.fspath(local_path(base).joinpath(*parts))
    head, path, tail = _split(base)
    tail_parts = [part.strip("/") for part in parts if part.strip("/")]
    return head + "/".join([path.rstrip("/"), *tail_parts]) + tail


@lru_cache(maxsize=64)
def _plain_folder(base: str) -> str | None:
    """Spell a local folder as `pathlib` does; None where names cannot simply be put behind it."""
    if is_remote(base):
        return None
    folder = os.fspath(local_path(base))
    return None if folder in {".", "/", "//"} else folder


def parent(url: str) -> str:
    """Return the folder that holds `url`; the root of a bucket or host is its own parent."""
    if not is_remote(url):
        return os.fspath(local_path(url).parent)
    head, path, _ = _split(url)
    return head + posixpath.dirname(path.rstrip("/")).rstrip("/")


def name(url: str) -> str:
    """Return the last component of `url`, without query."""
    if not is_remote(url):
        return local_path(url).name
    return posixpath.basename(_split(url)[1].rstrip("/"))


def bucket_and_key(url: str) -> tuple[str, str]:
    """Split `s3://bucket/key` or `gs://bucket/key`.

    Raises:
        UsageError: there is no bucket.
    """
    bucket, _, key = url.partition("://")[2].partition("/")
    if not bucket:
        raise UsageError(f"{url}: names no bucket; write {scheme(url)}://BUCKET/PATH")
    return bucket, key


def resolve(path: str, base: str) -> str:
    """Make `path` absolute: `${VAR}` and `~` are expanded, a relative path starts at the folder `base`.

    `..` is kept as it is, since a symbolic link may stand before it.

    Raises:
        UsageError: the path is empty, a variable is unknown, or the scheme is.
    """
    expanded = _VARIABLE.sub(lambda match: _variable(match, path), path)
    if not expanded.strip():
        raise UsageError(f"a path is empty (written as `{path}`)")
    if is_remote(expanded):
        return expanded
    if _SCHEME.match(expanded):
        return os.fspath(local_path(expanded))
    if expanded.startswith("~"):
        expanded = os.path.expanduser(expanded)  # noqa: PTH111  pathlib raises RuntimeError for an unknown user
    if Path(expanded).is_absolute():
        return os.fspath(Path(expanded))
    if is_remote(base):
        return join(base, os.fspath(Path(expanded)))
    return os.fspath(local_path(base).absolute() / expanded)


def shown(url: str) -> str:
    """Return `url` for a message: without password, and without the query, which may be a signature."""
    if not is_remote(url):
        return url
    if scheme(url) in OBJECT_STORES:
        return url
    parts = _parsed(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", "")) + ("?..." if parts.query else "")


def _variable(match: re.Match[str], path: str) -> str:
    value = os.environ.get(match.group(1))
    if value is None:
        raise UsageError(f"{path}: the environment variable {match.group(1)} is not set")
    return value


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if not named:
        raise UsageError(f"{url}: is no URL; write {scheme(url)}://HOST/PATH")
    return parts


def _split(url: str) -> tuple[str, str, str]:
    """Split a remote URL into scheme and authority, path, and query with its question mark."""
    if scheme(url) in HTTP:
        parts = _parsed(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}", parts.path, query
    bucket, key = bucket_and_key(url)
    return f"{scheme(url)}://{bucket}", f"/{key}" if key else "", ""

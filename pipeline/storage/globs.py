"""From the paths of a recipe to a list of files."""

import glob
import os
import time
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.storage.listing import StoredFile
from pipeline.storage.paths import HTTP, is_remote, resolve, scheme, shown
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep


def expand(
    patterns: Sequence[str], base: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep
) -> list[str]:
    """Return the files that `patterns` name: sorted, without repetition, local ones as absolute paths.

    Args:
        patterns: paths or URLs; `*`, `?`, `[...]` and `**` (any folders) as in a shell for local paths, s3 and gs;
            `~` and `${VAR}` are expanded; a relative path starts at `base`. Hidden files match no wildcard.
        base: the folder of the recipe.
        policy: limits of requests to object stores.
        sleep: takes seconds; tests pass their own.

    A remote URL without wildcard is not asked for: whether it exists shows when it is opened.

    Raises:
        UsageError: a pattern matches nothing, names a folder or something that cannot be read, uses a wildcard
            over http, or an unknown variable or scheme.
    """
    return list(find(patterns, base, policy, sleep))


def find(
    patterns: Sequence[str], base: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep
) -> dict[str, StoredFile | None]:
    """As `expand`, with what the listing of an object store tells of each file; None where nothing was listed."""
    found: dict[str, StoredFile | None] = {}
    for pattern in patterns:
        found.update(_matches(resolve(pattern, base), pattern, policy, sleep))
    return dict(sorted(found.items(), key=itemgetter(0)))


def _matches(url: str, written: str, policy: NetworkPolicy, sleep: Sleep) -> Mapping[str, StoredFile | None]:
    if not is_remote(url):
        return dict.fromkeys(_local(url, written))
    if scheme(url) in HTTP:
        if "*" in url:
            raise UsageError(
                f"{shown(url)}: http has no listing, so `*` cannot work; name each file, or a manifest"
            )
        return {url: None}
    if not glob.has_magic(url):
        if url.endswith("/"):
            raise UsageError(f"{url}: is a folder; write {url}* or a longer pattern")
        return {url: None}
    from pipeline.storage.objects import ObjectStore

    files = ObjectStore(url, policy, sleep).glob(url)
    if not files:
        raise UsageError(f"{written}: matches no object in {_fixed_folder(url)}")
    return files


def _local(path: str, written: str) -> list[str]:
    if Path(path).exists() or not glob.has_magic(path):
        return [_readable(path, written)]
    matches = glob.glob(path, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    files = [os.fspath(Path(match)) for match in matches if not Path(match).is_dir()]
    if files:
        return [_readable(file, written) for file in files]
    folder = _fixed_folder(path)
    if not Path(folder).is_dir():
        raise UsageError(f"{written}: matches no file, since there is no folder {folder}")
    only_folders = "; it matches folders only, write its files as `.../*`" if matches else ""
    raise UsageError(f"{written}: matches no file in {folder}{only_folders}")


def _readable(path: str, written: str) -> str:
    file = Path(path)
    if file.is_dir():
        raise UsageError(f"{written}: {path} is a folder; write {Path(path) / '*'} or a longer pattern")
    if not file.exists():
        where = file.parent if file.parent.is_dir() else f"{file.parent}, which does not exist"
        raise UsageError(f"{written}: there is no file {file.name} in {where}")
    if not file.is_file():
        raise UsageError(f"{written}: {path} is no regular file")
    if not os.access(file, os.R_OK):
        raise UsageError(f"{written}: no permission to read {path}")
    return os.fspath(file)


def _fixed_folder(path: str) -> str:
    """Return the folder before the first wildcard."""
    parts = path.split("/")
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:first]) or "/"

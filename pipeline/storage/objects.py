"""Objects on s3:// and gs:// through fsspec, with the same retries as http."""

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from fnmatch import translate
from functools import cache
from glob import has_magic
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pipeline.errors import CrawlmixError, NoFileError, UsageError
from pipeline.storage.listing import StoredFile
from pipeline.storage.object_errors import causes, translated
from pipeline.storage.paths import bucket_and_key, name, scheme
from pipeline.storage.retry import (
    DEFAULT,
    NetworkPolicy,
    Sleep,
    TransientError,
    slot,
    with_retries,
)

T = TypeVar("T")

_EXTRAS = {"s3": ("s3fs", "aws"), "gs": ("gcsfs", "gcp")}

# Smaller objects go up in one request, which states their length.
_ONE_PUT = 5 << 20

_without_credentials: set[str] = set()  # buckets asked anonymously because no credentials were found


class ObjectStore:
    """The bucket of one URL.

    Credentials and endpoints come from the usual places (environment, configuration files, fsspec's own
    configuration; AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST). When none are found s3 is asked anonymously.

    Raises:
        UsageError: the extra that reads this store is not installed, or the URL names no bucket.
    """

    def __init__(self, url: str, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep) -> None:
        self.scheme = scheme(url)
        self.bucket = bucket_and_key(url)[0]
        self._host = f"{self.scheme}://{self.bucket}"
        self.policy = policy
        self._sleep = sleep
        self._module()

    def exists(self, url: str) -> bool:
        """Say whether there is an object (a folder is none)."""
        ask = _google_exists if self.scheme == "gs" else _simple_exists
        try:
            return self.run(lambda fs: ask(fs, url), url)
        except NoFileError:
            return False

    def glob(self, pattern: str) -> dict[str, StoredFile]:
        """Return the objects that match by URL, sorted; `*`, `?`, `[...]` within a name, `**` for any folders.

        Folder by folder, so that a fault is seen: fsspec's own leaves out what it could not list.
        """
        key = bucket_and_key(pattern)[1]
        return dict(sorted(self._matching(self._host, key.split("/")), key=itemgetter(0)))

    def _matching(self, folder: str, steps: list[str]) -> Iterator[tuple[str, StoredFile]]:
        step, rest = steps[0], steps[1:]
        if not has_magic(step) and rest:
            yield from self._matching(f"{folder}/{step}", rest)
            return
        if step == "**":
            yield from self._matching(folder, rest or ["*"])
        matches = re.compile(translate("*" if step == "**" else step)).fullmatch
        for found, entry in self._entries(folder).items():
            if not matches(found) or (found.startswith(".") and not step.startswith(".")):
                continue
            if entry["type"] == "file":
                if not rest and step != "**":
                    yield f"{folder}/{found}", StoredFile(found, int(entry["size"]), _state(entry))
            elif step == "**":
                yield from self._matching(f"{folder}/{found}", steps)
            elif rest:
                yield from self._matching(f"{folder}/{found}", rest)

    def stat(self, url: str) -> StoredFile:
        """Return size and state of an object.

        Raises:
            UsageError: there is none, or it is a folder.
        """
        info = self.run(lambda fs: fs.info(_key(url)), url)
        if info["type"] != "file":
            raise UsageError(f"{url}: is a folder; name an object")
        return StoredFile(name(url), int(info["size"]), _state(info))

    def list_dir(self, folder: str) -> list[str]:
        """Return the names directly below `folder`, sorted; none if it holds nothing."""
        return sorted(self._entries(folder))

    def list_files(self, folder: str) -> list[StoredFile]:
        """Return the objects directly below `folder`, by name."""
        found = sorted(self._entries(folder).items())
        return [
            StoredFile(name, int(info["size"]), _state(info))
            for name, info in found
            if info["type"] == "file"
        ]

    def _entries(self, folder: str) -> dict[str, dict[str, Any]]:
        path = _key(folder).rstrip("/")
        try:
            entries = self.run(lambda fs: fs.ls(path, detail=True), folder)
        except NoFileError:
            return {}
        named = {entry["name"].rstrip("/").removeprefix(path).lstrip("/"): entry for entry in entries}
        return {name: entry for name, entry in named.items() if name}

    def put(self, local: Path, url: str) -> None:
        """Store a local file at `url`; the object appears whole or not at all."""
        size = local.stat().st_size

        def upload(fs: Any) -> None:
            extra = {"max_concurrency": self.policy.max_per_host} if self.scheme == "s3" else {}
            fs.put_file(os.fspath(local), _key(url), **extra)

        self.run(upload, url)
        if size < _ONE_PUT:
            return
        stored = self.run(lambda fs: fs.info(_key(url)), url)["size"]
        if stored != size:
            raise CrawlmixError(
                f"{url}: {stored} bytes are stored of {size}; another build may write to this place"
            )

    def remove(self, url: str) -> None:
        """Remove an object; one that is not there is no error."""
        try:
            self.run(lambda fs: fs.rm_file(_key(url)), url)
        except NoFileError:
            return

    def run(self, action: Callable[[Any], T], url: str) -> T:
        """Call `action` with the file system, again after transient faults."""
        return with_retries(lambda: self.once(action, url), url, self.policy, self._sleep)

    def once(self, action: Callable[[Any], T], url: str) -> T:
        """Call `action` with the file system while holding one of the bucket's slots; translate what it raises."""
        with slot(self._host, self.policy):
            try:
                return action(self._file_system())
            except Exception as error:
                if not self._lacks_credentials(error):
                    raise translated(error, url, anonymous=self.bucket in _without_credentials) from error
                _without_credentials.add(self.bucket)
            try:
                return action(self._file_system())
            except Exception as error:
                raise translated(error, url, anonymous=True) from error

    def _lacks_credentials(self, error: Exception) -> bool:
        names = {type(cause).__name__ for cause in causes(error)}
        return "NoCredentialsError" in names and self.bucket not in _without_credentials

    def _module(self) -> Any:
        module, extra = _EXTRAS[self.scheme]
        # Read when gcsfs is imported: its newer half first asks for each bucket's layout, which needs an account.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        try:
            return __import__(module)
        except ImportError:
            raise UsageError(
                f"reading {self.scheme}:// needs the {extra} extra: pip install 'crawlmix[{extra}]'"
            ) from None

    def _file_system(self) -> Any:
        """Return fsspec's instance for this process and thread."""
        import fsspec
        from fsspec.config import conf

        policy = self.policy
        settings: dict[str, Any]
        if self.scheme == "gs":
            # An emulator knows no accounts; without this the search for credentials asks for a metadata server.
            emulated = {"token": "anon"} if os.environ.get("STORAGE_EMULATOR_HOST") else {}
            settings = {"use_listings_cache": False} | emulated | conf.get("gs", {})
            return _google_file_system()(**settings)
        settings = dict(conf.get("s3", {}))
        limits = {
            "connect_timeout": policy.connect_timeout,
            "read_timeout": policy.read_timeout,
            "retries": {"total_max_attempts": 1},  # tries are counted here, not in three layers
        }
        settings["config_kwargs"] = limits | settings.get("config_kwargs", {})
        settings["use_listings_cache"] = False
        if self.bucket in _without_credentials:
            settings["anon"] = True
        fs = fsspec.filesystem("s3", **settings)
        fs.retries = 1
        return fs


@cache
def _google_file_system() -> Any:
    """Return the class of gcsfs without its own six tries and the traceback that it logs then: tries are counted here."""
    import fsspec

    logging.getLogger("gcsfs").addHandler(logging.NullHandler())
    base = fsspec.get_filesystem_class("gs")
    return type(
        "GoogleFileSystem", (base,), {"_request": getattr(base._request, "__wrapped__", base._request)}
    )


class StoredObject:
    """One object as a `RangeSource`; a change between two ranges is an error, never mixed bytes."""

    def __init__(self, url: str, store: ObjectStore) -> None:
        self.url = url
        self._store = store
        self._state: dict[str, Any] | None = None

    def size(self) -> int:
        """Return the object's bytes; the first answer also fixes which state of the object is read."""
        if self._state is None:
            state = self._store.once(lambda fs: fs.info(_key(self.url)), self.url)
            if state["type"] != "file":
                raise UsageError(f"{self.url}: is a folder; name an object")
            self._state = state
        return int(self._state["size"])

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes [start, stop); see `RangeSource`."""
        self.size()
        received: list[bytes] = []
        try:
            self._store.once(lambda fs: self._fetch(fs, start, stop, received), self.url)
        except TransientError:
            yield from received
            raise
        except NoFileError:
            raise CrawlmixError(f"{self.url}: the object was replaced or removed while it was read") from None
        yield from received

    def spool(self) -> BinaryIO:
        """Object stores always give ranges."""
        raise CrawlmixError(
            f"{self.url}: this store gives no ranges; fetch the object and name the local copy"
        )

    def _fetch(self, fs: Any, start: int, stop: int, received: list[bytes]) -> None:
        state = self._state or {}
        bucket, key = bucket_and_key(self.url)
        if self._store.scheme == "gs":
            # A generation that was overwritten is no longer there: the answer is 404, never other bytes.
            generation = state.get("generation")
            received.append(fs.cat_file(f"{bucket}/{key}", start=start, end=stop, generation=generation))
            return
        from fsspec.asyn import sync

        request = {"Bucket": bucket, "Key": key, "Range": f"bytes={start}-{stop - 1}"}
        if state.get("ETag"):
            request["IfMatch"] = state["ETag"]
        seconds = self._store.policy.request_timeout
        sync(fs.loop, asyncio.wait_for, _s3_range(fs, request, received), seconds)


def _simple_exists(fs: Any, url: str) -> bool:
    """Ask for the object alone; `info` would go on and list what lies below it."""
    from fsspec.asyn import sync

    bucket, key = bucket_and_key(url)
    if not key:
        return False
    sync(fs.loop, fs._call_s3, "head_object", Bucket=bucket, Key=key)
    return True


def _google_exists(fs: Any, url: str) -> bool:
    return bool(fs.info(_key(url))["type"] == "file")


async def _s3_range(fs: Any, request: dict[str, str], received: list[bytes]) -> None:
    """Collect one range in `received`, so that a cut connection leaves what came before it."""
    answer = await fs._call_s3("get_object", **request)
    body = answer["Body"]
    async with body:  # what it enters differs between versions of aiobotocore, so `body` itself is read
        while chunk := await body.read(256 << 10):
            received.append(chunk)


def _state(info: dict[str, Any]) -> str:
    """What the store calls this state of an object."""
    return str(info.get("generation") or info.get("ETag") or info.get("etag") or "").strip('"')


def _key(url: str) -> str:
    return "/".join(bucket_and_key(url))

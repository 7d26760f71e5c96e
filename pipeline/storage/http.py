"""One object behind http(s): ranges of it, its size, and proof that it is the same object every time."""

import os
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage.paths import HTTP, shown
from pipeline.storage.ranged import NoRangesError, complete
from pipeline.storage.retry import DEFAULT, TRANSIENT_STATUSES, NetworkPolicy, TransientError, slot

_CHUNK = 256 << 10
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# `identity`: offsets are those of the file as stored. A server that sends Content-Encoding all the same (often
# for .gz files) is taken at its bytes; nothing is ever decoded here.
_HEADERS = {"User-Agent": "crawlmix", "Accept": "*/*", "Accept-Encoding": "identity"}

_sessions = threading.local()


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one state of an object from another."""

    etag: str | None
    last_modified: str | None
    size: int | None

    @classmethod
    def of(cls, headers: "requests.structures.CaseInsensitiveDict[str]", size: int | None) -> "Identity":
        """Read it from an answer's headers and the size of the whole object."""
        return cls(headers.get("ETag"), headers.get("Last-Modified"), size)

    def condition(self) -> dict[str, str]:
        """Return the If-Range header; a weak ETag must not stand there (RFC 9110, 13.1.5)."""
        if self.etag and not self.etag.startswith("W/"):
            return {"If-Range": self.etag}
        return {"If-Range": self.last_modified} if self.last_modified else {}

    def differs(self, other: "Identity") -> str | None:
        """Say what differs; what only one side states is not compared."""
        if self.size is not None and other.size is not None and self.size != other.size:
            return f"its size went from {self.size} to {other.size} bytes"
        if self.etag and other.etag:
            same = self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
            return None if same else f"its ETag went from {self.etag} to {other.etag}"
        if self.last_modified and other.last_modified and self.last_modified != other.last_modified:
            return f"its Last-Modified went from {self.last_modified} to {other.last_modified}"
        return None


class HttpObject:
    """An http(s) URL as a `RangeSource`; redirects are followed anew for each range, since signed ones expire."""

    def __init__(self, url: str, policy: NetworkPolicy = DEFAULT) -> None:
        self.url = shown(url)
        self._url = url
        self._policy = policy
        self._identity: Identity | None = None

    def size(self) -> int:
        """Return the size that a request for the first byte reveals."""
        if self._identity is None or self._identity.size is None:
            with self._answer({"Range": "bytes=0-0"}) as answer:
                _check_start(answer, 0)
                total = _total_size(answer)
                if total is None:
                    raise NoRangesError
                self._check(Identity.of(answer.headers, total))
                return total
        return self._identity.size

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes [start, stop); see `RangeSource`."""
        condition = self._identity.condition() if self._identity else {}
        with self._answer({"Range": f"bytes={start}-{stop - 1}", **condition}) as answer:
            last = _check_start(answer, start)
            self._check(Identity.of(answer.headers, _total_size(answer)))
            if answer.status_code == requests.codes.ok:
                raise NoRangesError
            if last is None:
                raise CrawlmixError(
                    f"{self.url}: the server has no byte {start}; the file changed while it was read"
                )
            yield from _body(answer, min(last + 1, stop) - start, self._policy)

    def spool(self) -> BinaryIO:
        """Fetch the whole object into an unnamed file."""
        spool = tempfile.TemporaryFile(prefix="crawlmix-")  # noqa: SIM115  the caller closes it
        try:
            with self._answer({}) as answer:
                for chunk in self._whole(answer):
                    spool.write(chunk)
            spool.seek(0)
        except OSError as error:
            spool.close()
            raise CrawlmixError(
                f"{self.url}: cannot keep it in {tempfile.gettempdir()} ({error.strerror}); the server gives no"
                " ranges, so the file is stored there first: free some space or set TMPDIR"
            ) from error
        except BaseException:
            spool.close()
            raise
        return spool

    def _whole(self, answer: requests.Response) -> Iterator[bytes]:
        if answer.status_code != requests.codes.ok:
            raise CrawlmixError(
                f"{self.url}: answers HTTP {answer.status_code} to a request for the whole file"
            )
        limit = self._policy.max_spool_bytes
        size = _total_size(answer)
        self._check(Identity.of(answer.headers, size))
        body = _body(answer, limit + 1 if size is None else size, self._policy)
        left = limit
        for chunk in body if size is None else complete(body, size):
            left -= len(chunk)
            if left < 0:
                raise CrawlmixError(
                    f"{self.url}: the server gives no ranges and the file is larger than {limit} bytes;"
                    " fetch it once by other means and name the local copy"
                )
            yield chunk

    def exists(self) -> bool:
        """Say whether the server has it."""
        with _request(self._url, {"Range": "bytes=0-0"}, self._policy) as answer:
            if answer.status_code in {requests.codes.not_found, requests.codes.gone}:
                return False
            _refuse(answer, self.url)
            return True

    @contextmanager
    def _answer(self, headers: dict[str, str]) -> Iterator[requests.Response]:
        with _request(self._url, headers, self._policy) as answer:
            _refuse(answer, self.url)
            yield answer

    def _check(self, seen: Identity) -> None:
        if self._identity is None:
            self._identity = seen
            return
        difference = self._identity.differs(seen)
        if difference:
            raise CrawlmixError(f"{self.url}: the file changed while it was read: {difference}; start again")


@contextmanager
def _request(url: str, headers: dict[str, str], policy: NetworkPolicy) -> Iterator[requests.Response]:
    """GET `url`, following redirects, and hold one of the host's slots while the answer is open."""
    target = url
    for _ in range(policy.max_redirects + 1):
        host = urlsplit(target).netloc.rpartition("@")[2].lower()
        with slot(host, policy):
            answer = _get(target, headers, policy)
            try:
                if answer.status_code not in _REDIRECTS:
                    yield answer
                    return
                target = _redirected(target, answer.headers.get("Location"))
            finally:
                answer.close()
    raise CrawlmixError(
        f"{shown(url)}: more than {policy.max_redirects} redirects, the last to {shown(target)}"
    )


def _get(url: str, headers: dict[str, str], policy: NetworkPolicy) -> requests.Response:
    timeouts = (policy.connect_timeout, policy.read_timeout)
    try:
        return _session().get(
            url, headers=_HEADERS | headers, stream=True, allow_redirects=False, timeout=timeouts
        )
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise UsageError(f"{shown(url)}: not a URL that can be asked for ({error})") from error
    except requests.exceptions.RequestException as error:
        raise _fault(error, url) from error


def _session() -> requests.Session:
    """Return this thread's session; a forked child must not share its parent's connections."""
    if getattr(_sessions, "pid", None) != os.getpid():
        _sessions.pid = os.getpid()
        _sessions.session = requests.Session()
    session: requests.Session = _sessions.session
    return session


def _redirected(source: str, location: str | None) -> str:
    if not location:
        raise CrawlmixError(f"{shown(source)}: the server redirects without saying where")
    target = urljoin(source, location)
    before, after = urlsplit(source).scheme.lower(), urlsplit(target).scheme.lower()
    if after not in HTTP or (before, after) == ("https", "http"):
        raise CrawlmixError(
            f"{shown(source)}: redirects from {before}:// to {after}://, which is refused; if you trust it, name"
            " the target in the recipe"
        )
    return target


def _refuse(answer: requests.Response, url: str) -> None:
    """Let through 200, 206 and 416; raise for every other status."""
    status = answer.status_code
    if status in {200, 206, 416}:
        return
    reason = f"HTTP {status} {answer.reason or ''}".strip()
    if status in TRANSIENT_STATUSES:
        raise TransientError(reason, _retry_after(answer.headers.get("Retry-After")))
    if status in {404, 410}:
        raise UsageError(f"{url}: there is no such file ({reason}); check the address in the recipe")
    if status in {401, 403, 407}:
        raise UsageError(
            f"{url}: the server refuses access ({reason}); check the address and your credentials"
        )
    if 400 <= status < 500:
        raise UsageError(f"{url}: the server refuses the request ({reason}); check the address in the recipe")
    raise CrawlmixError(f"{url}: the server answers {reason}, which another try would not change")


def _retry_after(value: str | None) -> float | None:
    """Read Retry-After: seconds or an HTTP date; None when it is neither."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _content_range(answer: requests.Response) -> tuple[int | None, int | None, int | None]:
    """Return first byte, last byte and size of the whole; None for what the server leaves open."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if not match:
        return None, None, None
    first, last, total = match.groups()
    return _number(first), _number(last), _number(total)


def _check_start(answer: requests.Response, start: int) -> int | None:
    """Return the last byte of a partial answer, None for a whole or an empty one; other bytes are a fault."""
    if answer.status_code != requests.codes.partial_content:
        return None
    first, last, _ = _content_range(answer)
    if first != start or last is None or last < start:
        raise TransientError(f"asked for byte {start} on, got `{answer.headers.get('Content-Range')}`")
    return last


def _total_size(answer: requests.Response) -> int | None:
    """Return the size of the whole object; None when the answer does not say."""
    if answer.status_code != requests.codes.ok:
        return _content_range(answer)[2]
    if "Transfer-Encoding" in answer.headers:
        return None
    return _number(answer.headers.get("Content-Length", ""))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and len(text) < 19 else None


def _body(answer: requests.Response, limit: int, policy: NetworkPolicy) -> Iterator[bytes]:
    """Yield at most `limit` bytes of the body as sent; a server slower than the policy allows is a fault."""
    begun = time.monotonic()
    got = 0
    while got < limit:
        try:
            chunk = answer.raw.read1(min(limit - got, _CHUNK), decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _fault(error, answer.url) from error
        if not chunk:
            return
        got += len(chunk)
        yield chunk
        # A read time-out alone lets a server drip one byte a minute for ever.
        if time.monotonic() - begun > policy.request_timeout * (1 + got / policy.block_bytes):
            raise TransientError(f"only {got} bytes in {time.monotonic() - begun:.0f} s")


def _fault(error: BaseException, url: str) -> Exception:
    """Tell faults that may pass from those that another try would not change."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CrawlmixError(f"{shown(url)}: its certificate is not valid ({cause.verify_message})")
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return UsageError(f"{shown(url)}: there is no host of this name; check the address in the recipe")
        if isinstance(cause, TimeoutError | urllib3.exceptions.ReadTimeoutError):
            return TransientError("the server did not answer in time")
    last = list(_causes(error))[-1]
    return TransientError(f"{type(last).__name__}: {last}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        nested = next((item for item in current.args if isinstance(item, BaseException)), None)
        reason = getattr(current, "reason", None)
        current = (
            current.__cause__
            or current.__context__
            or nested
            or (reason if isinstance(reason, BaseException) else None)
        )

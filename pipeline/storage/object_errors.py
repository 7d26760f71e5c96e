"""What the errors of s3fs and gcsfs mean."""

from collections.abc import Iterator

from pipeline.errors import CrawlmixError, NoFileError, UsageError
from pipeline.storage.retry import TRANSIENT_STATUSES, TransientError

# Classes of botocore, aiohttp and fsspec that stand for a connection that failed; told by name, since none of the
# three need be installed.
_CONNECTION_FAULTS = frozenset(
    {
        "HTTPClientError",
        "IncompleteReadError",
        "ResponseStreamingError",
        "ResponseParserError",
        "ClientConnectionError",
        "ClientPayloadError",
        "ClientResponseError",  # of aiohttp: what came is not HTTP
        "FSTimeoutError",
        "TimeoutError",
        "ConnectionError",
        "IncompleteRead",
        "ChecksumError",
    }
)
_LIBRARIES = frozenset({"botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "google"})
_TRANSIENT_CODES = frozenset(
    {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "ThrottlingException"}
)


def translated(error: Exception, url: str, *, anonymous: bool) -> Exception:
    """Return what `error`, of s3fs, gcsfs or what lies below them, is among ours; itself where it is none of theirs."""
    if isinstance(error, CrawlmixError | TransientError):
        return error
    for cause in causes(error):
        status, code, retry_after = _answer(cause)
        if status in {412, 416}:
            return CrawlmixError(f"{url}: the object changed while it was read; start again")
        if status in TRANSIENT_STATUSES or code in _TRANSIENT_CODES:
            return TransientError(f"{code or 'HTTP'} {status or ''}".strip(), retry_after)
        if isinstance(cause, FileNotFoundError) or status == 404:
            return NoFileError(f"{url}: there is no such object or bucket; check the address")
        # gcsfs says 403 in the text alone.
        if isinstance(cause, PermissionError) or status in {401, 403} or str(cause).startswith("Forbidden:"):
            asked = " without credentials, since none were found" if anonymous else ""
            return UsageError(
                f"{url}: the store refuses access{asked} ({code or status or cause}); check the credentials and the address"
            )
        if _CONNECTION_FAULTS & {kind.__name__ for kind in type(cause).__mro__}:
            return TransientError(f"{type(cause).__name__}: {cause}")
    if isinstance(error, OSError | ValueError) or type(error).__module__.partition(".")[0] in _LIBRARIES:
        return CrawlmixError(f"{url}: the store cannot be used: {type(error).__name__}: {error}")
    return error


def _answer(error: BaseException) -> tuple[int | None, str | None, float | None]:
    """Return HTTP status, the store's own code, and Retry-After in seconds, as far as `error` holds them."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore.exceptions.ClientError
        meta = response.get("ResponseMetadata", {})
        wait = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
        code = response.get("Error", {}).get("Code")
        return meta.get("HTTPStatusCode"), code, float(wait) if wait.isdigit() else None
    # Of aiohttp and of gcsfs.retry.HttpError; aiohttp warns of whoever asks it for `code`.
    status = getattr(error, "status", None) or getattr(error, "code", None)
    return (int(str(status)), None, None) if str(status).isdigit() else (None, None, None)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error`, what caused it, what caused that."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__

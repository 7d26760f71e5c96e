"""Lists of files, as Common Crawl publishes them (`warc.paths.gz`), and a fair choice out of them."""

import gzip
import logging
import time
import zlib
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import BinaryIO

import zstandard

from pipeline.errors import UsageError
from pipeline.storage.paths import is_remote, join, resolve, shown
from pipeline.storage.reading import open_input
from pipeline.storage.retry import DEFAULT, NetworkPolicy, Sleep

_MAX_BYTES = 1 << 30  # decompressed; a monthly crawl of 100,000 files has 14 MB
_MAX_LINE = 4096
_PIECE = 64 << 10

_log = logging.getLogger(__name__)


def read_manifest(
    url: str,
    base_url: str | None,
    sample: int | None,
    seed: int,
    *,
    base: str = ".",
    policy: NetworkPolicy = DEFAULT,
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Return the files a manifest lists, in its order, each once.

    Args:
        url: plain, gzip or zstd text, one path a line; empty lines and lines from `#` on are skipped.
        base_url: what each path is joined to: a folder or a URL. None: lines are absolute http(s), s3 or gs URLs,
            or paths beside the manifest.
        sample: how many to choose; None for all. The choice depends on `seed` and the lines alone, and a smaller
            sample is contained in a larger one.
        seed: of the recipe.
        base: the folder of the recipe, where a relative `url` and `base_url` start.
        policy: limits of requests.
        sleep: takes seconds; tests pass their own.

    Raises:
        UsageError: no such manifest, damaged, too long, empty, or a line that leads out of `base_url`; names the line.
    """
    where = resolve(url, base)
    lines = _lines(where, policy, sleep)
    folder = None if base_url is None else resolve(base_url, base)
    files = [_placed(line, number, folder, where) for line, number in lines.items()]
    if not files:
        raise UsageError(f"{shown(where)}: lists no file")
    if sample is None:
        return files
    if sample > len(files):
        _log.warning(
            "%s: a sample of %d was asked for; it lists %d files, all are taken",
            shown(where),
            sample,
            len(files),
        )
        return files
    chosen = _choose(list(lines), sample, seed)
    return [file for file, is_chosen in zip(files, chosen, strict=True) if is_chosen]


def _choose(lines: list[str], count: int, seed: int) -> list[bool]:
    """Mark the `count` lines of smallest hash keyed by `seed`; ties cannot be, since lines differ."""
    key = blake2b(str(seed).encode(), digest_size=32, person=b"crawlmix-sample").digest()
    ranks = {line: blake2b(line.encode(), key=key, digest_size=16).digest() for line in lines}
    chosen = set(sorted(lines, key=lambda line: (ranks[line], line))[:count])
    return [line in chosen for line in lines]


def _placed(line: str, number: int, folder: str | None, manifest: str) -> str:
    place = f"{shown(manifest)}: line {number}"
    if ".." in line.split("/"):
        raise UsageError(f"{place}: `{line[:200]}` contains `..`, which is refused in a manifest")
    if "://" in line:
        if folder is not None:
            raise UsageError(
                f"{place}: `{line[:200]}` is a whole URL, which cannot be joined to base_url; leave base_url out"
            )
        if not line.startswith(("http://", "https://", "s3://", "gs://")):
            raise UsageError(
                f"{place}: `{line[:200]}`: only http://, https://, s3:// and gs:// may stand in a manifest"
            )
        return line
    if line.startswith("/"):
        raise UsageError(f"{place}: `{line[:200]}` is an absolute path, which is refused in a manifest")
    if folder is None and is_remote(manifest):
        raise UsageError(f"{place}: `{line[:200]}` is relative; say what to join it to by base_url")
    return join(folder if folder is not None else str(PurePosixPath(manifest).parent), line)


def _lines(url: str, policy: NetworkPolicy, sleep: Sleep) -> dict[str, int]:
    """Return the lines that name a file, each with the number at which it first stands."""
    found: dict[str, int] = {}
    with open_input(url, policy, sleep) as raw:
        try:
            for number, line in enumerate(_split(_pieces(raw), shown(url)), start=1):
                path = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if path and not path.startswith("#"):
                    found.setdefault(path, number)
        except (EOFError, zlib.error, zstandard.ZstdError, UnicodeDecodeError, OSError) as error:
            raise UsageError(f"{shown(url)}: is damaged or no list of files ({error})") from error
    return found


def _split(pieces: Iterator[bytes], shown_url: str) -> Iterator[bytes]:
    """Yield lines; the last may lack its end."""
    rest = b""
    total = 0
    for piece in pieces:
        total += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        if total > _MAX_BYTES or max(map(len, [rest, *lines])) > _MAX_LINE:
            raise UsageError(f"{shown_url}: has more or longer lines than a list of files")
        yield from lines
    yield rest


def _pieces(raw: BinaryIO) -> Iterator[bytes]:
    """Undo gzip or zstd, told by the first bytes, whatever the name says; a cut end is an error."""
    magic = raw.read(4)
    raw.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return iter(partial(gzip.GzipFile(fileobj=raw).read, _PIECE), b"")
    if magic == b"\x28\xb5\x2f\xfd":
        return _from_zstd(raw)
    return iter(partial(raw.read, _PIECE), b"")


def _from_zstd(raw: BinaryIO) -> Iterator[bytes]:
    """Undo zstd frame by frame: the library's own stream reader takes a cut frame for the end of the file."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    frame = None
    # Small steps bound what one call can unfold: a block of 4 bytes may stand for 128 KiB.
    while piece := raw.read(1024):
        while piece:
            frame = frame or decompressor.decompressobj()
            unfolded = frame.decompress(piece)
            piece = b""
            if frame.eof:
                piece, frame = frame.unused_data, None
            yield unfolded
    if frame is not None:
        raise EOFError("it ends in the middle")

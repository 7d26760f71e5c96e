"""Lists of blocked domains, hosts and URLs as one sorted file of 64-bit hashes, mapped into memory and shared.

Eight bytes an entry: five million domains are 40 MB on disk, and in memory once, however many workers look them up.
With so many entries a look-up is wrong once in 4 million million.
"""

import gzip
import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Literal, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage.paths import is_remote
from pipeline.storage.reading import open_input
from text.buffers import Hashes, text_buffer
from text.hashes import HASH_VERSION
from text.lines import Bools
from text.spans import hash_spans

Kind = Literal["domain", "host", "url"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_UT1_FILES: dict[str, Kind] = {"domains": "domain", "urls": "url"}

# Scheme, user, host: what `re` and RE2 understand alike.
_HOST = r"^(?:[^/?#\\]*//)?(?:[^/?#\\]*@)?(?P<host>\[[^\]/?#\\]*\]?|[^/?#\\:]*)"

_PORT = re.compile(r"^:[0-9]*")

_MAGIC = b"crawlmix blocklist\0"
_HEADER = struct.Struct("<19sBII3Q")  # magic, format, version of the hashes, zero, entries of each kind
_FORMAT = 1
_CHUNK_LINES = 200_000
_MAX_LINE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ListFile:
    """One list to read: a file with an entry a line, local or http(s), plain or .gz; or a folder as of UT1.

    A `domain` blocks itself and all hosts under it, a `host` only itself, a `url` itself and all paths under it. In a
    folder, at any depth, files named `domains` and `urls` are read and others left.
    """

    path: str
    kind: Kind = "domain"


@dataclass(frozen=True, slots=True)
class BlockList:
    """An open block list."""

    path: Path
    tables: dict[Kind, Hashes]  # (n,) each, sorted, mapped from the file

    @classmethod
    def open(cls, path: Path | str) -> "BlockList":
        """Map a block list; once per process and path, however often it is asked for.

        Raises:
            UsageError: missing, damaged, or made by another version.
        """
        return cls(Path(path), _mapped(Path(path)))

    def has(self, kind: Kind) -> bool:
        """Whether it holds any entry of a kind."""
        return len(self.tables[kind]) > 0

    def lists(self, hashes: Hashes, kind: Kind) -> Bools:
        """Say of each hash (of `hash_spans`) whether an entry of the kind has it: (n,) bool."""
        table = self.tables[kind]
        if not len(table):
            return np.zeros(len(hashes), bool)
        # In order, so that neighbours meet the same pages of the table.
        order = np.argsort(hashes)
        found = np.empty(len(hashes), bool)
        asked = hashes[order]
        place = np.minimum(np.searchsorted(table, asked), len(table) - 1)
        found[order] = table[place] == asked
        return found


def build_blocklist(lists: Sequence[ListFile], out: Path | str) -> int:
    """Write the entries of some lists into one block list; returns how many there are.

    Lines may be bare names, hosts-file lines (`0.0.0.0 name`) or URLs; `#` begins a comment. Case, scheme, `www.` of
    URLs, user, port and trailing slashes do not count. The file is the same for the same entries in any order.

    Raises:
        UsageError: a list is missing, holds no entry, or is not text; names it.
    """
    parts: dict[Kind, list[Hashes]] = {kind: [np.zeros(0, np.uint64)] for kind in KINDS}
    for source in lists:
        empty = True
        for path, kind in _files(source):
            for chunk in _chunks(path, kind):
                parts[kind].append(_hashes(chunk))
                empty = False
        if empty:
            raise UsageError(f"{source.path}: no entry to block; expected one {source.kind} a line")
    tables = [np.unique(np.concatenate(parts[kind])) for kind in KINDS]
    target = Path(out)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(_HEADER.pack(_MAGIC, _FORMAT, HASH_VERSION, 0, *map(len, tables)))
            for table in tables:
                file.write(table.astype("<u8").tobytes())
        temporary.replace(target)
    except OSError as error:
        raise CrawlmixError(f"{target}: cannot write the block list ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return sum(map(len, tables))


def host_of(url: str) -> str:
    """Host of a URL or bare name as it is compared: lower case, no user, port or final dot, punycode where it can be."""
    found = re.match(_HOST, url)
    assert found is not None  # every part of the expression may be empty
    host = found["host"].rstrip(".").lower()
    if not host.isascii():
        try:
            # Again without dots at the end: other characters, such as U+2024, become one.
            host = host.encode("idna").decode("ascii").rstrip(".")
        except UnicodeError:
            return host
    return host


def hosts_of(urls: pa.Array) -> pa.Array:
    """`host_of` for n URLs: (n,) large_string."""
    urls = urls.cast(pa.large_string())
    hosts = pc.struct_field(pc.extract_regex(urls, _HOST), "host")
    hosts = pc.ascii_lower(pc.utf8_rtrim(hosts, ".").fill_null(""))
    odd = pc.invert(pc.string_is_ascii(hosts))
    if pc.any(odd).as_py():
        return pc.replace_with_mask(
            hosts, odd, pa.array([host_of(url) for url in urls.filter(odd).to_pylist()], hosts.type)
        )
    return hosts


def address_of(url: str) -> str:
    """Host and path of a URL as they are compared: no scheme, `www.`, port, fragment or final slash."""
    found = re.match(_HOST, url)
    assert found is not None
    path = url[found.end() :].partition("#")[0]
    return f"{host_of(url).removeprefix('www.')}{_PORT.sub('', path)}".rstrip("/")


def _files(source: ListFile) -> Iterator[tuple[str, Kind]]:
    if source.kind not in KINDS:
        raise UsageError(f"{source.path}: unknown kind of list `{source.kind}`; known: {', '.join(KINDS)}")
    if is_remote(source.path) or not Path(source.path).is_dir():
        yield source.path, source.kind
        return
    for path in sorted(Path(source.path).rglob("*")):
        name = path.name.removesuffix(".gz")
        if name in _UT1_FILES and path.is_file():
            yield str(path), _UT1_FILES[name]


def _chunks(path: str, kind: Kind) -> Iterator[list[str]]:
    with open_input(path) as raw:
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw)
        try:
            entries = _entries(stream, kind)
            while chunk := list(islice(entries, _CHUNK_LINES)):
                yield chunk
        except (gzip.BadGzipFile, EOFError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: not a list of names, one a line ({error})") from error


def _entries(lines: IO[bytes], kind: Kind) -> Iterable[str]:
    while line := lines.readline(_MAX_LINE_BYTES):
        fields = line.decode().partition("#")[0].split()
        if fields:
            entry = (
                address_of(fields[-1])
                if kind == "url"
                else host_of(fields[-1]).removeprefix("*.").lstrip(".")
            )
            if entry:
                yield entry


@lru_cache(maxsize=8)
def _mapped(path: Path) -> dict[Kind, Hashes]:
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UsageError(f"{path}: cannot read the block list ({error.strerror})") from error
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise UsageError(f"{path}: not a block list; make one with `build_blocklist`")
    _, version, hash_version, zero, *entries = _HEADER.unpack(header)
    if (version, hash_version, zero) != (_FORMAT, HASH_VERSION, 0):
        raise UsageError(f"{path}: block list of another version; make it again from its lists")
    if size != _HEADER.size + 8 * sum(entries):
        raise UsageError(
            f"{path}: damaged block list: {size} bytes for {sum(entries)} entries; make it again"
        )
    if not sum(entries):
        return {kind: np.zeros(0, np.uint64) for kind in KINDS}
    table = np.memmap(path, np.dtype("<u8"), mode="r", offset=_HEADER.size, shape=(sum(entries),))
    cuts = np.cumsum(entries)[:-1]
    return dict(zip(KINDS, np.split(table, cuts), strict=True))


def _hashes(entries: list[str]) -> Hashes:
    texts = text_buffer(pa.array(entries, pa.large_string()))
    return hash_spans(texts.data, texts.starts, texts.ends)

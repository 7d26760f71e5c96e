"""Finds documents of a workspace by URL, domain or id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dedup.canonical_url import canonical_url
from pipeline.errors import UsageError
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace

Kind = Literal["url", "domain", "id"]

_MAX_LINE = 1 << 16  # characters
_SCHEME = r"^[A-Za-z][A-Za-z0-9+.-]*://"
_HOST = _SCHEME + r"(?:[^/?#]*@)?(?P<host>\[[^\]/?#]*\]|[^/?#:]*)"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list that names documents."""

    kind: Kind
    text: str  # as it was written
    key: str  # canonical URL, host, or id

    @property
    def reason(self) -> str:
        """Say what named a document."""
        return f"{self.kind} {self.text}"


@dataclass(frozen=True, slots=True)
class Found:
    """A document that a line names."""

    source: str
    part: int
    row: int
    id: str
    url: str | None
    line: Line


@dataclass(frozen=True)
class Wanted:
    """Lines to look for."""

    lines: Sequence[Line]

    @classmethod
    def read(
        cls, *, urls: Sequence[Path] = (), domains: Sequence[Path] = (), ids: Sequence[Path] = ()
    ) -> Self:
        """Read lists with an entry a line; blank lines and those that start with `#` are left out.

        URLs are compared in their canonical spelling; one without a scheme is taken for http. A domain stands for
        all its hosts and may be given as `example.org`, `*.example.org` or a URL. Ids are compared exactly.

        Raises:
            UsageError: a file cannot be read, or a line is not what the list should hold; names file and line.
        """
        lines: list[Line] = []
        files: list[tuple[Kind, Path]] = [
            *(("url", path) for path in urls),
            *(("domain", path) for path in domains),
            *(("id", path) for path in ids),
        ]  # fmt: skip
        for kind, path in files:
            lines += _read(kind, path)
        if not lines:
            raise UsageError(f"{', '.join(str(path) for _, path in files)}: no entry; give one a line")
        return cls(lines)

    def find(self, workspace: Workspace) -> Iterator[Found]:
        """Go through all documents of a workspace, whatever their fate, part by part.

        A document that several lines name comes once, with the first of URL, domain and id.
        """
        urls = {line.key: line for line in reversed(self.lines) if line.kind == "url"}
        domains = {line.key: line for line in reversed(self.lines) if line.kind == "domain"}
        ids = {line.key: line for line in reversed(self.lines) if line.kind == "id"}
        hosts = {_host(url) for url in urls}
        for source in list_dir(workspace.path("documents")):
            for part, path in enumerate(part_paths(workspace, "documents", source)):
                with open_input(path) as stream:
                    table = pq.read_table(pa.PythonFile(stream), columns=["id", "url"])
                named = _in(table["id"], ids)
                spelt = _spelt(table["url"])
                of_host = _hosts(spelt)
                chosen = {
                    host
                    for host in pc.unique(of_host).to_pylist()
                    if host is not None and (_same_host(host) in hosts or _domain(_same_host(host), domains))
                }
                candidates = pc.or_(named, _in(of_host, chosen))
                # Of no chunks at all, as a part without rows has them, it ends the process.
                for row in pc.indices_nonzero(candidates.combine_chunks()).to_pylist():
                    name, url, host = table["id"][row].as_py(), spelt[row].as_py(), of_host[row].as_py()
                    line = urls.get(canonical_url(url)) if url else None
                    line = line or (_domain(_same_host(host), domains) if host else None) or ids.get(name)
                    if line:
                        yield Found(source, part, row, name, table["url"][row].as_py(), line)


def part_paths(workspace: Workspace, table: str, source: str) -> list[str]:
    """Paths of the parts of a table that are there, in order."""
    names = list_dir(workspace.path(table, source))
    count = sum(name.startswith("part-") and name.endswith(".parquet") for name in names)
    return [workspace.part(table, source, index) for index in range(count)]


def _read(kind: Kind, path: Path) -> list[Line]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: not UTF-8 at byte {error.start}; expected text with an entry a line"
        ) from None
    lines = []
    for number, raw in enumerate(text.split("\n"), 1):
        entry = raw.strip()
        if not entry or entry.startswith("#"):
            continue
        if len(entry) > _MAX_LINE:
            raise UsageError(f"{path}:{number}: {len(entry):,} characters; expected one {kind}")
        key = entry
        if kind == "url":
            key = canonical_url(_with_scheme(entry))
        elif kind == "domain":
            key = _host(canonical_url(_with_scheme(entry.removeprefix("*."))))
            if ("." not in key and ":" not in key) or any(character in key for character in " *"):
                raise UsageError(
                    f"{path}:{number}: `{entry[:80]}` is no domain; expected one such as example.org"
                )
        lines.append(Line(kind, entry, key))
    return lines


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _spelt(urls: pa.ChunkedArray) -> pa.ChunkedArray:
    """URLs without the characters that `canonical_url` drops, and with a scheme."""
    clean = pc.replace_substring_regex(urls, r"[\x00-\x20\x7f]+", "")
    http = pc.binary_join_element_wise("http://", clean, "")
    return pc.if_else(pc.match_substring(clean, "://"), clean, http)


def _hosts(urls: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.struct_field(pc.extract_regex(urls, _HOST), "host")


def _in(values: pa.ChunkedArray, wanted: "dict[str, Line] | set[str]") -> pa.ChunkedArray:
    return pc.is_in(values, value_set=pa.array(sorted(wanted), pa.string()))


def _same_host(host: str) -> str:
    """Spell a host as canonical URLs do."""
    return _host(canonical_url(f"http://{host}/"))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _domain(host: str, domains: dict[str, Line]) -> Line | None:
    """The line of the host itself or of the nearest domain above it."""
    while host:
        if host in domains:
            return domains[host]
        host = host.partition(".")[2]
    return None

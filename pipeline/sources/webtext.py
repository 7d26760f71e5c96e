"""WebText: which pages of a crawl somebody linked to.

Joins are of packed arrays: a page's address is spelled canonically, hashed to 64 bits, found in the sorted hashes of
the links, and the addresses themselves are compared, so a hash that two of them share decides nothing.
"""

from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dedup.canonical_url import canonical_url
from pipeline.errors import UsageError
from pipeline.sources.reddit import LINKS
from text.buffers import Hashes
from text.hashes import hash_strings

_VERSION: Final = b"1"
_VERSION_KEY: Final = b"crawlmix.links"


@dataclass(frozen=True, slots=True)
class Matches:
    """For n pages: (n,) bool whether somebody linked to it, and (n,) int64 the link's row, -1 if nobody did."""

    mask: npt.NDArray[np.bool_]
    row: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LinkTable:
    """Distinct links sorted by hash: m rows of schema `pipeline.sources.reddit.LINKS`."""

    table: pa.Table
    hashes: Hashes

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Take a table as `read_links` makes it."""
        table = table.combine_chunks()
        return cls(table, table["url_hash"].to_numpy())

    @classmethod
    def read(cls, stream: BinaryIO, name: str) -> Self:
        """Read the file that `write_links` made.

        Raises:
            UsageError: it is no such file; names it.
        """
        try:
            table = pq.read_table(stream)
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{name}: no Parquet file ({' '.join(str(error).split())[:200]})") from error
        if (table.schema.metadata or {}).get(_VERSION_KEY) != _VERSION or not table.schema.equals(LINKS):
            raise UsageError(f"{name}: no table of links; make one with `crawlmix webtext links`")
        links = cls.of(table)
        if np.any(links.hashes[1:] < links.hashes[:-1]):
            raise UsageError(f"{name}: its links are not sorted; make it again with `crawlmix webtext links`")
        return links

    def match(self, urls: pa.Array | pa.ChunkedArray) -> Matches:
        """Find the links to pages.

        Args:
            urls: (n,) strings as the crawl has them; null for a page without address, which nobody linked to.
        """
        spelled = pa.array(
            [None if url is None else canonical_url(url) for url in urls.to_pylist()], pa.string()
        )
        row = np.full(len(spelled), -1, np.int64)
        if len(self.hashes) == 0 or len(spelled) == 0:
            return Matches(row >= 0, row)
        hashed = hash_strings(spelled)
        candidate = np.searchsorted(self.hashes, hashed)
        known = self.table["canonical_url"].combine_chunks()
        undecided = np.flatnonzero(spelled.is_valid().to_numpy(zero_copy_only=False))
        while len(undecided):
            # Links that share a hash follow each other: one round for each of them, nearly always one in all.
            at = candidate[undecided]
            inside = at < len(self.hashes)
            undecided, at = undecided[inside], at[inside]
            same_hash = self.hashes[at] == hashed[undecided]
            undecided, at = undecided[same_hash], at[same_hash]
            same = pc.equal(known.take(pa.array(at)), spelled.take(pa.array(undecided))).to_numpy(
                zero_copy_only=False
            )
            row[undecided[same]] = at[same]
            undecided = undecided[~same]
            candidate[undecided] += 1
        return Matches(row >= 0, row)

    def metadata(self, matches: Matches) -> pa.Table:
        """Return `score`, `month` and `submissions` of each page's link, (n,) with nulls where there is none."""
        rows = pa.array(matches.row, mask=~matches.mask)
        return self.table.select(["score", "month", "submissions"]).take(rows)


def write_links(table: pa.Table, sink: Any) -> None:
    """Write links as Parquet to a path or a file open for writing; the same links give the same bytes."""
    marked = table.replace_schema_metadata({_VERSION_KEY: _VERSION})
    pq.write_table(marked, sink, compression="zstd", row_group_size=1 << 20)

"""Reddit submission dumps to the links that WebText is made of.

Source of the rule: Radford et al. 2019, section 2.1 (outbound links with at least 3 karma), as WebText2 in Brown et
al. 2020 and OpenWebText apply it. Who wrote a submission is never read.
"""

import html
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.canonical_url import MAX_CHARS, canonical_url
from pipeline.sources.dump_lines import dump_lines
from pipeline.sources.link_hosts import MEDIA_ENDINGS, MEDIA_HOSTS, OWN_HOSTS, SHORT_HOSTS
from pipeline.sources.record import Skipped
from pipeline.sources.stored import StoredBytes
from text.hashes import hash_strings

MIN_SCORE: Final = 3

LINKS: Final = pa.schema(
    [
        ("url_hash", pa.uint64()),  # text.hashes.hash_strings of `canonical_url`
        ("canonical_url", pa.string()),
        ("url", pa.string()),  # as the best submission spells it
        ("score", pa.int32()),  # of the best submission
        ("month", pa.string()),  # of the best submission: YYYY-MM
        ("submissions", pa.int32()),  # with at least the least score
    ]
)

_MAX_LINE: Final = 4 << 20  # bytes; a self post has 40,000 characters
_BATCH: Final = 65_536
_COMPACT_ROWS: Final = 2_000_000  # held before copies of a link are put together


@dataclass(slots=True)
class LinkCounts:
    """What became of each submission; all but `submissions`, `skipped` and `months` sum to `submissions`."""

    submissions: int = 0
    bad_record: int = 0  # no JSON object, or no score or time in it
    self_post: int = 0
    no_url: int = 0  # none, or no http address
    low_score: int = 0
    own_site: int = 0
    media: int = 0
    short_link: int = 0
    duplicate: int = 0  # of a link that is kept, or was better elsewhere
    kept: int = 0
    skipped: list[dict[str, Any]] = field(default_factory=list)  # bytes of the dumps that could not be read
    months: dict[str, int] = field(default_factory=dict)  # kept links by month

    def rest(self) -> int:
        """Return submissions that have no fate: 0, or there is a bug."""
        fates = (
            "bad_record",
            "self_post",
            "no_url",
            "low_score",
            "own_site",
            "media",
            "short_link",
            "duplicate",
            "kept",
        )
        return self.submissions - sum(int(getattr(self, name)) for name in fates)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts for a ledger."""
        return asdict(self)


def read_links(
    dumps: Iterable[tuple[str, StoredBytes]], *, min_score: int = MIN_SCORE
) -> tuple[pa.Table, LinkCounts]:
    """Read dumps, JSON lines of any compression, into one table of distinct links.

    Args:
        dumps: a name for messages and the file, for each.
        min_score: least score of a submission whose link counts.

    Returns:
        A table of schema `LINKS`, sorted by hash and address, and the counts.
    """
    counts = LinkCounts()
    table = LINKS.empty_table()
    pending: list[pa.RecordBatch] = []
    rows = linked = 0
    for name, stored in dumps:
        for batch in _batches(_links(name, stored, min_score, counts)):
            pending.append(batch)
            rows += batch.num_rows
            linked += batch.num_rows
            if rows >= _COMPACT_ROWS:
                table, pending, rows = (
                    best_links(pa.Table.from_batches([*table.to_batches(), *pending])),
                    [],
                    0,
                )
    table = best_links(pa.Table.from_batches([*table.to_batches(), *pending], LINKS))
    counts.kept = table.num_rows
    counts.duplicate = linked - table.num_rows
    months = pc.value_counts(table["month"]).to_pylist()
    counts.months = {
        item["values"]: item["counts"] for item in sorted(months, key=lambda item: item["values"])
    }
    return table, counts


def count_lines(counts: LinkCounts) -> list[str]:
    """Write the counts for people, one step a line."""
    words = {
        "submissions": "submissions",
        "bad_record": "- no submission",
        "self_post": "- self posts",
        "no_url": "- without an http address",
        "low_score": "- score too low",
        "own_site": "- links to Reddit",
        "media": "- pictures, film, sound, downloads",
        "short_link": "- shortened links",
        "duplicate": "- of a link counted already",
        "kept": "= links",
    }
    lines = [f"{getattr(counts, name):>13,}  {word}" for name, word in words.items()]
    return lines + [f"{number:>13,}    {month}" for month, number in counts.months.items()]


def best_links(links: pa.Table) -> pa.Table:
    """Put rows of one link together: the best score, of equals the earliest month, then the first spelling."""
    if links.num_rows == 0:
        return LINKS.empty_table()
    keys = [
        ("url_hash", "ascending"),
        ("canonical_url", "ascending"),
        ("score", "descending"),
        ("month", "ascending"),
        ("url", "ascending"),
    ]
    links = links.take(pc.sort_indices(links, keys)).combine_chunks()
    urls = links["canonical_url"].combine_chunks()
    first = np.ones(links.num_rows, np.bool_)
    first[1:] = pc.not_equal(urls.slice(1), urls.slice(0, len(urls) - 1)).to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(first)
    submissions = np.add.reduceat(links["submissions"].to_numpy(), starts)
    best = links.take(pa.array(starts))
    return best.set_column(
        LINKS.get_field_index("submissions"), LINKS.field("submissions"), pa.array(submissions, pa.int32())
    )


def _links(name: str, stored: StoredBytes, min_score: int, counts: LinkCounts) -> Iterator[dict[str, Any]]:
    for line in dump_lines(stored, max_line=_MAX_LINE):
        if isinstance(line, Skipped):
            counts.skipped.append({"file": name, **asdict(line)})
        elif line.strip():
            counts.submissions += 1
            fate = submission_link(line, min_score=min_score)
            if isinstance(fate, str):
                setattr(counts, fate, getattr(counts, fate) + 1)
            else:
                yield fate


def submission_link(line: bytes, *, min_score: int) -> dict[str, Any] | str:
    """Return the link of one submission (`canonical_url`, `url`, `score`, `month`), or the count it belongs to."""
    try:
        submission = json.loads(line)
        score, created = int(submission["score"]), int(submission["created_utc"])
        month = time.strftime("%Y-%m", time.gmtime(created))
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return "bad_record"
    if submission.get("is_self") or str(submission.get("domain") or "").startswith("self."):
        return "self_post"
    url = submission.get("url")
    if not isinstance(url, str) or not url or len(url) > MAX_CHARS:
        return "no_url"
    # Reddit's interface gives addresses with `&` as markup.
    url = url.strip().replace("&amp;", "&") if "&amp;" in url else url.strip()
    canonical = canonical_url(url.encode("utf-8", "replace").decode())
    host = _host(canonical)
    if not host:
        return "no_url"
    if not -(2**31) <= score < 2**31:
        return "bad_record"
    if score < min_score:
        return "low_score"
    if _among(host, OWN_HOSTS):
        return "own_site"
    if _among(host, MEDIA_HOSTS) or canonical.partition("?")[0].lower().endswith(MEDIA_ENDINGS):
        return "media"
    if _among(host, SHORT_HOSTS):
        return "short_link"
    return {
        "canonical_url": canonical,
        "url": html.unescape(url) if "&#" in url else url,
        "score": score,
        "month": month,
    }


def _host(url: str) -> str:
    if not url.startswith("http://"):  # what `canonical_url` could read begins so
        return ""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _among(host: str, hosts: frozenset[str]) -> bool:
    """Say whether a host or a domain above it is in a list."""
    while host:
        if host in hosts:
            return True
        host = host.partition(".")[2]
    return False


def _batches(links: Iterator[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, Any]] = []
    for link in links:
        rows.append(link)
        if len(rows) == _BATCH:
            yield _batch(rows)
            rows = []
    if rows:
        yield _batch(rows)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    urls = pa.array([row["canonical_url"] for row in rows], pa.string())
    columns = [
        pa.array(hash_strings(urls), pa.uint64()),
        urls,
        pa.array([row["url"] for row in rows], pa.string()),
        pa.array([row["score"] for row in rows], pa.int32()),
        pa.array([row["month"] for row in rows], pa.string()),
        pa.array(np.ones(len(rows), np.int32)),
    ]
    return pa.record_batch(columns, schema=LINKS)

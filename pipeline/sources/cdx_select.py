"""Filters over an index, and the byte ranges that reading what they leave takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError
from pipeline.sources.cdx import CAPTURES
from pipeline.sources.webtext import LinkTable

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
# ISO 639-1 to the ISO 639-3 codes that the crawl's language detector (CLD2) gives.
_CODES: Final = dict(
    pair.split(":")
    for pair in [
        "af:afr",
        "ar:ara",
        "az:aze",
        "be:bel",
        "bg:bul",
        "bn:ben",
        "bs:bos",
        "ca:cat",
        "cs:ces",
        "cy:cym",
        "da:dan",
        "de:deu",
        "el:ell",
        "en:eng",
        "eo:epo",
        "es:spa",
        "et:est",
        "eu:eus",
        "fa:fas",
        "fi:fin",
        "fr:fra",
        "ga:gle",
        "gl:glg",
        "gu:guj",
        "he:heb",
        "hi:hin",
        "hr:hrv",
        "hu:hun",
        "hy:hye",
        "id:ind",
        "is:isl",
        "it:ita",
        "ja:jpn",
        "ka:kat",
        "kk:kaz",
        "km:khm",
        "kn:kan",
        "ko:kor",
        "ky:kir",
        "la:lat",
        "lo:lao",
        "lt:lit",
        "lv:lav",
        "mk:mkd",
        "ml:mal",
        "mn:mon",
        "mr:mar",
        "ms:msa",
        "my:mya",
        "ne:nep",
        "nl:nld",
        "nn:nno",
        "no:nor",
        "pa:pan",
        "pl:pol",
        "ps:pus",
        "pt:por",
        "ro:ron",
        "ru:rus",
        "si:sin",
        "sk:slk",
        "sl:slv",
        "sq:sqi",
        "sr:srp",
        "sv:swe",
        "sw:swa",
        "ta:tam",
        "te:tel",
        "tg:tgk",
        "th:tha",
        "tl:tgl",
        "tr:tur",
        "uk:ukr",
        "ur:urd",
        "uz:uzb",
        "vi:vie",
        "yi:yid",
        "zh:zho",
        "zu:zul",
    ]
)
_DIGITS: Final = {4, 6, 8, 14}


@dataclass(frozen=True, slots=True)
class IndexFilter:
    """What a capture must be; a filter that is None or empty lets all pass.

    A capture whose language the index does not know passes: indexes before August 2018 have none, and the language
    is found again in the text. Its most likely language counts.
    """

    languages: frozenset[str] = frozenset()  # ISO 639-1 or 639-3
    statuses: frozenset[int] = frozenset({200})
    media_types: frozenset[str] = _HTML
    domains: frozenset[str] = frozenset()  # and all hosts below them
    first_date: str | None = None  # digits of a time: YYYY, YYYYMM, YYYYMMDD or YYYYMMDDhhmmss; inclusive
    last_date: str | None = None  # inclusive: `2019` is all of that year
    links: LinkTable | None = None  # pages that somebody linked to

    def __post_init__(self) -> None:
        for code in self.languages:
            if len(code) == 2 and code not in _CODES:
                raise UsageError(
                    f"index: language `{code}` has no three-letter code here; write that (ISO 639-3)"
                )
        for date in (self.first_date, self.last_date):
            if date is not None and not (date.isascii() and date.isdigit() and len(date) in _DIGITS):
                raise UsageError(
                    f"index: `{date}` is no date; write YYYY, YYYYMM, YYYYMMDD or YYYYMMDDhhmmss"
                )


@dataclass(slots=True)
class SelectCounts:
    """What became of each capture, by the first filter that removed it; all sum to `captures`."""

    captures: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    duplicate: int = 0  # the same place in the same file again
    selected: int = 0


def select(batches: Iterable[pa.RecordBatch], keep: IndexFilter, counts: SelectCounts) -> pa.Table:
    """Return the captures that pass, schema `CAPTURES`, sorted by file and offset, each place once."""
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        counts.captures += batch.num_rows
        for name, mask in _masks(batch, keep):
            passed = batch.filter(mask)
            counts.removed[name] = counts.removed.get(name, 0) + batch.num_rows - passed.num_rows
            batch = passed  # noqa: PLW2901 - the next filter sees what this one left
        kept.append(batch)
    table = pa.Table.from_batches(kept, CAPTURES)
    keys = [(name, "ascending") for name in ("filename", "offset", "length", "url")]
    table = table.take(pc.sort_indices(table, keys)).combine_chunks()
    if table.num_rows:
        offsets = table["offset"].to_numpy()
        first = np.ones(table.num_rows, np.bool_)
        first[1:] = offsets[1:] != offsets[:-1]
        first[1:] |= _changes(table["filename"])
        counts.duplicate += int(np.count_nonzero(~first))
        table = table.filter(pa.array(first))
    counts.selected += table.num_rows
    return table


def _changes(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    values = column.combine_chunks()
    changed: npt.NDArray[np.bool_] = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)).to_numpy(
        zero_copy_only=False
    )
    return changed


def _masks(batch: pa.RecordBatch, keep: IndexFilter) -> Iterator[tuple[str, pa.Array]]:
    """Yield each filter's name and its mask of the rows that the filters before it left, cheap ones first."""
    table = _Rows(batch)
    if keep.statuses:
        yield table.left("status", table.among("status", keep.statuses))
    if keep.media_types:
        yield table.left("mime", table.among("mime", keep.media_types))
    if keep.languages:
        codes = {_CODES.get(code, code) for code in keep.languages}
        first = pc.utf8_slice_codeunits(table.rows["languages"], 0, 3)
        wanted = pc.is_in(first, pa.array(sorted(codes), pa.string()))
        yield table.left("language", pc.or_(wanted, pc.fill_null(pc.equal(first, ""), pa.scalar(True))))
    if keep.first_date or keep.last_date:
        lowest = (keep.first_date or "").ljust(14, "0")
        highest = (keep.last_date or "").ljust(14, "9")
        times = table.rows["timestamp"]
        within = pc.and_(pc.greater_equal(times, lowest), pc.less_equal(times, highest))
        yield table.left("date", pc.fill_null(within, fill_value=False))
    if keep.domains:
        yield table.left("domain", table.in_domains(keep.domains))
    if keep.links is not None:
        yield table.left("url", pa.array(keep.links.match(table.rows["url"]).mask))


class _Rows:
    """Rows that are left, and what filters ask of them."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.rows = batch

    def left(self, name: str, mask: pa.Array) -> tuple[str, pa.Array]:
        self.rows = self.rows.filter(mask)
        return name, mask

    def among(self, column: str, values: frozenset[str] | frozenset[int]) -> pa.Array:
        field_type = self.rows.schema.field(column).type
        return pc.is_in(self.rows[column], pa.array(sorted(values), field_type))

    def in_domains(self, domains: frozenset[str]) -> pa.Array:
        mask = [_below(url, domains) for url in self.rows["url"].to_pylist()]
        return pa.array(mask, pa.bool_())


def _below(url: str | None, domains: frozenset[str]) -> bool:
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return False
    host = host.rstrip(".")
    while host:
        if host in domains:
            return True
        host = host.partition(".")[2]
    return False


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one file that are read together: rows [first, stop) of a selection."""

    filename: str
    start: int  # bytes
    end: int
    first: int
    stop: int


def runs(selection: pa.Table, *, gap: int = 64 << 10, max_bytes: int = 8 << 20) -> list[Run]:
    """Put neighbours together, so that a request is not made for each record.

    Args:
        selection: as `select` returns it.
        gap: bytes between two records that are cheaper read than asked for separately.
        max_bytes: of a run, unless a single record is longer.
    """
    found: list[Run] = []
    names = selection["filename"].to_pylist()
    offsets = selection["offset"].to_pylist()
    lengths = selection["length"].to_pylist()
    for row, (name, offset, length) in enumerate(zip(names, offsets, lengths, strict=True)):
        end = offset + length
        last = found[-1] if found else None
        if (
            last
            and last.filename == name
            and offset - last.end <= gap
            and max(end, last.end) - last.start <= max_bytes
        ):
            found[-1] = Run(name, last.start, max(end, last.end), last.first, row + 1)
        else:
            found.append(Run(name, offset, end, row, row + 1))
    return found

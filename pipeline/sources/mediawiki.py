"""MediaWiki XML dumps: every page a record, articles with their plain text.

Source of the format: https://www.mediawiki.org/wiki/Help:Export, schema versions 0.3 to 0.11.
"""

from collections.abc import Iterator
from typing import Final

from pipeline.sources.bzip2_blocks import MAGIC, Block, Bzip2Blocks
from pipeline.sources.mediawiki_page import BadPageError, Site, fill_article, parse_page, parse_site
from pipeline.sources.mediawiki_scan import PageScan, RawPage
from pipeline.sources.record import FileRange, Record, Skipped
from pipeline.sources.stored import PLAIN_STEP, StoredBytes
from pipeline.sources.streams import InflatedFile

_HEADER_BYTES: Final = 1 << 20  # where <siteinfo> ends, at the latest
_MARKUP_BYTES: Final = 1 << 20  # of a page beside its text
_ESCAPE: Final = 6  # bytes that XML may spell a byte of text with: `&quot;`


class MediaWikiReader:
    """Reads the pages that begin in a byte range of a dump, plain or compressed; implements `Reader`.

    A page of a plain file has its own offset and length. bzip2 is read by blocks, in any number of streams: a page
    has the offset of the block in which it begins and an index among the pages that begin there, and its length
    reaches to the end of the block in which it ends. gzip, zstd and LZ4 are read whole by the range that begins at
    0, and all records have offset 0.

    An article's `text` is the plain text of its last revision, `id` the database's name and the page's number
    (`enwiki:12`), `url` where the wiki shows it. Rules: `redirect`, `namespace` (other than 0), `disambiguation`,
    `content_model` (not wikitext), `too_large`, `too_deep`, `no_text` (removed); `bad_xml` (no well-formed page, an
    entity that XML does not define among others), `cut_page` (the dump ends or is damaged inside it), `xml_dtd` (a
    document type before the first page; what it declares is used for no page).
    """

    def __init__(self, file_range: FileRange) -> None:
        self._range = file_range
        self._max_bytes = file_range.selection.max_bytes
        self.first_offset: int | None = None
        self.next_offset = file_range.start

    def __iter__(self) -> Iterator[Record | Skipped]:
        given = self._range
        stored = StoredBytes(given.stream, given.size)
        end = given.size if given.end is None else min(given.end, given.size)
        self.next_offset = max(given.start, end)
        if given.start >= end:
            return
        compressed = InflatedFile(stored).compressed
        if compressed and given.start > 0:
            return
        site = parse_site(_header(stored))
        if site.has_dtd and given.start == 0:
            detail = (
                "the dump declares a document type, which no dump of MediaWiki does; nothing of it is used"
            )
            yield Record(0, fate="failed", rule="xml_dtd", detail=detail)
        plain = not compressed and stored.read(0, 3) != MAGIC
        scan = PageScan(
            _pieces(stored, given.start),
            end=end,
            limit=_ESCAPE * self._max_bytes + _MARKUP_BYTES,
            plain=plain,
            whole=given.start == 0,
        )
        last, index = (0, 0) if site.has_dtd and given.start == 0 else (-1, 0)
        for item in scan:
            if isinstance(item, Skipped):
                yield item
                continue
            index = index + 1 if item.offset == last else 0
            last = item.offset
            yield self._record(item, site, index)
        self.first_offset = scan.first_offset
        if scan.first_offset is not None:
            self.next_offset = stored.size if scan.next_offset is None else scan.next_offset

    def _record(self, raw: RawPage, site: Site, index: int) -> Record:
        record = Record(raw.offset, length=raw.end - raw.offset, index=index)
        try:
            page = parse_page(raw.xml)
        except BadPageError as error:
            record.fate, record.rule, record.detail = "failed", "bad_xml", str(error)
            page = error.page
        if raw.problem == "cut_page":
            record.fate, record.rule = "failed", "cut_page"
            record.detail = "the dump ends or is damaged inside this page"
        elif raw.problem == "too_large":
            record.fate, record.rule = "removed", "too_large"
            record.detail = f"a page of more than {_ESCAPE * self._max_bytes + _MARKUP_BYTES} bytes of XML"
        fill_article(record, page, site, max_bytes=self._max_bytes)
        return record


def _pieces(stored: StoredBytes, start: int) -> Iterator[Block | Skipped]:
    """Yield the contents from the byte `start` of the file on; what is compressed whole is one piece in place."""
    if stored.read(0, 3) == MAGIC:
        yield from Bzip2Blocks(stored, start)
        return
    inflated = InflatedFile(stored)
    if inflated.compressed:
        for data in inflated:
            yield Block(0, stored.size, data)
        if inflated.lost:
            yield inflated.lost
        return
    while data := stored.read(start, PLAIN_STEP):
        yield Block(start, start + len(data), data)
        start += len(data)


def _header(stored: StoredBytes) -> bytes:
    """Return what precedes the first page."""
    header = b""
    for piece in _pieces(stored, 0):
        if isinstance(piece, Skipped):
            break
        header += piece.data
        found = header.find(b"<page>")
        if found >= 0 or len(header) >= _HEADER_BYTES:
            return header[: found if found >= 0 else _HEADER_BYTES]
    return header

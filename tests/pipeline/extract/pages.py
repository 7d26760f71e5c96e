"""Pages for the tests of this folder: real ones where they lie, hostile ones made on the spot."""

from functools import cache
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType

from pipeline.extract.page import Page
from tests.shared_data import shared


def read_pages(path: Path) -> list[Page]:
    """Read the responses of a WARC file."""
    found = []
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
            mime, _, parameters = record.http_headers.get("Content-Type", "").partition(";")
            charset = parameters.partition("charset=")[2].partition(";")[0] or None
            truncated = "WARC-Truncated" in record.headers
            found.append(Page(record.reader.read(), charset, mime.strip().lower() or None, (), truncated))
    return found


@cache
def small_crawl() -> tuple[Page, ...]:
    """155 real pages."""
    return tuple(read_pages(shared("crawl/small/small-00000.warc.gz")))


ARTICLE = Page(
    b"<html><head><title> Bread \n and  salt </title></head><body><nav><a href=/>Home</a></nav><main><h1>Bread</h1>"
    b"<p>Bread is made of flour, water, salt and patience, and it is eaten on every day of the year.</p>"
    b"<p>The crust keeps it for a week; a good oven and a stone make the crust.</p></main></body></html>"
)
ENDLESS_DEPTH = 100_000


def nested(depth: int) -> Page:
    """A page whose elements lie in one another."""
    return Page(b"<div>" * depth + b"deep" + b"</div>" * depth)

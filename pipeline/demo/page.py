"""A page of the sample's crawl as a server would send it, and what is known about it."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a server, with what a reader should find in it.

    `text` is what the page has to say, without what its site says everywhere; empty where there is nothing to
    keep. `of` names the document that this one is a copy of: a URL of the crawl or an id of webtext2.
    """

    kind: str
    url: str
    body: bytes  # the payload as the archive stores it: with codings, if the headers announce any
    text: str = ""
    language: str = "en"
    status: str = "200 OK"
    mime: str = "text/html"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),)
    truncated: str | None = None
    of: str | None = None
    detail: str | None = None

    @property
    def id(self) -> str:
        """The record's id, without the angle brackets; derived from the URL alone."""
        return f"urn:uuid:{uuid5(NAMESPACE_URL, self.url)}"

    @property
    def host(self) -> str:
        """The URL's host name."""
        return self.url.split("/")[2]

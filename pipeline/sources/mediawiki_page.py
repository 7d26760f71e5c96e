"""One page of a MediaWiki dump: its XML read without any document type, its text made plain."""

import html
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from xml.parsers import expat

from pipeline.sources.mediawiki_disambiguation import is_disambiguation
from pipeline.sources.record import Record
from pipeline.sources.wikitext import plain_text
from pipeline.sources.wikitext_brackets import MAX_NESTING
from pipeline.sources.wikitext_links import LinkNames

_MAX_DEPTH: Final = 32  # a page's elements are four deep
_MAX_SHORT: Final = 4096  # characters of a title, date or number
_SHORT: Final = frozenset(
    {"page/title", "page/ns", "page/id", "page/revision/timestamp", "page/revision/model"}
)
_TEXT: Final = "page/revision/text"
_DTD: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_NAMESPACE: Final = re.compile(
    r'<namespace\b[^<>]{0,200}?\bkey="(-?\d{1,6})"[^<>]{0,200}>([^<]{1,200})</namespace>'
)
_SITE: Final = re.compile(rb"<siteinfo\s*>.*?</siteinfo\s*>", re.DOTALL)
_REDIRECT: Final = re.compile(r"\s*#\s?(?:redirect|weiterleitung|redirection|redirecci\u00f3n|rinvia|redirecionamento)\b", re.IGNORECASE)  # fmt: skip


@dataclass(slots=True)
class Page:
    """What a dump says of a page."""

    title: str = ""
    namespace: str = "0"  # a number; dumps before version 0.6 have none
    number: str = ""
    redirect: bool = False
    timestamp: str = ""
    model: str = ""
    text: str = ""


@dataclass(slots=True, frozen=True)
class Site:
    """What a dump says of its wiki before the first page."""

    database: str = ""
    folder: str = ""  # address that titles are appended to
    names: LinkNames = field(default_factory=LinkNames)
    has_dtd: bool = False


class BadPageError(Exception):
    """The page is no well-formed XML; `page` holds what was read before the fault."""

    def __init__(self, message: str, page: Page) -> None:
        super().__init__(message)
        self.page = page


class _Elements:
    """Handlers of expat that collect the few elements asked for, by path."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._path: list[str] = []
        self._key = ""
        self.found: dict[str, list[str]] = {}
        self.seen: set[str] = set()

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self._path) >= _MAX_DEPTH:
            raise expat.ExpatError("elements nested too deeply")
        self._path.append(name)
        self._key = "/".join(self._path)
        self.seen.add(self._key)
        if self._key in self._wanted:
            self.found[self._key] = []  # of several revisions the last one counts

    def end(self, _name: str) -> None:
        self._path.pop()
        self._key = "/".join(self._path)

    def data(self, text: str) -> None:
        if self._key in self._wanted:
            self.found[self._key].append(text)

    def read(self, xml: bytes) -> str:
        """Parse a whole document; return what is wrong with it, or nothing."""
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler = self.data
        try:
            parser.Parse(xml, True)
        except expat.ExpatError as error:
            return str(error)
        return ""

    def text(self, key: str) -> str:
        joined = "".join(self.found.get(key, ()))
        return joined if key == _TEXT else joined[:_MAX_SHORT].strip()


def parse_page(xml: bytes) -> Page:
    """Read the XML from `<page>` to `</page>`.

    The document begins with its root element, so it can declare no entities, and those of XML itself are all that
    the parser knows.

    Raises:
        BadPageError: it is not well-formed.
    """
    elements = _Elements(_SHORT | {_TEXT})
    problem = elements.read(xml)
    page = Page(
        title=elements.text("page/title"),
        namespace=elements.text("page/ns") or "0",
        number=elements.text("page/id"),
        redirect="page/redirect" in elements.seen,
        timestamp=elements.text("page/revision/timestamp"),
        model=elements.text("page/revision/model"),
        text=elements.text(_TEXT),
    )
    if problem:
        raise BadPageError(problem, page)
    return page


def parse_site(header: bytes) -> Site:
    """Read what precedes the first page; what is missing or broken in it is left empty."""
    has_dtd = bool(_DTD.search(header))
    found = _SITE.search(header)
    if not found:
        return Site(has_dtd=has_dtd)
    wanted = frozenset({"siteinfo/dbname", "siteinfo/base"})
    elements = _Elements(wanted)
    if elements.read(found[0]):
        return Site(has_dtd=has_dtd)
    folder, slash, _ = elements.text("siteinfo/base").rpartition("/")
    namespaces = _NAMESPACE.findall(found[0].decode("utf-8", "replace"))
    names = {int(number): html.unescape(name) for number, name in namespaces}
    return Site(
        database=elements.text("siteinfo/dbname"),
        folder=folder + slash if folder.startswith(("http://", "https://")) else "",
        names=LinkNames.of_namespaces(names),
        has_dtd=has_dtd,
    )


def fill_article(record: Record, page: Page, site: Site, *, max_bytes: int) -> None:
    """Set a record's fields from its page; decide its fate and make its text, unless its fate is decided already."""
    record.title = page.title or None
    record.timestamp = page.timestamp or None
    if site.database and page.number.isascii() and page.number.isdigit():
        record.id = f"{site.database}:{page.number}"
    if site.folder and page.title:
        record.url = site.folder + quote(page.title.replace(" ", "_"), safe="/:;@$!*(),~'")
    if record.fate != "kept":
        return
    record.rule, record.detail = _removal(page, max_bytes)
    if record.rule is None:
        plain = plain_text(page.text, site.names)
        if plain.too_deep:
            record.rule, record.detail = (
                "too_deep",
                f"brackets of wikitext nested more than {MAX_NESTING} deep",
            )
        elif not plain.text:
            record.rule = "no_text"
        record.text = plain.text or None
    if record.rule is not None:
        record.fate = "removed"


def _removal(page: Page, max_bytes: int) -> tuple[str | None, str | None]:
    if page.redirect or _REDIRECT.match(page.text):
        return "redirect", None
    if page.namespace != "0":
        return "namespace", page.namespace
    if page.model not in {"", "wikitext"}:
        return "content_model", page.model
    if is_disambiguation(page.title, page.text):
        return "disambiguation", None
    size = len(page.text.encode())
    if size > max_bytes:
        return "too_large", f"{size} bytes"
    return None, None

"""EPUB books: the chapters in reading order as text.

Source: EPUB 3.3 (W3C), Open Container Format and package documents; versions 2 and 3 are read alike.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from resiliparse.parse.html import HTMLTree

from pipeline.extract.decode import decode
from pipeline.extract.html import extract_html
from pipeline.extract.limits import Limits, find_excess
from pipeline.extract.normalise import normalise_text
from pipeline.sources.safe_zip import SafeZip, ZipError

_CONTAINER: Final = "META-INF/container.xml"
_ENCRYPTION: Final = "META-INF/encryption.xml"
# Obfuscated fonts are no reason to refuse a book; anything else encrypted is.
_FONT_ALGORITHMS: Final = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
_XHTML: Final = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
_MAX_DEPTH: Final = 64  # elements of a package document
_MAX_CHAPTERS: Final = 20_000
_MAX_CHAPTER_BYTES: Final = 16 << 20
_ENTITY: Final = re.compile(rb"<!ENTITY", re.IGNORECASE)
_PROLOG_BYTES: Final = 64 << 10
# XHTML may close any element at once; to a parser of HTML `<title/>` opens one that never ends.
_CLOSED_AT_ONCE: Final = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-zA-Z][\w:-]{0,40})(\s[^<>]*)?/>"
)
_XML_PROLOG: Final = re.compile(r"\s*<\?xml[^<>]*\?>")


class EpubError(Exception):
    """The book cannot be read; `rule` is what its record fails with."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(slots=True)
class Epub:
    """A book: its text, title, and what of it could not be read."""

    text: str
    title: str | None = None
    lost: list[str] = field(default_factory=list)  # one line for each chapter


@dataclass(slots=True)
class _Package:
    title: str = ""
    items: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # id: href, media type, properties
    spine: list[str] = field(default_factory=list)


def read_epub(stream: BinaryIO, size: int, *, max_bytes: int) -> Epub:
    """Read a book; nothing is written, and no path or address in it is followed out of it.

    Args:
        stream: seekable.
        size: bytes of the file.
        max_bytes: that the files read may inflate to, together.

    Raises:
        EpubError: `bad_epub` (no archive, no package, no chapter that can be read), `encrypted`, `zip_bomb`,
            `xml_entities` (a file declares entities of its own).
    """
    try:
        archive = SafeZip(stream, size, max_bytes=max_bytes)
        _refuse_encrypted(archive)
        path = _package_path(archive.read(_CONTAINER))
        package = _package(archive.read(path))
    except ZipError as error:
        raise EpubError(_rule(error), str(error)) from error
    texts: list[str] = []
    lost: list[str] = []
    for href in _chapters(package, posixpath.dirname(path)):
        try:
            texts.append(_chapter_text(archive.read(href), href))
        except ZipError as error:
            if error.rule == "zip_bomb":
                raise EpubError("zip_bomb", str(error)) from error
            lost.append(str(error))
        except EpubError as error:
            if error.rule != "chapter":
                raise
            lost.append(str(error))
    if not texts:
        raise EpubError("bad_epub", lost[0] if lost else "the book has no chapters")
    return Epub(
        "\n\n\n".join(text for text in texts if text), " ".join(package.title.split())[:300] or None, lost
    )


def _rule(error: ZipError) -> str:
    return error.rule if error.rule in {"encrypted", "zip_bomb"} else "bad_epub"


def _parse(
    xml: bytes, name: str, start: Callable[[str, dict[str, str]], None], data: Callable[[str], None]
) -> None:
    """Run handlers over a small document; entities of its own are refused, outer ones never fetched."""
    depth = 0

    def opened(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise EpubError("bad_epub", f"{name}: elements nested more than {_MAX_DEPTH} deep")
        start(tag.rpartition("}")[2], attributes)

    def closed(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def declared(*_declaration: object) -> None:
        raise EpubError("xml_entities", f"{name}: declares entities of its own, which no book needs")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.CharacterDataHandler = data
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise EpubError("bad_epub", f"{name}: {' '.join(str(error).split())[:200]}") from error


def _refuse_encrypted(archive: SafeZip) -> None:
    if _ENCRYPTION not in archive:
        return
    algorithms: set[str] = set()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "EncryptionMethod":
            algorithms.add(attributes.get("Algorithm", ""))

    _parse(archive.read(_ENCRYPTION), _ENCRYPTION, start, _ignore)
    if algorithms - _FONT_ALGORITHMS:
        raise EpubError("encrypted", "the book is under digital rights management")


def _package_path(container: bytes) -> str:
    paths: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "rootfile" and attributes.get("full-path"):
            paths.append(attributes["full-path"])

    _parse(container, _CONTAINER, start, _ignore)
    if not paths:
        raise EpubError("bad_epub", f"{_CONTAINER}: names no package document")
    return paths[0]


def _package(xml: bytes) -> _Package:
    package = _Package()
    inside: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        inside[:] = [tag]
        if tag == "item":
            href, media_type = attributes.get("href", ""), attributes.get("media-type", "").lower()
            package.items[attributes.get("id", "")] = href, media_type, attributes.get("properties", "")
        elif tag == "itemref" and len(package.spine) < _MAX_CHAPTERS:
            package.spine.append(attributes.get("idref", ""))

    def data(text: str) -> None:
        if inside == ["title"] and len(package.title) < 1000:
            package.title += text

    _parse(xml, "package document", start, data)
    return package


def _ignore(_text: str) -> None:
    """Character data of no interest."""


def _chapters(package: _Package, folder: str) -> list[str]:
    """Return the files of the spine once each, without the table of contents and other media."""
    names: dict[str, None] = {}
    for identifier in package.spine:
        href, media_type, properties = package.items.get(identifier, ("", "", ""))
        if href and media_type in _XHTML and "nav" not in properties.split():
            names[posixpath.join(folder, unquote(urlsplit(href).path))] = None
    return list(names)


def _chapter_text(body: bytes, name: str) -> str:
    if _ENTITY.search(body, 0, _PROLOG_BYTES):
        raise EpubError("xml_entities", f"`{name[:200]}`: declares entities of its own, which no book needs")
    excess = find_excess(body, Limits(max_bytes=_MAX_CHAPTER_BYTES))
    if excess is not None:
        raise EpubError("chapter", f"`{name[:200]}`: {excess[0]}: {excess[1]}")
    markup = _CLOSED_AT_ONCE.sub(r"<\1\2></\1>", _XML_PROLOG.sub("", decode(body).text, count=1))
    return normalise_text(extract_html("all_text", markup, HTMLTree.parse(markup)))

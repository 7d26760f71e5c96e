"""Bytes of a page to text: byte-order mark, UTF-8, what the page says of itself, a detector, in that order.

Strict UTF-8 goes before all declarations: 98 % of pages are valid UTF-8, and text in another charset that happens
to be valid UTF-8 is next to impossible, while declarations lie.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Literal

import cchardet

from pipeline.extract.charsets import charset_of, codec_of

CharsetFrom = Literal["bom", "utf8", "http", "meta", "detector", "fallback"]

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_META_BYTES = 16 * 1024  # where the declaration is looked for; HTML asks for the first 1024
_META = re.compile(
    rb"""<meta\s[^>]{0,500}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w:.-]{1,40})"""
    rb"""|<\?xml\s[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([\w:.-]{1,40})""",
    re.IGNORECASE,
)
_DETECTOR_BYTES = 256 * 1024  # enough for any detector, and a bound on its time
_ISO_2022_JP = (b"\x1b$B", b"\x1b$@")
# On the web every octet means something: the five that Python's cp1252 refuses are control characters.
_WEB_1252 = "".join(bytes([octet]).decode("cp1252", "ignore") or chr(octet) for octet in range(256))

# Detectors take English with typographic quotes for any of these.
_LATIN = frozenset(
    [
        "iso-8859-2",
        "iso-8859-3",
        "iso-8859-4",
        "iso-8859-10",
        "iso-8859-13",
        "iso-8859-14",
        "iso-8859-15",
        "iso-8859-16",
        "macintosh",
        "windows-1250",
        "windows-1254",
        "windows-1257",
        "windows-1258",
    ]
)
_ASCII, _SIGNS = (
    bytes(range(0x80)),
    bytes([*range(0x80, 0x8A), 0x8B, *range(0x91, 0x9A), 0x9B, *range(0xA0, 0xC0)]),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text without NUL and lone surrogates, its charset by WHATWG name, and how that was found."""

    text: str
    charset: str
    charset_from: CharsetFrom


def decode(body: bytes, *, declared: str | None = None, truncated: bool = False) -> Decoded:
    """Decode a page.

    Args:
        body: the payload, content encodings undone.
        declared: charset label of the HTTP header, as it stands there.
        truncated: the payload is not whole: a character cut in two at its end is dropped and is no sign of a
            wrong charset.

    A declared charset is used only if the whole body is valid in it. The detector's answer may be wrong in single
    characters, which become U+FFFD; so do those of the fallback, windows-1252.
    """
    text, charset, charset_from = _decode(body, declared, truncated=truncated)
    # No codec of the list makes lone surrogates of any bytes; NUL is a character to all of them.
    return Decoded(text.replace("\0", "").removeprefix("\ufeff"), charset, charset_from)


def _decode(body: bytes, declared: str | None, *, truncated: bool) -> tuple[str, str, CharsetFrom]:
    for bom, charset in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(charset, "replace"), charset, "bom"
    http, meta = charset_of(declared), None
    wide = _utf16_without_bom(body)
    if wide is not None:
        text = _strict(body, wide, truncated=truncated)
        if text is not None:
            return text, wide, "http" if http and http.startswith("utf-16") else "detector"
    if b"\x1b" in body and body.isascii() and any(escape in body for escape in _ISO_2022_JP):
        text = _strict(body, "iso-2022-jp", truncated=truncated)
        if text is not None:
            return text, "iso-2022-jp", "http" if http == "iso-2022-jp" else "detector"
    text = _strict(body, "utf-8", truncated=truncated)
    if text is not None:
        return text, "utf-8", "utf8"
    found = _META.search(body, 0, _META_BYTES)
    if found:
        meta = charset_of((found[1] or found[2]).decode("ascii", "replace"))
    declarations: tuple[tuple[str | None, CharsetFrom], ...] = ((http, "http"), (meta, "meta"))
    for label, charset_from in declarations:
        if label is None or label.startswith("utf-"):
            continue  # it is not UTF-8, and bytes that a declaration could be read from are not UTF-16
        text = _strict(body, label, truncated=truncated)
        if text is not None:
            return text, label, charset_from
    return _guess(body)


def _guess(body: bytes) -> tuple[str, str, CharsetFrom]:
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # Damaged UTF-8: other charsets do not form its multi-byte sequences by accident.
    if len(body) - len(text) > 10 * broken:
        return text, "utf-8", "detector"
    charset = charset_of(cchardet.detect(body[:_DETECTOR_BYTES])["encoding"])
    if charset is not None and not charset.startswith("utf-"):
        text = _windows_1252(body) if charset == "windows-1252" else body.decode(codec_of(charset), "replace")
        if text.count("\ufffd") * 100 <= len(text) and not (charset in _LATIN and _is_punctuation(body)):
            return text, charset, "detector"
    return _windows_1252(body), "windows-1252", "fallback"


def _is_punctuation(body: bytes) -> bool:
    """Are the octets above ASCII mostly quotes, dashes and signs of windows-1252, so that no letter decides?"""
    high = body.translate(None, _ASCII)
    return 2 * len(high.translate(None, _SIGNS)) <= len(high)


def _strict(body: bytes, charset: str, *, truncated: bool) -> str | None:
    if charset == "windows-1252":
        return _windows_1252(body)
    try:
        return codecs.getincrementaldecoder(codec_of(charset))("strict").decode(body, final=not truncated)
    except UnicodeError:
        return None


def _windows_1252(body: bytes) -> str:
    return codecs.charmap_decode(body, "strict", _WEB_1252)[0]


def _utf16_without_bom(body: bytes) -> str | None:
    """UTF-16 shows by its markup: the ASCII character `<` comes with a zero octet, at a fixed side of it."""
    sample = body[:4096]
    zeros = sample.count(0)
    if 16 * zeros < len(sample) or zeros == 0:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 4 * even and b"<\0" in sample:
        return "utf-16le"
    if even > 4 * odd and b"\0<" in sample:
        return "utf-16be"
    return None

"""One normalisation for positives and crawl, so that a model cannot tell them apart by how they were made.

Both styles, in this order; the number of bytes changes only where an apostrophe is folded:

1. letters become lower case: ASCII and every character of two bytes (Latin, Greek, Cyrillic, Armenian);
2. control characters, line ends, Unicode spaces, zero-width characters and soft hyphens become a space: lines,
   wrapping and layout vanish;
3. curly, angle and low quotes and the grave accent become `'` or `"`, the ellipsis a full stop, every bullet,
   arrow and ornament `*`, every dash `-`;
4. an apostrophe or a hyphen that does not stand inside a word becomes the mark `"` or `~`.

`strict` also removes what only formatting leaves behind: the marks `* | _ # ~` and all quotes become spaces, and each
digit becomes 0. Splitting punctuation from words, whatever the spaces around it, is the tokeniser's work
(`classifiers.hashing`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from text.buffers import TextBuffer

Style = Literal["light", "strict"]

_SPACE = 0x20
_QUOTE, _APOSTROPHE, _BULLET, _HYPHEN, _STOP, _DASH = b"\"'*-.~"
_DROP = 0xFF  # no byte of UTF-8


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Look-up tables of one style, and the name by which a model refers to it."""

    name: str
    byte_table: bytes  # (256,)
    two_bytes: npt.NDArray[
        np.uint16
    ]  # (65536,) both bytes of a character, as lead << 8 | next, to two others
    three_bytes: npt.NDArray[
        np.uint8
    ]  # (0x1040,) of U+2000-2FFF and U+3000-303F: the one byte it becomes, or 0
    quote: int  # what a loose apostrophe becomes
    dash: int  # what a loose hyphen becomes


def _normaliser(style: Style) -> Normaliser:
    strict = style == "strict"
    bullet, quote, dash = (_SPACE, _SPACE, _SPACE) if strict else (_BULLET, _QUOTE, _DASH)

    single = bytearray(range(256))
    single[:_SPACE] = b" " * _SPACE
    single[0x7F] = _SPACE
    for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        single[byte] = byte + 0x20
    single[ord("`")] = _APOSTROPHE
    if strict:
        for byte in b'*|_#~"':
            single[byte] = _SPACE
        for byte in b"0123456789":
            single[byte] = ord("0")

    double = np.arange(1 << 16, dtype=np.uint16)
    for point in range(0x80, 0x800):
        first, second = chr(point).encode()
        lower = chr(point).lower().encode()
        to = (lower[0], lower[1]) if len(lower) == 2 else (first, second)
        if point <= 0xA0 or point == 0xAD:  # C1 controls, no-break space, soft hyphen
            to = (_SPACE, _SPACE)
        elif point == 0xB7:
            to = (bullet, _SPACE)
        elif point in {0xAB, 0xBB}:
            to = (quote, _SPACE)
        elif point == 0xB4:
            to = (_APOSTROPHE, _DROP)
        double[first << 8 | second] = to[0] << 8 | to[1]

    triple = np.zeros(0x1040, np.uint8)
    for byte, points in (
        (_SPACE, [*range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070), 0x3000]),
        (_HYPHEN, range(0x2010, 0x2016)),
        (bullet, [0x2022, 0x2023, 0x2024, 0x2027, 0x2043, *range(0x2190, 0x2200), *range(0x2300, 0x2400)]),
        (bullet, [*range(0x2500, 0x2800), *range(0x2B00, 0x2C00)]),
        (_APOSTROPHE, [0x2018, 0x2019, 0x201A, 0x201B, 0x2032, 0x2039, 0x203A]),
        (quote, [0x201C, 0x201D, 0x201E, 0x201F, 0x2033]),
        (_STOP, [0x2025, 0x2026]),
    ):
        triple[np.asarray(points) - 0x2000] = byte
    return Normaliser(f"crawlmix-{style}-v1", bytes(single), double, triple, quote, dash)


NORMALISERS: dict[Style, Normaliser] = {"light": _normaliser("light"), "strict": _normaliser("strict")}
_IN_WORD = np.array([byte >= 0x80 or chr(byte).isalnum() for byte in range(256)])


def normalise(texts: TextBuffer, style: Style = "light") -> TextBuffer:
    """Normalise n texts: n texts of one new buffer, each followed by a space, ready for the tokeniser."""
    rules = NORMALISERS[style]
    raw, starts, ends = _spaced(texts)
    data = np.frombuffer(bytearray(raw.translate(rules.byte_table)), np.uint8)
    dropped = _fold_characters(data, rules)
    if len(dropped):
        data = np.frombuffer(bytearray(data.tobytes().replace(b"\xff", b"")), np.uint8)
        starts = starts - np.searchsorted(dropped, starts)
        ends = ends - np.searchsorted(dropped, ends)
    _loosen(data, rules)
    return TextBuffer(data, starts, ends)


def _spaced(texts: TextBuffer) -> tuple[bytes, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Copy the texts with a space behind each."""
    whole = memoryview(texts.data.data)
    raw = b" ".join(
        [whole[start:end] for start, end in zip(texts.starts.tolist(), texts.ends.tolist(), strict=True)]
    )
    ends = np.cumsum(texts.sizes + 1) - 1
    return raw + b" ", ends - texts.sizes, ends


def _fold_characters(data: npt.NDArray[np.uint8], rules: Normaliser) -> npt.NDArray[np.int64]:
    """Fold characters beyond ASCII in place; returns the sorted positions of bytes that are to be dropped."""
    leads = np.flatnonzero(data >= 0xC2)
    leads = leads[: np.searchsorted(leads, len(data) - 2)]  # a whole character and the space behind its text
    if len(leads) == 0:
        return leads
    prefix = data[leads].astype(np.uint16) << np.uint16(8) | data[leads + 1]
    to = rules.two_bytes[prefix]
    changed = np.flatnonzero(to != prefix)
    data[leads[changed]] = to[changed] >> np.uint16(8)
    data[leads[changed] + 1] = to[changed] & np.uint16(0xFF)
    accents = leads[prefix == 0xC2B4] + 1

    wide = np.flatnonzero((prefix >> np.uint16(8) == 0xE2) | (prefix == 0xE380))
    at, second, third = leads[wide], data[leads[wide] + 1], data[leads[wide] + 2]
    index = np.where(
        prefix[wide] == 0xE380,
        0x1000 + (third & 0x3F).astype(np.int64),
        (second & 0x3F).astype(np.int64) << 6 | (third & 0x3F),
    )
    becomes = rules.three_bytes[index]
    # The test keeps bytes that are no UTF-8 from reaching into the next text.
    becomes[(second & 0xC0 != 0x80) | (third & 0xC0 != 0x80)] = 0
    at, becomes = at[becomes > 0], becomes[becomes > 0]
    data[at] = becomes
    joined = at[(becomes == _APOSTROPHE) | (becomes == _HYPHEN)]  # may stand inside a word
    data[at + 1] = _SPACE
    data[at + 2] = _SPACE
    data[joined + 1] = _DROP
    data[joined + 2] = _DROP
    return np.sort(np.concatenate([accents, joined + 1, joined + 2]))


def _loosen(data: npt.NDArray[np.uint8], rules: Normaliser) -> None:
    """Mark hyphens and apostrophes that do not stand inside a word, in place."""
    at = np.flatnonzero((data == _APOSTROPHE) | (data == _HYPHEN))
    before = data[at - 1]  # at -1 stands the space behind the last text
    inside = _IN_WORD[before] & _IN_WORD[data[at + 1]]  # the last byte is a space, never one of the two
    loose = at[~inside]
    data[loose] = np.where(data[loose] == _HYPHEN, np.uint8(rules.dash), np.uint8(rules.quote))

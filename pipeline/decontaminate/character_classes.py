"""What folding does with each character beyond ASCII.

By Unicode's properties as the running Python knows them (`unicodedata.unidata_version`, part of every index's
fingerprint). `find_words` already separates words at U+0080-00BF, U+2000-203F and U+3000-303F; the classes name
only what has to be done before.
"""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

KEEP = 0
SEPARATE = 1  # punctuation, symbols, spaces, controls: between words
FOLD = 2  # a capital whose small letter has as many bytes
IGNORE = 3  # soft hyphen, zero-width and other format characters, variation selectors: as if not there
COMPOSE = 4  # NFC may change it or join it to the character before
RESIZE = 5  # a capital whose small letter is shorter or longer

_SEPARATED_BY_FIND_WORDS = ((0x80, 0xC0), (0x2000, 0x2040), (0x3000, 0x3040))
_ASSIGNED = (
    range(0x80, 0xD800),
    range(0xE000, 0x20000),
    range(0x2F800, 0x2FA20),  # compatibility ideographs; the other planes hold letters without case
    range(0xE0000, 0xE0200),
)
_SELECTORS = frozenset({0x34F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)})
_APOSTROPHES = frozenset({0x2BB, 0x2BC})  # letters by their category, quotes by their use
_JAMO = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))  # join the syllable before


class CharacterClasses(NamedTuple):
    """Tables by code point."""

    classes: npt.NDArray[np.uint8]  # (0x110000,)
    small: npt.NDArray[np.int32]  # (0x20000,) the folded character


def fold_character(character: str) -> str:
    """Return one character in small: the first of `str.lower`'s, and one sigma for both of its forms."""
    small = character.lower()[0]
    return "\u03c3" if small == "\u03c2" else small


@cache
def character_classes() -> CharacterClasses:
    """Make the tables: a fifth of a second, once per process that meets a text beyond ASCII."""
    classes = np.zeros(0x110000, np.uint8)
    small = np.arange(0x20000, dtype=np.int32)
    joins = _joins_the_one_before()
    for codes in _ASSIGNED:
        for code in codes:
            found = _class_of(code, joins)
            if found:
                classes[code] = found
            if found == FOLD:
                small[code] = ord(fold_character(chr(code)))
    classes.flags.writeable = False
    small.flags.writeable = False
    return CharacterClasses(classes, small)


def class_of(character: str) -> int:
    """Return the class of one character; ASCII is KEEP."""
    return int(character_classes().classes[ord(character)])


def _class_of(code: int, joins: frozenset[int]) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    if category == "Cf" or code in _SELECTORS:
        return IGNORE
    if any(first <= code < stop for first, stop in _SEPARATED_BY_FIND_WORDS):
        return KEEP
    composes = (
        code in joins or unicodedata.combining(character) or not unicodedata.is_normalized("NFC", character)
    )
    if composes:
        return COMPOSE
    if category[0] in "PSZ" or category in {"Cc", "Me"} or code in _APOSTROPHES:
        return SEPARATE
    folded = fold_character(character)
    if folded == character:
        return KEEP
    return FOLD if len(folded.encode()) == len(character.encode()) else RESIZE


def _joins_the_one_before() -> frozenset[int]:
    """Code points that are second in a canonical composition, whatever their combining class."""
    found = set(_JAMO)
    for codes in _ASSIGNED:
        for code in codes:
            parts = unicodedata.decomposition(chr(code)).split()
            if len(parts) == 2 and not parts[0].startswith("<"):
                found.add(int(parts[1], 16))
    return frozenset(code for code in found if code >= 0x80)

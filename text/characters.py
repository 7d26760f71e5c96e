r"""What each character is - space, word, letter, sentence mark - for every byte of a run of UTF-8 texts.

Classes follow Unicode's general categories as the running Python knows them (`unicodedata.unidata_version`):

- space: `str.isspace`;
- word: letters, marks, numbers, format characters such as the joiners, and `_`;
- symbol: everything else, so punctuation, emoji, controls and NUL.

It is Python's `\w` with combining marks added: without them Hindi or Thai words would fall apart at each vowel.
"""

from functools import cache
from typing import NamedTuple
from unicodedata import category

import numpy as np
import numpy.typing as npt

from text.buffers import Bytes, Offsets

Flags = npt.NDArray[np.uint8]

SPACE = 1
WORD = 2
LETTER = 4
LETTER_OR_NUMBER = 8
SENTENCE_MARK = 16  # Unicode's property Sentence_Terminal
CLOSER = 32  # closing brackets and all quotes: may stand between a sentence mark and the end
FULL_WIDTH_MARK = 64  # ends a sentence without a space after it, as in Chinese and Japanese
KIND = SPACE | WORD

# PropList.txt of Unicode 16, Sentence_Terminal: first and last code points.
_SENTENCE_MARKS = (
    "21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e 1735-1736 17d4-17d5 "
    "1803 1809 1944-1945 1aa8-1aab 1b4e-1b4f 1b5a-1b5b 1b5e-1b5f 1b7d-1b7f 1c3b-1c3c 1c7e-1c7f 2024 203c-203d "
    "2047-2049 2cf9-2cfb 2e2e 2e3c 2e53-2e54 2e60-2e61 3002 a4ff a60e-a60f a6f3 a6f7 a876-a877 a8ce-a8cf a92f "
    "a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb fe12 fe15-fe16 fe52 fe56-fe57 ff01 ff0e ff1f ff61 10a56-10a57 10f55-10f59 "
    "10f86-10f89 11047-11048 110be-110c1 11141-11143 111c5-111c6 111cd 111de-111df 11238-11239 1123b-1123c 112a9 "
    "113d4-113d5 1144b-1144c 115c2-115c3 115c9-115d7 11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c "
    "11c41-11c42 11ef7-11ef8 11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 16d6e-16d6f 16e98 1bc9f 1da88"
)
_FULL_WIDTH_MARKS = "\u3002\uff01\uff1f\uff61"
_QUOTES = "\"'"


class Characters(NamedTuple):
    """The n bytes of a run of texts, character by character."""

    flags: Flags  # (n,) those of the character that the byte belongs to
    before: Offsets | None  # (n + 1,) characters that begin before the byte; None: all are ASCII

    def between(self, starts: Offsets, ends: Offsets) -> Offsets:
        """Characters in each span of bytes."""
        if self.before is None:
            return ends - starts
        return self.before[ends] - self.before[starts]


def characters(data: Bytes) -> Characters:
    """Look up every character of some valid UTF-8: about 1 ns a byte, 10 bytes of memory for each beyond ASCII."""
    # `translate` looks bytes up several times faster than fancy indexing.
    flags = np.frombuffer(bytearray(data.tobytes()).translate(_ascii_flags()), np.uint8)
    leads = np.flatnonzero(data >= 0xC2)
    if not len(leads):
        return Characters(flags, None)
    _flag_wide(flags, data, leads)
    before = np.zeros(len(data) + 1, np.int64)
    np.cumsum((data & 0xC0) != 0x80, out=before[1:])
    return Characters(flags, before)


def flags_of(character: str) -> int:
    """All flags of one character: what the tables below are made of."""
    kind = category(character)
    found = 0
    if character.isspace():
        found |= SPACE
    elif kind[0] in "LMN" or kind == "Cf" or character == "_":
        found |= WORD
    if kind[0] == "L":
        found |= LETTER | LETTER_OR_NUMBER
    if kind[0] == "N":
        found |= LETTER_OR_NUMBER
    if kind in {"Pe", "Pf", "Pi"} or character in _QUOTES:
        found |= CLOSER
    if character in _FULL_WIDTH_MARKS:
        found |= FULL_WIDTH_MARK
    return found


@cache
def _ascii_flags() -> bytes:
    flags = [flags_of(chr(byte)) if byte < 128 else 0 for byte in range(256)]
    for mark in ".!?":
        flags[ord(mark)] |= SENTENCE_MARK
    return bytes(flags)


@cache
def _all_flags() -> Flags:
    """(0x110000,) by code point; a third of a second, once per process that meets a text beyond ASCII."""
    flags = np.array(
        [0 if 0xD800 <= code < 0xE000 else flags_of(chr(code)) for code in range(0x40000)], np.uint8
    )
    flags = np.concatenate([flags, np.zeros(0x110000 - len(flags), np.uint8)])  # no letters above plane 3
    for code in range(0xE0000, 0xE0200):
        flags[code] = flags_of(chr(code))  # variation selectors and tags: marks and format characters
    for span in _SENTENCE_MARKS.split():
        first, _, last = span.partition("-")
        flags[int(first, 16) : int(last or first, 16) + 1] |= SENTENCE_MARK
    flags.flags.writeable = False
    return flags


def _flag_wide(flags: Flags, data: Bytes, leads: Offsets) -> None:
    """Give each byte of a character beyond ASCII the character's flags."""
    first = data[leads]
    for width, low, high in ((2, 0xC2, 0xE0), (3, 0xE0, 0xF0), (4, 0xF0, 0xF5)):
        at = leads[(first >= low) & (first < high)]
        if not len(at):
            continue
        code = (data[at] & (0x7F >> width)).astype(np.int64)
        for step in range(1, width):
            code = code << 6 | (data[at + step] & 0x3F)
        found = _all_flags()[code]
        for step in range(width):
            flags[at + step] = found

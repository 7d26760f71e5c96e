"""The one form of text that all later stages may rely on."""

import re
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

_MARKS_IN_A_ROW = 30  # UAX #15, stream-safe text: more than 30 non-starters in a row are no writing
_TRAILING = re.compile(r"[ \t\xa0]+(?=\n|\Z)")


def normalise_text(text: str) -> str:
    r"""Return text in NFC with `\n` line ends, no spaces before them, and no blank lines at either end.

    Of combining marks in a row the first 30 stay: with more, bringing them into order takes quadratic time.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = unicodedata.normalize("NFC", _without_long_mark_runs(text))
    if " \n" in text or "\t\n" in text or "\xa0\n" in text or text[-1:] in {" ", "\t", "\xa0"}:
        text = _TRAILING.sub("", text)
    return text.strip("\n")


def _without_long_mark_runs(text: str) -> str:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    is_mark = _is_mark()
    marks = np.flatnonzero(is_mark[np.minimum(codes, len(is_mark) - 1)])
    # A mark with 30 marks right before it is one too many.
    excess = marks[_MARKS_IN_A_ROW:][marks[_MARKS_IN_A_ROW:] - marks[:-_MARKS_IN_A_ROW] == _MARKS_IN_A_ROW]
    return np.delete(codes, excess).tobytes().decode("utf-32-le") if len(excess) else text


@cache
def _is_mark() -> NDArray[np.bool_]:
    """By code point up to the last mark and one beyond: is it a non-starter?"""
    last = max(code for code in range(0x1F000) if unicodedata.combining(chr(code)))
    return np.array([unicodedata.combining(chr(code)) != 0 for code in range(last + 2)])

"""The one form of text that all later stages may rely on."""

import re
import unicodedata
from functools import cache

_MARKS_IN_A_ROW = 30  # UAX #15, stream-safe text: more than 30 non-starters in a row are no writing
_TRAILING = re.compile(r"[ \t\xa0]+(?=\n|\Z)")


@cache
def _mark_runs() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in range(0x300, 0x1E94B) if unicodedata.combining(chr(code)))
    return re.compile(f"([{marks}]{{{_MARKS_IN_A_ROW}}})[{marks}]+")


def normalise_text(text: str) -> str:
    r"""Return text in NFC with `\n` line ends, no spaces before them, and no blank lines at either end.

    Of combining marks in a row the first 30 stay: with more, bringing them into order takes quadratic time.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = _mark_runs().sub(r"\1", text)
        text = unicodedata.normalize("NFC", text)
    if " \n" in text or "\t\n" in text or "\xa0\n" in text or text[-1:] in {" ", "\t", "\xa0"}:
        text = _TRAILING.sub("", text)
    return text.strip("\n")

"""Cuts long texts where no cut can change a token, so that memory and time stay bounded."""

import re
from collections.abc import Iterator

# GPT-2 splits text by '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ before it merges
# bytes, and no merge crosses these splits. Two kinds of place are always a split:
#  - before whitespace that follows something else: no alternative goes from the one into the other;
#  - before the last of several whitespace characters when something else follows: \s+(?!\S) gives that one back.
# The text before such a place, standing alone, is split as it was (the lookahead sees the same or the end), and so is
# the text after it, as no alternative looks back. ASCII whitespace alone: every regular expression engine agrees on
# it, and Python's \S leaves out all that Unicode calls whitespace.
_SAFE = re.compile(r"(?<=\S)(?=[ \t-\r])|(?<=[ \t-\r])(?=[ \t-\r]\S)")

CHUNK_CHARS = 1 << 17


def safe_chunks(text: str, limit: int = CHUNK_CHARS) -> Iterator[str]:
    """Cut a text into pieces of `limit` characters or a little more, whose ids joined are the ids of the whole.

    A stretch without a safe place (a megabyte of one letter) stays in one piece.
    """
    start = 0
    while len(text) - start > limit:
        border = _SAFE.search(text, start + limit)
        if border is None:
            break
        yield text[start : border.start()]
        start = border.start()
    yield text[start:] if start else text

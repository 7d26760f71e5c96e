"""Sentences, by marks and spaces: a rule, not a model.

A sentence ends at a sentence mark, with the quotes and brackets that close after it, before a space or the end of the
line; after the full-width marks of Chinese and Japanese no space is needed. A full stop ends none after a single letter or a listed abbreviation. A citation
mark such as `[12]` right after the mark belongs to the sentence. What is left of a line is one more sentence.
"""

import numpy as np

from text.buffers import Bytes, Hashes, Offsets
from text.characters import CLOSER, FULL_WIDTH_MARK, LETTER, SENTENCE_MARK, WORD, Characters
from text.lines import Bools, Lines, Spans
from text.spans import hash_spans
from text.tokens import Tokens

_LISTED = (
    "Mr Mrs Ms Dr Prof Rev Hon Gen Col Capt Lt Sgt Sen Rep Gov St Mt Jr Sr vs etc Nos Vol vol pp pg Fig fig Eq eq Inc "
    "Ltd Co Corp Dept Univ Ave Blvd Rd approx Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec al cf ca"
)
ABBREVIATIONS = tuple(_LISTED.split())

_FULL_STOP, _OPEN, _CLOSE = ord("."), ord("["), ord("]")


def find_sentences(data: Bytes, characters: Characters, tokens: Tokens, joined: Bools, lines: Lines) -> Spans:
    """Find the sentences of all texts at once; none reaches over a newline, blank lines have none.

    Args:
        data: n texts that touch.
        characters: of the texts.
        tokens: of the texts.
        joined: (n_tokens,) whether a token follows another of its text without a space.
        lines: of the texts.

    Returns:
        Their spans, text by text, each from the first character of a token to the last of one.
    """
    last = _last_tokens(data, characters, tokens, joined, lines)
    final = np.zeros(len(tokens.starts), bool)
    final[last] = True
    first = np.ones(len(tokens.starts), bool)
    first[1:] = final[:-1]
    starts = tokens.starts[first]
    return Spans(starts, tokens.ends[final], np.searchsorted(np.flatnonzero(first), tokens.borders))


def _last_tokens(data: Bytes, characters: Characters, tokens: Tokens, joined: Bools, lines: Lines) -> Offsets:
    """Rising positions of the tokens that end a sentence."""
    count = len(tokens.starts)
    line_ends = lines.tokens[1:][~lines.blank] - 1
    marks = np.flatnonzero((tokens.flags & (SENTENCE_MARK | WORD)) == SENTENCE_MARK)
    if not len(marks):
        return line_ends
    free = np.append(~joined[1:], True)  # a space or the end of the text follows

    closing = characters.flags[tokens.ends[marks] - 1] & (SENTENCE_MARK | CLOSER) != 0
    ends = closing & free[marks]
    ends |= closing & (tokens.flags[marks] & FULL_WIDTH_MARK != 0)
    ends &= ~_abbreviated(data, characters, tokens, joined, marks)

    cited = marks[(data[tokens.ends[marks] - 1] == _OPEN) & ~free[marks]]
    cited = cited[cited + 2 < count]
    cited = cited[~free[cited + 1] & free[cited + 2] & (data[tokens.starts[cited + 2]] == _CLOSE)]
    return np.union1d(line_ends, np.concatenate([marks[ends], cited + 2]))


def _abbreviated(data: Bytes, characters: Characters, tokens: Tokens, joined: Bools, marks: Offsets) -> Bools:
    """Which marks are a single full stop right after a single letter or a listed abbreviation."""
    found = np.zeros(len(marks), bool)
    dots = np.flatnonzero(
        (tokens.ends[marks] - tokens.starts[marks] == 1) & (data[tokens.starts[marks]] == _FULL_STOP)
    )
    dots = dots[joined[marks[dots]]]
    word = marks[dots] - 1
    letters = characters.between(tokens.starts[word], tokens.ends[word])
    before = np.maximum(tokens.ends[word] - 2, 0)
    # A letter alone, or after a full stop as in `U.S`, which is one token.
    alone = ((letters == 1) | (data[before] == _FULL_STOP) & (letters > 1)) & (
        tokens.flags[word] & LETTER != 0
    )
    short = np.flatnonzero(letters <= max(map(len, ABBREVIATIONS)))
    listed = np.isin(hash_spans(data, tokens.starts[word[short]], tokens.ends[word[short]]), _ABBREVIATIONS)
    alone[short[listed]] = True
    found[dots] = alone
    return found


def _hashes(words: tuple[str, ...]) -> Hashes:
    data = np.frombuffer("".join(words).encode(), np.uint8)
    ends = np.cumsum([len(word.encode()) for word in words], dtype=np.int64)
    return hash_spans(data, np.append(0, ends[:-1]), ends)


_ABBREVIATIONS = _hashes(ABBREVIATIONS)

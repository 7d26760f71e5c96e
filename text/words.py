"""Where the words of many texts stand, found by byte classes.

A word is a run of word bytes: ASCII letters and digits, `_` if asked for, and every byte of a character beyond
ASCII except general punctuation (U+2000-203F: quotes, dashes, ellipsis), Latin-1 signs (U+0080-00BF, the no-break
space among them) and CJK punctuation (U+3000-303F). Texts are expected in NFC. Nothing here folds case: the
hashes do that, and lengths stay those of the stored text, so offsets refer to it.

Scripts that write no spaces (Han, kana, Thai, Lao, Tibetan, Burmese, Khmer) would make one word of a whole
clause. With `characters` each of their characters is a word of its own, so a shingle of five is five
characters. The rule is applied to each character and not to each document by its share of such characters:
near a threshold two near-copies would fall on either side and share nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text.buffers import Bytes, Offsets, TextBuffer

BATCH_BYTES = 1 << 18  # 256 KiB: numpy calls cost little beside their work, and temporaries still fit a cache
PIECE_BYTES = 1 << 20  # longer texts are read in pieces, so that memory does not grow with them


@dataclass(frozen=True, slots=True)
class WordRule:
    """What counts as a word."""

    underscore: bool = True  # `_` is a word byte: yes for deduplication, no for decontamination
    characters: bool = False  # in scripts without spaces each character is a word


DEFAULT_RULE = WordRule()


class Words(NamedTuple):
    """The words of some consecutive texts, in order.

    Word i is `data[starts[i]:ends[i]]`; text d (counted from 0 in this batch) holds words
    `borders[d]` to `borders[d + 1] - 1`.
    """

    data: Bytes  # the whole buffer: offsets count from its start, whatever the batch
    starts: Offsets  # (n_words,) bytes
    ends: Offsets  # (n_words,) bytes
    borders: Offsets  # (n_texts + 1,) words

    @property
    def counts(self) -> Offsets:
        """Words in each text: (n_texts,)."""
        return np.diff(self.borders)


class WordBatch(NamedTuple):
    """Words of texts `first_row`, `first_row + 1`, ...; or of one piece of the long text `first_row`."""

    first_row: int
    words: Words
    continued: bool  # this piece goes on with the text of the batch before


# A character's first two bytes, as lead << 8 | next, say how many of its bytes are no part of a word.
_PUNCTUATION = np.zeros(1 << 16, np.uint8)
_PUNCTUATION[0xC280:0xC2C0] = 2
_PUNCTUATION[[0xE280, 0xE380]] = 3

# The same for scripts without spaces: how many bytes the character has.
_UNSPACED = np.zeros(1 << 16, np.uint8)
for _first, _last, _bytes in (
    (0xE0B8, 0xE0BF, 3),  # Thai, Lao, Tibetan: U+0E00-0FFF
    (0xE180, 0xE181, 3),  # Burmese: U+1000-107F
    (0xE19E, 0xE19F, 3),  # Khmer: U+1780-17FF
    (0xE381, 0xE383, 3),  # kana: U+3040-30FF
    (0xE390, 0xE3BF, 3),  # Han, extension A: U+3400-3FFF
    (0xE480, 0xE4BF, 3),  # and on to U+4FFF
    (0xE580, 0xE5BF, 3),
    (0xE680, 0xE6BF, 3),
    (0xE780, 0xE7BF, 3),
    (0xE880, 0xE8BF, 3),
    (0xE980, 0xE9BF, 3),  # to U+9FFF
    (0xEFA4, 0xEFAB, 3),  # compatibility ideographs: U+F900-FAFF
    (0xF0A0, 0xF0AF, 4),  # planes 2: U+20000-2FFFF
):
    _UNSPACED[_first : _last + 1] = _bytes


def find_words(texts: TextBuffer, rule: WordRule = DEFAULT_RULE) -> Words:
    """Find the words of all texts at once; memory is about 4 bytes for each byte of text plus 16 for each word."""
    rows = texts.rows
    filled = texts.ends > texts.starts
    if not filled.any():
        none = np.zeros(0, np.int64)
        return Words(texts.data, none, none, np.zeros(rows + 1, np.int64))
    first, last = texts.starts[filled], texts.ends[filled] - 1
    base = int(first[0])
    data = texts.data[base : int(last[-1]) + 1]
    first -= base
    last -= base

    word = _word_bytes(data, underscore=rule.underscore)
    if len(first) > 1:
        _clear_gaps(word, first, last)
    leads, prefix = _leads(data)
    if len(leads):
        _clear_punctuation(word, leads, prefix)

    rises, falls = word.copy(), word.copy()
    np.greater(word[1:], word[:-1], out=rises[1:])
    np.greater(word[:-1], word[1:], out=falls[:-1])
    rises[first] = word[first]  # texts may touch
    falls[last] = word[last]
    if rule.characters and len(leads):
        _split_characters(rises, falls, word, leads, prefix)

    starts = np.flatnonzero(rises)
    ends = np.flatnonzero(falls)
    borders = np.empty(rows + 1, np.int64)
    borders[:rows] = np.searchsorted(starts, texts.starts - base)
    borders[rows] = len(starts)
    starts += base
    ends += base + 1
    return Words(texts.data, starts, ends, borders)


def word_batches(
    texts: TextBuffer,
    *,
    overlap: int,
    rule: WordRule = DEFAULT_RULE,
    batch_bytes: int = BATCH_BYTES,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[WordBatch]:
    """Go through all texts in batches of about `batch_bytes`; texts over `piece_bytes` come in pieces.

    Consecutive pieces of a text share `overlap` words (n - 1 for n-grams), so each n-gram appears in exactly one
    piece; every piece but the last of a text has more than `overlap` words. Each row is in some batch, also
    when it has no words.
    """
    sizes = texts.sizes
    filled = np.cumsum(sizes)
    row = 0
    while row < texts.rows:
        if sizes[row] > piece_bytes:
            yield from _pieces(texts, row, overlap, rule, piece_bytes)
            row += 1
            continue
        before = int(filled[row] - sizes[row])
        stop = max(row + 1, int(np.searchsorted(filled, before + batch_bytes, side="right")))
        long = np.flatnonzero(sizes[row:stop] > piece_bytes)
        if len(long):
            stop = row + int(long[0])
        yield WordBatch(row, find_words(texts.part(row, stop), rule), continued=False)
        row = stop


def character_offsets(text: Bytes, offsets: Offsets) -> Offsets:
    """Turn byte offsets into character offsets of one text.

    Args:
        text: (n,) the text's UTF-8 bytes.
        offsets: (k,) each from 0 to n, at the start of a character or at the end of the text.

    Returns:
        (k,) int64 counts of the characters that begin before the offset.
    """
    before = np.zeros(len(text) + 1, np.int64)
    np.cumsum((text & 0xC0) != 0x80, out=before[1:])
    return before[offsets]


def _word_bytes(data: Bytes, *, underscore: bool) -> npt.NDArray[np.bool_]:
    """Classify bytes by comparisons, which run over many bytes at once; a look-up table takes twice the time."""
    word = (data | np.uint8(0x20)) - np.uint8(ord("a")) < 26
    word |= data - np.uint8(ord("0")) < 10
    word |= data >= 0x80
    if underscore:
        word |= data == ord("_")
    return word


def _clear_gaps(word: np.ndarray, first: Offsets, last: Offsets) -> None:
    """Clear what lies between texts; such gaps are rare (a null that owns bytes)."""
    for gap in np.flatnonzero(first[1:] != last[:-1] + 1):
        word[last[gap] + 1 : first[gap + 1]] = False


def _leads(data: Bytes) -> tuple[Offsets, np.ndarray]:
    """Positions of characters beyond ASCII, and their first two bytes as lead << 8 | next."""
    leads = np.flatnonzero(data >= 0xC2)
    leads = leads[: np.searchsorted(leads, len(data) - 1)]  # valid UTF-8 ends no text with a lead byte
    prefix = data[leads].astype(np.uint16) << np.uint16(8) | data[leads + 1]
    return leads, prefix


def _clear_punctuation(word: np.ndarray, leads: Offsets, prefix: np.ndarray) -> None:
    size = _PUNCTUATION[prefix]
    at = leads[size > 0]
    word[at] = False
    word[at + 1] = False
    third = leads[size == 3] + 2
    word[third[third < len(word)]] = False


def _split_characters(
    rises: np.ndarray, falls: np.ndarray, word: np.ndarray, leads: Offsets, prefix: np.ndarray
) -> None:
    size = _UNSPACED[prefix]
    at = leads[size > 0]
    after = at + size[size > 0]
    rises[at] = True
    before = at[at > 0] - 1
    falls[before] = word[before]
    falls[np.minimum(after, len(word)) - 1] = True
    after = after[after < len(word)]
    rises[after] = word[after]


def _pieces(
    texts: TextBuffer, row: int, overlap: int, rule: WordRule, piece_bytes: int
) -> Iterator[WordBatch]:
    data = texts.data
    begin, stop = int(texts.starts[row]), int(texts.ends[row])
    size = piece_bytes
    continued = False
    while True:
        end = min(begin + size, stop)
        while end < stop and data[end] & 0xC0 == 0x80:
            end += 1
        words = find_words(TextBuffer(data, np.array([begin]), np.array([end])), rule)
        if end == stop:
            if not continued or len(words.starts) > overlap:
                yield WordBatch(row, words, continued)
            return
        whole = len(words.starts) - int(len(words.ends) > 0 and words.ends[-1] == end)
        if whole <= overlap:  # words longer than a piece: take a larger one
            size *= 2
            continue
        yield WordBatch(row, _first_words(words, whole), continued)
        begin = int(words.starts[whole - overlap]) if overlap else int(words.ends[whole - 1])
        size = piece_bytes
        continued = True


def _first_words(words: Words, count: int) -> Words:
    return words._replace(starts=words.starts[:count], ends=words.ends[:count], borders=np.array([0, count]))

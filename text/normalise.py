"""Texts that say the same in other dress: what exact deduplication compares.

Two texts are equal when, after NFC and lower-casing, their words are the same in the same order: punctuation,
spacing and markup made of signs do not count. A text without a word is compared as it stands.
"""

import unicodedata

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from text.buffers import Hashes, TextBuffer, text_buffer
from text.hashes import fmix64, hash_strings, word_hashes
from text.words import WordBatch, word_batches

NORMALISER = "nfc-lower-words/1"  # stored beside what was computed with it

# First two bytes of the characters that NFC may change or join to the one before, as lead << 8 | next, first and
# last; Unicode 16, but for punctuation that separates words in any form (E2 80, E3 80).
_COMPOSING = (
    "cc80-ccbf cd80-cd8e cd90-cdaf cdb4 cdbe ce87 d283-d287 d691-d6bd d6bf d781-d782 d784-d785 d787 d890-d89a d98b-d99f "
    "d9b0 db96-db9c db9f-dba4 dba7-dba8 dbaa-dbad dc91 dcb0-dcbf dd80-dd8a dfab-dfb3 dfbd e0a0-e0b5 e0b7-e0bf e180 "
    "e182 e185-e187 e18d e19c e19f e1a2 e1a4 e1a8-e1b0 e1b3 e1b7 e1bd-e1bf e283-e284 e28c e2ab e2b3 e2b5 e2b7 "
    "e382 ea99-ea9b eaa0 eaa3-eaa7 eaaa-eaab eaaf efa4-efad efb8 f090-f091 f096 f09b f09d-f09e f0af"
)
_MAX_RUN = 256  # such characters in a row; Python's NFC sorts marks in time that grows with the square

_KEYS = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))  # digits of pi
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def normalise(texts: pa.Array) -> pa.Array:
    """Put texts in NFC and fold their case, beyond ASCII too: (n,) large_string, nulls stay null.

    Texts with more than 256 combining marks in a row are no writing and keep their form: composing them would
    take time that grows with the square of the run.
    """
    wide = texts.cast(pa.large_string())  # folding may lengthen a text past what 32-bit offsets hold
    composes = pa.array(_may_compose(text_buffer(wide)))
    if composes.true_count:
        # Not Arrow's utf8_normalize: its "NFC" of version 25 decomposes.
        composed = [unicodedata.normalize("NFC", text) for text in wide.filter(composes).to_pylist()]
        wide = pc.replace_with_mask(wide, composes, pa.array(composed, pa.large_string()))
    return pc.utf8_lower(wide)


def text_hashes(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """Hash the normalised words of each text to 128 bits: (n, 2) uint64; null like an empty text.

    Each half is the sum over words of mix(word hash, position, key): no sum of powers, in which texts made of
    the same words in another order would meet more often than chance allows.
    """
    array = (
        texts if isinstance(texts, pa.Array) else pa.concat_arrays(texts.chunks or [pa.array([], texts.type)])
    )
    hashes, counts = word_sums(text_buffer(normalise(array)))
    bare = np.flatnonzero(counts == 0)
    if len(bare):
        raw = array.take(pa.array(bare))
        hashes[bare, 0] = hash_strings(raw, seed=1)
        hashes[bare, 1] = hash_strings(raw, seed=2)
    return hashes


def word_sums(texts: TextBuffer) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hash the words of each text as they stand, ASCII case folded: (n, 2) uint64, and their number: (n,)."""
    hashes = np.zeros((texts.rows, 2), np.uint64)
    counts = np.zeros(texts.rows, np.int64)
    for batch in word_batches(texts, overlap=0):
        _add(hashes, counts, batch)
    hashes ^= fmix64(counts.astype(np.uint64))[:, None]
    return hashes, counts


def _table(ranges: str) -> npt.NDArray[np.bool_]:
    table = np.zeros(1 << 16, bool)
    for item in ranges.split():
        first, _, last = item.partition("-")
        table[int(first, 16) : int(last or first, 16) + 1] = True
    return table


_COMPOSES = _table(_COMPOSING)


def _may_compose(texts: TextBuffer) -> npt.NDArray[np.bool_]:
    """Which texts NFC could change: (n,). Most texts in Latin, Cyrillic or Han script it cannot."""
    if texts.rows == 0:
        return np.zeros(0, bool)
    base, stop = int(texts.starts[0]), int(texts.ends[-1])
    data = texts.data[base:stop]
    at = np.flatnonzero(data[:-1] >= 0xCC)
    at = at[_COMPOSES[data[at].astype(np.uint16) << np.uint16(8) | data[at + 1]]] + base
    found: npt.NDArray[np.bool_] = np.searchsorted(at, texts.ends) > np.searchsorted(at, texts.starts)
    if len(at) > _MAX_RUN:
        lead = texts.data[at]
        apart = np.diff(at) > 2 + (lead[:-1] >= 0xE0) + (lead[:-1] >= 0xF0)
        apart |= np.diff(np.searchsorted(texts.starts, at, side="right")) > 0
        run = np.append(0, np.cumsum(apart))
        endless = at[_MAX_RUN:][run[_MAX_RUN:] == run[:-_MAX_RUN]]
        found &= np.searchsorted(endless, texts.ends) == np.searchsorted(endless, texts.starts)
    return found


def _add(hashes: Hashes, counts: npt.NDArray[np.int64], batch: WordBatch) -> None:
    """Add the words of a batch to the sums of its texts."""
    words = batch.words
    rows = slice(batch.first_row, batch.first_row + len(words.borders) - 1)
    filled = np.flatnonzero(words.counts)
    if len(filled):
        # Position counts from the start of the text, also in its later pieces.
        shift = words.borders[:-1] - counts[rows]
        position = (np.arange(len(words.starts)) - np.repeat(shift, words.counts)).astype(np.uint64)
        hashed = word_hashes(words) + position * _GOLDEN
        begin = words.borders[:-1][filled]
        for half, key in enumerate(_KEYS):
            hashes[rows, half][filled] += np.add.reduceat(fmix64(hashed ^ key), begin)
    counts[rows] += words.counts

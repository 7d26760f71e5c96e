"""Texts that say the same in other dress: what exact deduplication compares.

Two texts are equal when, after NFC and lower-casing, their words are the same in the same order: punctuation,
spacing and markup made of signs do not count. A text without a word is compared as it stands.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from text.buffers import Hashes, text_buffer
from text.hashes import fmix64, hash_strings, word_hashes
from text.words import WordBatch, word_batches

NORMALISER = "nfc-lower-words/1"  # stored beside what was computed with it

_KEYS = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))  # digits of pi
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def normalise(texts: pa.Array) -> pa.Array:
    """Put texts in NFC and fold their case, beyond ASCII too: (n,) large_string, nulls stay null."""
    wide = texts.cast(pa.large_string())  # folding may lengthen a text past what 32-bit offsets hold
    return pc.utf8_lower(pc.utf8_normalize(wide, form="NFC"))


def text_hashes(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """Hash the normalised words of each text to 128 bits: (n, 2) uint64; null like an empty text.

    Each half is the sum over words of mix(word hash, position, key): no sum of powers, in which texts made of
    the same words in another order would meet more often than chance allows.
    """
    array = (
        texts if isinstance(texts, pa.Array) else pa.concat_arrays(texts.chunks or [pa.array([], texts.type)])
    )
    hashes = np.zeros((len(array), 2), np.uint64)
    counts = np.zeros(len(array), np.int64)
    for batch in word_batches(text_buffer(normalise(array)), overlap=0):
        _add(hashes, counts, batch)
    hashes ^= fmix64(counts.astype(np.uint64))[:, None]
    bare = np.flatnonzero(counts == 0)
    if len(bare):
        raw = array.take(pa.array(bare))
        hashes[bare, 0] = hash_strings(raw, seed=1)
        hashes[bare, 1] = hash_strings(raw, seed=2)
    return hashes


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

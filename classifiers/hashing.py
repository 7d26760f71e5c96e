"""Words of a text as buckets of a hash table, for whole batches of texts at once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from classifiers.normalise import Style, normalise
from text.buffers import TextBuffer

# A model is bound to the way its features are made; any change below needs another name.
HASHER = "crawlmix-mix64-18-v1"
BUCKETS = 1 << 18  # as Spark's HashingTF, which GPT-3's filter used
MAX_TOKEN_BYTES = (
    64  # of a longer token the first 64 bytes and the length count: bounds the work on hostile text
)
BATCH_BYTES = (
    1 << 17
)  # of text at a time: larger temporaries leave the cache, smaller ones leave numpy waiting

_MULTIPLY_WORD = np.uint64(0x9E3779B97F4A7C15)  # golden ratio, as in splitmix64
_MULTIPLY_MIX = np.uint64(0xFF51AFD7ED558CCD)  # from murmur3's 64-bit finaliser
_HALF = np.uint64(32)
_TO_BUCKET = np.uint64(64 - 18)
_LOW_BYTES = np.array([(1 << 8 * kept) - 1 for kept in range(9)], np.uint64)
_SPACE = 0x20
_CLASSES = bytes(
    0 if byte == _SPACE else 1 if byte >= 0x80 or chr(byte).isalnum() or byte in b"'-" else byte
    for byte in range(256)
)

Buckets = npt.NDArray[np.int64]


class Tokens(NamedTuple):
    """Tokens of n consecutive texts, in order: those of text i are `buckets[borders[i]:borders[i + 1]]`."""

    buckets: Buckets  # (t,) 0 to BUCKETS - 1
    borders: npt.NDArray[np.int64]  # (n + 1,)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Tokens of each text: (n,)."""
        return np.diff(self.borders)


def token_batches(
    texts: TextBuffer, *, style: Style = "light", batch_bytes: int = BATCH_BYTES
) -> Iterator[tuple[int, Tokens]]:
    """Normalise texts and find their tokens in batches of about `batch_bytes`; yields (first row, tokens of some rows).

    A text is never cut, so what is summed over its tokens does not depend on the batches.
    """
    row = 0
    for part in text_batches(texts, batch_bytes=batch_bytes):
        yield row, find_tokens(normalise(part, style))
        row += part.rows


def text_batches(texts: TextBuffer, *, batch_bytes: int = BATCH_BYTES) -> Iterator[TextBuffer]:
    """Cut texts into runs of about `batch_bytes`, of one text at least."""
    size = np.cumsum(texts.sizes)
    row = 0
    while row < texts.rows:
        before = int(size[row] - (texts.ends[row] - texts.starts[row]))
        stop = max(row + 1, int(np.searchsorted(size, before + batch_bytes, side="right")))
        yield texts.part(row, stop)
        row = stop


def find_tokens(texts: TextBuffer) -> Tokens:
    """Hash the tokens of normalised texts; memory is about 60 bytes for each token.

    A token is a word (letters, digits, characters beyond ASCII, and hyphens or apostrophes inside) or a
    punctuation mark; a mark that is repeated without a break counts once. So `word , word` and `word, word`,
    `---` and `-----` give the same tokens.
    """
    data, starts, lengths, borders = _spans(texts)
    return Tokens(_hash(data, starts, lengths), borders)


def token_names(
    texts: TextBuffer, wanted: Iterable[int], *, style: Style = "light", most: int = 3
) -> dict[int, list[str]]:
    """Find what stands in given buckets: for each the `most` most frequent tokens of these texts, most frequent first."""
    found: dict[int, Counter[str]] = {bucket: Counter() for bucket in wanted}
    table = np.zeros(BUCKETS, bool)
    table[list(found)] = True
    for part in text_batches(texts):
        data, starts, lengths, _ = _spans(normalise(part, style))
        buckets = _hash(data, starts, lengths)
        for at in np.flatnonzero(table[buckets]).tolist():
            token = data[starts[at] : starts[at] + min(int(lengths[at]), MAX_TOKEN_BYTES)]
            found[int(buckets[at])][token.tobytes().decode("utf-8", "replace")] += 1
    return {
        bucket: [token for token, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]]
        for bucket, counts in found.items()
    }


def _spans(texts: TextBuffer) -> tuple[npt.NDArray[np.uint8], Buckets, Buckets, Buckets]:
    """Find tokens: padded bytes, and in them the start and length of each token; then the tokens' borders by text."""
    if texts.rows == 0:
        none = np.zeros(0, np.int64)
        return np.full(8, _SPACE, np.uint8), none, none, np.zeros(1, np.int64)
    first, last = int(texts.starts[0]), int(texts.ends[-1])
    # One space before and eight bytes behind: every token has two borders and a whole word can be read at any byte.
    data = np.full(last - first + 9, _SPACE, np.uint8)
    data[1 : last - first + 1] = texts.data[first:last]
    # A class is 0 for a space, 1 for a word, and for a mark its own byte (all are above 1).
    classes = np.frombuffer(data[:-7].tobytes().translate(_CLASSES), np.uint8)
    edges = np.flatnonzero(classes[1:] != classes[:-1]) + 1
    kinds = classes[edges]
    tokens = np.flatnonzero(kinds)  # what begins at the last edge is the space behind
    starts = edges[tokens]
    lengths = edges[tokens + 1] - starts
    lengths[kinds[tokens] > 1] = 1
    borders = np.empty(texts.rows + 1, np.int64)
    borders[:-1] = np.searchsorted(starts, texts.starts - first + 1)
    borders[-1] = len(starts)
    return data, starts, lengths, borders


def _hash(data: npt.NDArray[np.uint8], starts: Buckets, lengths: Buckets) -> Buckets:
    """Mix eight bytes at a time into 64 bits per token; the upper 18 bits are the bucket."""
    words = np.ndarray(len(data) - 7, np.dtype("<u8"), data, strides=(1,))
    state = words[starts]
    state &= _LOW_BYTES[np.minimum(lengths, 8)]
    state *= _MULTIPLY_WORD
    state ^= state >> _HALF
    rest = np.flatnonzero(lengths > 8)
    for done in range(8, MAX_TOKEN_BYTES, 8):
        if len(rest) == 0:
            break
        piece = words[starts[rest] + done]
        piece &= _LOW_BYTES[np.minimum(lengths[rest] - done, 8)]
        piece ^= state[rest]
        piece *= _MULTIPLY_MIX
        piece ^= piece >> _HALF
        state[rest] = piece
        rest = rest[lengths[rest] > done + 8]
    state ^= lengths.view(np.uint64)
    state *= _MULTIPLY_MIX
    state >>= _TO_BUCKET
    return state.view(np.int64)


def count_matrix(texts: TextBuffer, *, style: Style = "light") -> sp.csr_matrix:
    """Count the tokens of n texts by bucket: (n, BUCKETS) float64, as scikit-learn trains on them."""
    parts = [tokens for _, tokens in token_batches(texts, style=style)]
    buckets = np.concatenate([part.buckets for part in parts]) if parts else np.zeros(0, np.int64)
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, np.int64)
    borders = np.concatenate([[0], np.cumsum(counts)])
    matrix = sp.csr_matrix((np.ones(len(buckets)), buckets, borders), shape=(texts.rows, BUCKETS))
    matrix.sum_duplicates()
    return matrix

"""Text to ids at full speed: tiktoken where it is proven to agree with `tokenizers`, else `tokenizers` itself."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mixtures.index_file import token_dtype
from pipeline.tokenize.blocks import EncodedBlock, encode_block
from pipeline.tokenize.chunks import CHUNK_CHARS, safe_chunks
from pipeline.tokenize.long_words import LONG_CHARS, encode_long
from pipeline.tokenize.parity import NASTY, FastEncoder, fast_encoder
from pipeline.tokenize.tokenizer import Tokenizer, load_tokenizer
from pipeline.tokenize.word_table import WordTable

Tokens = npt.NDArray[Any]

BLOCK_BYTES = 1 << 20  # text encoded at once; the arrays beside it take some 15 bytes for each of its own
_CHECKED_CHARS = 1 << 18  # of real text, compared with `tokenizers` before anything is encoded
_logger = logging.getLogger(__name__)

# Worker processes are forked; `tokenizers` hangs in a child when its threads were used before the fork.
os.environ["TOKENIZERS_PARALLELISM"] = "false"


class Encoded(NamedTuple):
    """Ids of n texts, one after the other."""

    tokens: Tokens  # (sum of lengths,) uint16 or int32 by vocabulary; each text ends with the end-of-text id
    lengths: npt.NDArray[
        np.int64
    ]  # (n,) tokens of each text; 0 for an empty or null text, which writes nothing


class _PlainEncoder:
    """One text at a time, through the fast encoder while it may be used."""

    def __init__(self, fast: FastEncoder | None, tokenizer: Tokenizer, dtype: "np.dtype[Any]") -> None:
        self.fast = fast
        self._base = tokenizer.base
        self._dtype = dtype
        self.byte_lengths = np.zeros(0, dtype=np.int64) if fast is None else fast.byte_lengths

    def encode(self, text: str) -> Tokens:
        """Ids of one text, (n,), in the stored type."""
        if self.fast is not None:
            try:
                if len(text) > LONG_CHARS:
                    return encode_long(text, self.fast.encode, self.byte_lengths).astype(self._dtype)
                return self.fast.encode(text).astype(self._dtype)
            except ValueError:
                # Its regular expressions have a stack of a million steps: reached by a single run of that many
                # spaces that has no safe place to cut. The ids are the same either way.
                _logger.debug("tiktoken gave up on %d characters; tokenizers encodes them", len(text))
        return self.slow(text)

    def slow(self, text: str) -> Tokens:
        """Ids by the library that defines them."""
        ids: Sequence[int] = self._base.encode(text, add_special_tokens=False).ids
        return np.array(ids, dtype=self._dtype)


class Encoder:
    """Encodes batches of documents with one end-of-text id after each.

    Args:
        tokenizer: a loaded tokenizer.
        sample: real texts, for instance the first documents of a part, on which the fast path must agree as well.

    `engine` says which library encodes ("tiktoken" or "tokenizers"), `reason` why if it is the slow one.
    """

    def __init__(self, tokenizer: Tokenizer, sample: Iterable[str] = ()) -> None:
        self.tokenizer = tokenizer
        self.dtype = token_dtype(tokenizer.vocabulary_size)
        self._words = WordTable(self.dtype)
        self._eos = np.array([tokenizer.eos_id], dtype=self.dtype)
        found = fast_encoder(tokenizer)
        self._chunked = isinstance(found, FastEncoder)
        self._plain = _PlainEncoder(found if isinstance(found, FastEncoder) else None, tokenizer, self.dtype)
        self._checked_chars = self._encoded_bytes = 0
        self.reason: str | None = None
        if isinstance(found, str):
            self._give_up(found)
        else:
            self.check(NASTY)
            self.check(NASTY)  # now that the table knows their words
            self.check(sample)

    @classmethod
    def load(cls, name: str, *, eos: str | None = None, sample: Iterable[str] = ()) -> "Encoder":
        """Load a tokenizer by name and make its encoder; arguments as `load_tokenizer`."""
        return cls(load_tokenizer(name, eos=eos), sample)

    @property
    def engine(self) -> str:
        """The library that encodes."""
        return "tiktoken" if self._plain.fast else "tokenizers"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_words": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._words = WordTable(self.dtype)

    def check(self, sample: Iterable[str]) -> None:
        """Compare both libraries on real texts; on a difference use `tokenizers` from now on and say so."""
        if self._plain.fast is None:
            return
        for text in sample:
            piece = text[:CHUNK_CHARS]
            if piece and not np.array_equal(
                self.encode_batch(pa.array([piece])).tokens[:-1], self._plain.slow(piece)
            ):
                self._give_up(f"ids differ on the text that starts {piece[:40]!r}")
                return

    def check_some(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """As `check`, as far as it costs little: `tokenizers` is slow, and parts may be small.

        The first texts that a process sees are compared, and then no more than a hundredth of what it encodes.
        """
        for text in texts.to_pylist():
            allowed = _CHECKED_CHARS + self._encoded_bytes // 100 - self._checked_chars
            if not text or allowed <= 0:
                continue
            piece = text[: min(CHUNK_CHARS, allowed)]
            self._checked_chars += len(piece)
            self.check([piece])

    def encode_batch(self, texts: pa.Array | pa.ChunkedArray) -> Encoded:
        """Encode n texts (string or large_string); row order unchanged.

        A lone surrogate cannot be stored in Arrow and so cannot occur. Special tokens that a text spells are text.
        """
        chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        found = [self._encode_array(chunk.cast(pa.large_string()).fill_null("")) for chunk in chunks]
        empty = np.zeros(0, dtype=self.dtype), np.zeros(0, dtype=np.int64)
        tokens, lengths = (np.concatenate(columns) for columns in zip(empty, *found, strict=True))
        return Encoded(tokens, lengths)

    def _encode_array(self, texts: pa.LargeStringArray) -> tuple[Tokens, npt.NDArray[np.int64]]:
        _, offsets, data = texts.buffers()
        if not len(texts) or data is None:
            return np.zeros(0, dtype=self.dtype), np.zeros(len(texts), dtype=np.int64)
        borders = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
        text = np.frombuffer(data, dtype=np.uint8)
        self._encoded_bytes += int(borders[-1] - borders[0])
        lengths = np.zeros(len(texts), dtype=np.int64)
        filled = np.flatnonzero(np.diff(borders))
        ends = borders[filled + 1]
        found: list[Tokens] = []
        first = 0
        while first < len(filled):
            begin = int(borders[filled[first]])
            end = max(first + 1, int(np.searchsorted(ends, begin + BLOCK_BYTES, side="right")))
            rows = filled[first:end]
            block = text[begin : int(ends[end - 1])]
            if self._plain.fast is None or len(block) > BLOCK_BYTES:
                encoded = self._one_by_one(texts.take(pa.array(rows)).to_pylist())
            else:
                within = np.append(borders[rows], ends[end - 1]) - begin
                encoded = encode_block(block, within, table=self._words, encoder=self._plain, eos=self._eos)
            found.append(encoded[0])
            lengths[rows] = encoded[1]
            first = end
        return np.concatenate([np.zeros(0, dtype=self.dtype), *found]), lengths

    def _one_by_one(self, texts: Sequence[str]) -> EncodedBlock:
        pieces = [[*self._pieces(text), self._eos] for text in texts]
        lengths = np.array([sum(map(len, document)) for document in pieces], dtype=np.int64)
        return EncodedBlock(np.concatenate([piece for document in pieces for piece in document]), lengths)

    def encode(self, text: str) -> Tokens:
        """Ids of one text, (n,), without an end-of-text id."""
        return np.concatenate(list(self._pieces(text))) if text else np.zeros(0, dtype=self.dtype)

    def _pieces(self, text: str) -> Iterator[Tokens]:
        if not (self._chunked and len(text) > CHUNK_CHARS):
            yield self._plain.encode(text)
            return
        for chunk in safe_chunks(text):
            block = np.frombuffer(chunk.encode(), dtype=np.uint8)
            if self._plain.fast is None or len(block) > BLOCK_BYTES:
                yield self._plain.encode(chunk)
            else:
                whole = np.array([0, len(block)])
                yield encode_block(
                    block, whole, table=self._words, encoder=self._plain, eos=self._eos
                ).tokens[:-1]

    def _give_up(self, reason: str) -> None:
        self._plain.fast, self.reason = None, reason
        _logger.warning(
            "tokenizer `%s`: encoding with tokenizers, 5 to 8 times slower: %s", self.tokenizer.name, reason
        )


__all__ = ["NASTY", "Encoded", "Encoder"]

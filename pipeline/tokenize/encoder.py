"""Text to ids at full speed: tiktoken where it is proven to agree with `tokenizers`, else `tokenizers` itself."""

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mixtures.index_file import token_dtype
from pipeline.tokenize.chunks import CHUNK_CHARS, safe_chunks
from pipeline.tokenize.parity import NASTY, FastEncoder, fast_encoder
from pipeline.tokenize.tokenizer import Tokenizer, load_tokenizer

Tokens = npt.NDArray[Any]
_logger = logging.getLogger(__name__)

# Worker processes are forked; `tokenizers` hangs in a child when its threads were used before the fork.
os.environ["TOKENIZERS_PARALLELISM"] = "false"


class Encoded(NamedTuple):
    """Ids of n texts, one after the other."""

    tokens: Tokens  # (sum of lengths,) uint16 or int32 by vocabulary; each text ends with the end-of-text id
    lengths: npt.NDArray[
        np.int64
    ]  # (n,) tokens of each text; 0 for an empty or null text, which writes nothing


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
        self._eos = np.array([tokenizer.eos_id], dtype=self.dtype)
        found = fast_encoder(tokenizer)
        self._chunked = isinstance(found, FastEncoder)
        self._fast: FastEncoder | None = None
        self.reason: str | None = None
        if isinstance(found, FastEncoder):
            self._fast = found
            self.check(sample)
        else:
            self._give_up(found)

    @classmethod
    def load(cls, name: str, *, eos: str | None = None, sample: Iterable[str] = ()) -> "Encoder":
        """Load a tokenizer by name and make its encoder; arguments as `load_tokenizer`."""
        return cls(load_tokenizer(name, eos=eos), sample)

    @property
    def engine(self) -> str:
        """The library that encodes."""
        return "tiktoken" if self._fast else "tokenizers"

    def check(self, sample: Iterable[str]) -> None:
        """Compare both libraries on real texts; on a difference use `tokenizers` from now on and say so."""
        for text in sample:
            if self._fast is None:
                return
            piece = text[:CHUNK_CHARS]
            if not np.array_equal(self._fast.encode(piece), self._slow(piece)):
                self._give_up(f"ids differ on the text that starts {piece[:40]!r}")

    def encode_batch(self, texts: pa.Array | pa.ChunkedArray) -> Encoded:
        """Encode n texts (string or large_string); row order unchanged.

        A lone surrogate cannot be stored in Arrow and so cannot occur. Special tokens that a text spells are text.
        """
        pieces: list[Tokens] = []
        lengths = np.zeros(len(texts), dtype=np.int64)
        for row, value in enumerate(texts):
            text = value.as_py()
            if not text:
                continue
            before = len(pieces)
            pieces.extend(self._pieces(text))
            pieces.append(self._eos)
            lengths[row] = sum(map(len, pieces[before:]))
        tokens = np.concatenate(pieces) if pieces else np.zeros(0, dtype=self.dtype)
        return Encoded(tokens, lengths)

    def encode(self, text: str) -> Tokens:
        """Ids of one text, (n,), without an end-of-text id."""
        return np.concatenate(self._pieces(text)) if text else np.zeros(0, dtype=self.dtype)

    def _pieces(self, text: str) -> list[Tokens]:
        chunks = safe_chunks(text) if self._chunked and len(text) > CHUNK_CHARS else (text,)
        return [self._chunk(chunk).astype(self.dtype) for chunk in chunks]

    def _chunk(self, text: str) -> Tokens:
        if self._fast is not None:
            try:
                return self._fast.encode(text)
            except ValueError:
                # Its regular expressions have a stack of a million steps: reached by a single run of that many
                # spaces that has no safe place to cut. The ids are the same either way.
                _logger.debug(
                    "tiktoken gave up on a piece of %d characters; tokenizers encodes it", len(text)
                )
        return self._slow(text)

    def _slow(self, text: str) -> Tokens:
        ids: Sequence[int] = self.tokenizer.base.encode(text, add_special_tokens=False).ids
        return np.array(ids, dtype=np.uint32)

    def _give_up(self, reason: str) -> None:
        self._fast, self.reason = None, reason
        _logger.warning(
            "tokenizer `%s`: encoding with tokenizers, 5 to 8 times slower: %s", self.tokenizer.name, reason
        )


__all__ = ["NASTY", "Encoded", "Encoder"]

"""What a batch of texts is made of - characters, tokens, lines, paragraphs, sentences - each found once, when asked for."""

from collections.abc import Iterator
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from text.buffers import Bytes, Hashes, Offsets, TextBuffer, text_buffer
from text.characters import Characters, characters
from text.lines import Lines, Spans, find_lines, find_paragraphs
from text.sentences import find_sentences
from text.spans import hash_spans
from text.tokens import Tokens, find_tokens, joined, later_copies

BATCH_BYTES = 1 << 19  # measured on pages: 64 KiB is half as fast, 1 MiB no faster


class Anatomy:
    """Views of n texts; all offsets count bytes from the start of the batch.

    The texts touch: text d is `data[starts[d]:ends[d]]` and begins where text d - 1 ends. A null counts as empty.
    """

    def __init__(self, texts: TextBuffer) -> None:
        self.texts = texts

    @classmethod
    def of(cls, texts: pa.Array) -> Self:
        """Look at an array of strings; copies nothing unless there are nulls in it."""
        found = text_buffer(pc.fill_null(texts, "") if texts.null_count else texts)
        if not found.rows:
            return cls(found)
        base, stop = int(found.starts[0]), int(found.ends[-1])
        return cls(TextBuffer(found.data[base:stop], found.starts - base, found.ends - base))

    def batches(self, batch_bytes: int = BATCH_BYTES) -> Iterator[Self]:
        """Go through the texts, some at a time; a text larger than `batch_bytes` comes alone, in one piece."""
        first, ends = 0, self.texts.ends
        while first < self.texts.rows:
            base = int(self.texts.starts[first])
            stop = max(first + 1, int(np.searchsorted(ends, base + batch_bytes, side="right")))
            part = self.texts.part(first, stop)
            yield type(self)(
                TextBuffer(part.data[base : int(part.ends[-1])], part.starts - base, part.ends - base)
            )
            first = stop

    @property
    def rows(self) -> int:
        """Number of texts."""
        return self.texts.rows

    @property
    def data(self) -> Bytes:
        """The texts' bytes, end to end."""
        return self.texts.data

    @cached_property
    def characters(self) -> Characters:
        """Classes and counts of characters."""
        return characters(self.data)

    @cached_property
    def character_counts(self) -> Offsets:
        """Characters of each text: (n,)."""
        return self.characters.between(self.texts.starts, self.texts.ends)

    @cached_property
    def tokens(self) -> Tokens:
        """Words and punctuation."""
        return find_tokens(self.texts, self.characters)

    @cached_property
    def token_chars(self) -> Offsets:
        """Characters of each token: (n_tokens,)."""
        return self.characters.between(self.tokens.starts, self.tokens.ends)

    @cached_property
    def token_hashes(self) -> Hashes:
        """One number for each spelling, case and all: (n_tokens,)."""
        return hash_spans(self.data, self.tokens.starts, self.tokens.ends)

    @cached_property
    def token_joined(self) -> npt.NDArray[np.bool_]:
        """Whether a token follows another of its text without a space: (n_tokens,)."""
        return joined(self.tokens)

    @cached_property
    def lines(self) -> Lines:
        """What newlines separate."""
        return find_lines(self.texts, self.tokens)

    @cached_property
    def line_copies(self) -> npt.NDArray[np.bool_]:
        """Which lines equal an earlier one of their text: (n_lines,)."""
        lines = self.lines
        return later_copies(hash_spans(self.data, lines.starts, lines.ends), lines.borders)

    @cached_property
    def paragraphs(self) -> Spans:
        """What empty lines separate."""
        return find_paragraphs(self.lines)

    @cached_property
    def sentences(self) -> Spans:
        """What sentence marks separate."""
        return find_sentences(self.data, self.characters, self.tokens, self.token_joined, self.lines)

"""The bytes that each id of a byte-level tokenizer stands for, and so the characters that a stretch of ids covers."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import pre_tokenizers

from pipeline.tokenize.tokenizer import Tokenizer

Tokens = npt.NDArray[Any]


class Stretch(NamedTuple):
    """Characters [first, end) of a text, a character that a border cuts included."""

    first: int
    end: int
    text: str  # what the ids stand for; halves of characters at the borders become U+FFFD


@dataclass(frozen=True)
class TokenBytes:
    """Bytes by id."""

    words: tuple[bytes, ...]  # (vocabulary,); empty for special tokens
    starts: npt.NDArray[np.int64]  # (vocabulary,) characters that begin in each
    inside: npt.NDArray[np.bool_]  # (vocabulary,) begins in the middle of a character

    def stretch(self, tokens: Tokens, first: int, end: int) -> Stretch:
        """Find the characters of tokens [first, end) of a text.

        Args:
            tokens: (n,) ids of the text from its start, at least `end` of them.
            first: of the stretch.
            end: of the stretch.
        """
        before = int(self.starts[tokens[:first]].sum())
        here = tokens[first:end]
        text = b"".join([self.words[token] for token in here.tolist()]).decode("utf-8", "replace")
        cut = bool(len(here)) and bool(self.inside[here[0]])
        return Stretch(before - cut, before + int(self.starts[here].sum()), text)


def token_bytes(tokenizer: Tokenizer) -> TokenBytes | None:
    """Find the bytes of every id; None if the tokenizer's ids joined are not the bytes of the text."""
    return _token_bytes(tokenizer.fingerprint, tokenizer)


@lru_cache(maxsize=2)
def _token_bytes(_fingerprint: str, tokenizer: Tokenizer) -> TokenBytes | None:
    parts: dict[str, Any] = json.loads(tokenizer.base.to_str())
    if parts.get("normalizer") is not None or not _is_byte_level(parts.get("pre_tokenizer") or {}):
        return None
    byte_of = byte_of_character()
    words = [b""] * tokenizer.vocabulary_size
    for word, number in parts["model"]["vocab"].items():
        if all(character in byte_of for character in word):
            words[number] = bytes(byte_of[character] for character in word)
    for token in parts.get("added_tokens", []):
        words[token["id"]] = b"" if token.get("special") else token["content"].encode()
    words[tokenizer.eos_id] = b""  # GPT-2's vocabulary spells it out; text never becomes it
    starts = np.array([sum(byte & 0xC0 != 0x80 for byte in word) for word in words], dtype=np.int64)
    inside = np.array([bool(word) and word[0] & 0xC0 == 0x80 for word in words])
    return TokenBytes(tuple(words), starts, inside)


def _is_byte_level(pre: dict[str, Any]) -> bool:
    """Whether a pre-tokenizer turns text into stand-ins for its bytes, adding and dropping nothing."""
    steps = pre.get("pretokenizers", [pre])
    kept = all(
        step.get("type") == "ByteLevel"
        or (step.get("type") == "Split" and step.get("behavior") == "Isolated")
        for step in steps
    )
    byte_level = [step for step in steps if step.get("type") == "ByteLevel"]
    return kept and len(byte_level) == 1 and not byte_level[0].get("add_prefix_space")


def byte_of_character() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes: printable ones stand for themselves, the others follow from U+0100."""
    direct = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
    others = [b for b in range(256) if b not in set(direct)]
    table = {chr(b): b for b in direct} | {chr(256 + n): b for n, b in enumerate(others)}
    assert table.keys() == set(pre_tokenizers.ByteLevel.alphabet())
    return table

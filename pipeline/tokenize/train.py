"""Trains a byte-level BPE on a build's own text; the same texts give the same tokenizer."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tokenizers import Tokenizer as BaseTokenizer
from tokenizers import decoders, models, pre_tokenizers, trainers

from mixtures.manifest import write_atomically
from mixtures.split import is_validation
from mixtures.weights import Number, from_weights
from pipeline.errors import UsageError
from pipeline.tokenize.chunks import safe_chunks
from pipeline.tokenize.tokenizer import END_OF_TEXT, Tokenizer, load_tokenizer

SMALLEST = 257  # every byte, and the end-of-text token
_LARGEST = 1 << 20


def train_tokenizer(
    texts: Iterable[str], path: Path, *, vocabulary_size: int, min_frequency: int = 2, eos: str = END_OF_TEXT
) -> Tokenizer:
    """Train a tokenizer as GPT-2's is: bytes, GPT-2's split of text, merges by frequency, one end-of-text token.

    Ids: the 256 bytes, then the merges, then end-of-text as the last.

    Args:
        texts: documents; read once, not kept. The library keeps the count of each distinct word.
        path: of the `tokenizer.json` to write.
        vocabulary_size: ids in all; fewer if the texts have no more pairs that occur `min_frequency` times.
        min_frequency: of a pair that is merged.
        eos: text of the end-of-text token.

    Raises:
        UsageError: the size is out of range, or the texts hold nothing to learn from.
    """
    if not SMALLEST <= vocabulary_size <= _LARGEST:
        raise UsageError(f"a vocabulary of {vocabulary_size:,} ids; expected {SMALLEST} to {_LARGEST:,}")
    base = BaseTokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - 1,
        min_frequency=min_frequency,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    counted = _Counted(texts)
    base.train_from_iterator(iter(counted), trainer=trainer)
    if not counted.characters:
        raise UsageError(f"{path}: no text to train a tokenizer on")
    base.add_special_tokens([eos])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, base.to_str(pretty=True).encode())
    load_tokenizer.cache_clear()  # a path that was loaded before now holds another tokenizer
    return load_tokenizer(str(path), eos=eos)


def sampling_rates(
    source_bytes: Mapping[str, int], weights: Mapping[str, Number], *, budget_bytes: int
) -> dict[str, float]:
    """Share of each source's documents to train on, so that the sample has the mixture's weights.

    Args:
        source_bytes: size of each source's text.
        weights: of the mixture.
        budget_bytes: of the sample; it is less where a source is too small to fill its share.

    Returns:
        A rate for each source in `weights`, at most 1.
    """
    exact = from_weights(weights)
    return {
        name: min(1.0, budget_bytes * weight / exact.period / max(1, source_bytes[name]))
        for name, weight in exact.weights.items()
    }


def draw(documents: Iterable[tuple[str, str]], *, rate: float, seed: int) -> Iterator[str]:
    """Texts of the documents that a keyed hash of (seed, id) chooses; order unchanged.

    Args:
        documents: (id, text).
        rate: share of documents to choose, 0 to 1.
        seed: of the recipe.
    """
    key = int.from_bytes(hashlib.blake2b(f"{seed}\0tokenizer".encode(), digest_size=8).digest(), "little")
    for name, text in documents:
        if is_validation([name], seed=key, fraction=rate)[0]:
            yield text


class _Counted:
    """Cuts long texts, which the library would copy several times, and counts what went through."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            self.characters += len(text)
            yield from safe_chunks(text)

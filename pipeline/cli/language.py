"""What training wants to know of a tokenizer, loaded for the commands that train, sample and evaluate."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mixtures.mixture import Mixture
    from pipeline.tokenize.tokenizer import Tokenizer
    from training.run import Language


def need_torch() -> None:
    """Refuse in one line where PyTorch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise UsageError("training needs the train extra: pip install 'crawlmix[train]'")


def tokenizer_of(mixture: "Mixture", name: str | None) -> "Tokenizer | None":
    """The tokenizer that made a mixture's tokens.

    Args:
        mixture: states the fingerprint.
        name: as the user gave it; None to try GPT-2's.

    Returns:
        None if none was named and GPT-2's is not the one.

    Raises:
        UsageError: the one that was named is another.
    """
    from pipeline.tokenize.tokenizer import load_tokenizer

    found = load_tokenizer(name or "gpt2")
    if found.fingerprint == mixture.tokenizer:
        return found
    if name is None:
        return None
    raise UsageError(
        f"tokenizer `{name}` has fingerprint {found.fingerprint[:16]}, but mixture `{mixture.name}` was made with "
        f"{mixture.tokenizer[:16]}; name the tokenizer of the build"
    )


def tokenizer_named(mixture: Mapping[str, Any], name: str | None) -> "Tokenizer":
    """The tokenizer of a trained model's mixture (the file's content), which the caller cannot do without.

    Raises:
        UsageError: it is another than the one named, or not GPT-2's and none was named.
    """
    from pipeline.tokenize.tokenizer import load_tokenizer

    found = load_tokenizer(name or "gpt2")
    if found.fingerprint != mixture["tokenizer"]:
        raise UsageError(
            f"tokenizer `{name or 'gpt2'}` has fingerprint {found.fingerprint[:16]}, but the model was trained on tokens "
            f"of {str(mixture['tokenizer'])[:16]}; give the tokenizer of the build with --tokenizer"
        )
    return found


def language_of(mixture_file: Path, name: str | None) -> "Language":
    """Decoder and byte counts for a mixture; empty if its tokenizer is not at hand. Arguments as `tokenizer_of`."""
    from mixtures.mixture import Mixture
    from training.run import Language

    tokenizer = tokenizer_of(Mixture.read(mixture_file), name)
    if tokenizer is None:
        return Language()
    return Language(decode=tokenizer.decode, bytes_per_token=bytes_per_token(tokenizer))


def bytes_per_token(tokenizer: "Tokenizer") -> "np.typing.NDArray[np.int64] | None":
    """UTF-8 bytes that each id stands for, (vocabulary,), 0 for end-of-text; None if ids do not spell bytes."""
    from pipeline.tokenize.parity import FastEncoder, fast_encoder

    fast = fast_encoder(tokenizer)
    if not isinstance(fast, FastEncoder):
        return None
    counts = np.zeros(tokenizer.vocabulary_size, dtype=np.int64)
    counts[: len(fast.byte_lengths)] = fast.byte_lengths[: len(counts)]
    counts[tokenizer.eos_id] = 0
    return counts

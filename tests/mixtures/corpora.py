"""Small token sources that tests make themselves."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mixtures.manifest import Manifest, TokenizerId
from mixtures.mixture import Mixture, build_mixture
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from mixtures.weights import Number

EOS = 50256
TOKENIZER = TokenizerId("gpt2", "f" * 64)


def documents(count: int, seed: int, longest: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Tokens (n,) uint16 and lengths (count,) of random documents."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, longest, count)
    tokens = draw.integers(0, EOS, int(lengths.sum())).astype(np.uint16)
    tokens[np.cumsum(lengths) - 1] = EOS
    return tokens, lengths


def write_source(
    folder: Path, name: str, tokens: np.ndarray, lengths: np.ndarray, *, shard_tokens: int = 5_000
) -> Manifest:
    with ShardWriter(
        folder / name,
        source=name,
        tokenizer=TOKENIZER,
        vocabulary_size=50257,
        eos_id=EOS,
        shard_tokens=shard_tokens,
    ) as writer:
        writer.add(tokens, lengths)
    return Manifest.read(folder / name)


def make_mixture(
    root: Path,
    weights: Mapping[str, Number],
    *,
    length: int = 64,
    tokens: int | None = 200_000,
    seed: int = 7,
) -> tuple[Path, Mixture]:
    """Sources of different size, their mixture, and the path of its file."""
    for number, name in enumerate(sorted(weights)):
        write_source(root / "shards", name, *documents(60 + 40 * number, seed=number))
    shards = {name: ShardSet(root / "shards" / name) for name in weights}
    path = root / "mixtures" / "mix.json"
    mixture = build_mixture(
        "mix",
        shards,
        relative_to=path.parent,
        weights=weights,
        sequence_length=length,
        tokens=tokens,
        seed=seed,
    )
    mixture.write(path)
    return path, mixture

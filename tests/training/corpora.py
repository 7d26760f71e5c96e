"""A small corpus of bytes with something to learn in it, and runs on it."""

from pathlib import Path

import numpy as np

from mixtures.manifest import TokenizerId
from mixtures.mixture import build_mixture
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from training.settings import TrainSettings

EOS = 256
VOCABULARY = 257
TOKENIZER = TokenizerId("bytes", "b" * 64)
LICENSE = Path(__file__).resolve().parents[2] / "LICENSE"


def write_documents(folder: Path, source: str, texts: list[bytes], *, split: str = "train") -> None:
    pieces = [np.append(np.frombuffer(text, dtype=np.uint8).astype(np.uint16), EOS) for text in texts]
    with ShardWriter(
        folder, source=source, tokenizer=TOKENIZER, vocabulary_size=VOCABULARY, eos_id=EOS, split=split
    ) as writer:
        writer.add(
            np.concatenate(pieces).astype(np.uint16),
            np.array([len(piece) for piece in pieces], dtype=np.int64),
        )


def make_mixture(
    root: Path,
    *,
    length: int = 64,
    tokens: int = 200_000,
    weights: dict[str, int] | None = None,
    name: str = "mix",
) -> Path:
    """The licence in two sources, one of them in capitals, and a held-out part of the other."""
    text = LICENSE.read_bytes()
    paragraphs = text.split(b"\n\n")
    cut = len(paragraphs) * 4 // 5
    if not (root / "shards").exists():
        write_documents(root / "shards/prose", "prose", paragraphs[:cut])
        write_documents(root / "shards/lines", "lines", text.upper().splitlines()[:150])
        write_documents(root / "shards/prose/validation", "prose", paragraphs[cut:], split="validation")
    path = root / "mixtures" / f"{name}.json"
    build_mixture(
        name,
        {name: ShardSet(root / "shards" / name) for name in ("prose", "lines")},
        relative_to=path.parent,
        weights=weights or {"prose": 3, "lines": 1},
        sequence_length=length,
        tokens=tokens,
        seed=5,
    ).write(path)
    return path


def settings(mixture: Path, out: Path, **changes: object) -> TrainSettings:
    """A run of seconds."""
    chosen: dict[str, object] = {
        "batch": 8, "device": "cpu", "steps": 6, "checkpoint_every": 0, "validate_every": 0
    } | changes  # fmt: skip
    return TrainSettings(mixture=mixture, out=out, **chosen)  # type: ignore[arg-type]  # a bundle of keywords

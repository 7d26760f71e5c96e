"""The mixture file: sources, integer weights, seed, length, and the shards that it was made for."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from mixtures.difference import deciding
from mixtures.errors import MixtureError
from mixtures.manifest import ShardEntry, read_json, write_atomically
from mixtures.sampler import Sampler, window_count
from mixtures.shards import ShardSet
from mixtures.weights import Number, Weights, exact, from_epochs, from_weights, integers

VERSION = 1
VALIDATION = "validation"  # folder of the held-out split, inside a source's shards


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a mixture."""

    name: str
    folder: str  # of its shards, relative to the mixture file
    given: dict[str, str]  # what the recipe said: {"weight": "22"} or {"epochs": "2.9"}
    weight: int
    tokens: int
    documents: int
    windows: int  # samples in one epoch
    shards: tuple[ShardEntry, ...]
    validation_tokens: int


@dataclass(frozen=True, slots=True)
class Mixture:
    """Everything that decides what sample number g is."""

    name: str
    seed: int
    sequence_length: int
    samples: int  # asked for; the order goes on beyond
    dtype: str
    eos_id: int
    vocabulary_size: int
    tokenizer: str  # fingerprint
    weight_error: float  # largest share lost to rounding; 0.0 when the weights are exact
    sources: tuple[Source, ...]  # by weight, largest first, then by name
    version: int = VERSION

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a sample; a checkpoint keeps it beside its one integer."""
        text = json.dumps(deciding(asdict(self)), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def tokens(self) -> int:
        """Tokens that the samples asked for hold as inputs."""
        return self.samples * self.sequence_length

    def to_dict(self) -> dict[str, Any]:
        """The mixture file's content."""
        return asdict(self) | {"fingerprint": self.fingerprint}

    def write(self, path: Path) -> None:
        """Write the mixture file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(self.to_dict(), indent=1, sort_keys=True) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a mixture file.

        Raises:
            MixtureError: it is missing, of another version, damaged, or was edited by hand.
        """
        raw = read_json(path, "mixture")
        if raw.get("version") != VERSION:
            raise MixtureError(
                f"{path}: version {raw.get('version')!r}; this release reads version {VERSION}"
            )
        stated = raw.pop("fingerprint", None)
        try:
            sources = tuple(
                Source(**entry | {"shards": tuple(ShardEntry(**shard) for shard in entry["shards"])})
                for entry in raw["sources"]
            )
            mixture = cls(**raw | {"sources": sources})
        except (KeyError, TypeError) as error:
            raise MixtureError(f"{path}: not a mixture file ({error}); build the mixture again") from error
        if stated != mixture.fingerprint:
            raise MixtureError(
                f"{path}: the file was changed: its content has fingerprint {mixture.fingerprint[:16]}, "
                f"it states {str(stated)[:16]}; build the mixture again"
            )
        return mixture

    def sampler(self) -> Sampler:
        """The order of the samples."""
        return Sampler(
            {source.name: source.weight for source in self.sources},
            {source.name: source.windows for source in self.sources},
            seed=self.seed,
        )

    def open_shards(self, path: Path, *, complete: bool = True) -> dict[str, ShardSet]:
        """Open every source's shards and check that they are those the mixture was made for.

        Args:
            path: the mixture file, from which the folders are found.
            complete: all shards must be there; see `ShardSet`.

        Raises:
            MixtureError: shards are missing, of another size, or not those that the mixture names.
        """
        opened = {}
        for source in self.sources:
            shards = ShardSet(path.parent / source.folder, complete=complete)
            if shards.manifest.shards != source.shards:
                raise MixtureError(
                    f"{path}: source `{source.name}`: {_changed_shard(source.shards, shards.manifest.shards)} in "
                    f"{shards.folder}; the shards were built again, build the mixture again"
                )
            if shards.manifest.tokenizer.fingerprint != self.tokenizer:
                raise MixtureError(
                    f"{path}: source `{source.name}`: shards of another tokenizer in {shards.folder}"
                )
            opened[source.name] = shards
        return opened


def build_mixture(
    name: str,
    shards: Mapping[str, ShardSet],
    *,
    relative_to: Path,
    weights: Mapping[str, Number] | None = None,
    epochs: Mapping[str, Number] | None = None,
    sequence_length: int = 2048,
    tokens: int | None = None,
    seed: int = 0,
) -> Mixture:
    """Make a mixture of opened shards.

    Args:
        name: of the mixture.
        shards: of at least the sources that `weights` and `epochs` name.
        relative_to: folder that the mixture file will lie in.
        weights: share of the samples of each source, on any scale.
        epochs: passes over each source. With both, `tokens` is needed: the passes are taken off first, the weights
            share what is left.
        sequence_length: tokens of a sample, less the one extra target.
        tokens: to train on. Default: with epochs alone their sum; with weights, as much as no source repeats in.
        seed: of the shuffles.

    Raises:
        MixtureError: a weight is wrong, a source is unknown, too small or of another tokenizer.
    """
    weights, epochs = dict(weights or {}), dict(epochs or {})
    if sequence_length < 1:
        raise MixtureError(f"mixture `{name}`: sequence_length is {sequence_length}; expected 1 or more")
    chosen = {source: _known(name, source, shards) for source in (*weights, *epochs)}
    _same_tokenizer(name, chosen)
    windows = {source: window_count(len(found), sequence_length) for source, found in chosen.items()}
    for source, count in windows.items():
        if not count:
            raise MixtureError(
                f"mixture `{name}`: source `{source}` has {len(chosen[source]):,} tokens, fewer than the "
                f"{sequence_length + 1:,} of one sample; leave it out or shorten sequence_length"
            )
    asked = None if tokens is None else tokens // sequence_length
    if asked is not None and asked < 1:
        raise MixtureError(
            f"mixture `{name}`: {tokens:,} tokens are less than one sample of {sequence_length:,}"
        )
    solved = solve_weights(weights, epochs, windows, samples=asked)
    first = next(iter(chosen.values())).manifest
    return Mixture(
        name=name,
        seed=seed,
        sequence_length=sequence_length,
        samples=asked or default_samples(solved, epochs if not weights else {}, windows),
        dtype=first.dtype,
        eos_id=first.eos_id,
        vocabulary_size=first.vocabulary_size,
        tokenizer=first.tokenizer.fingerprint,
        weight_error=solved.error,
        sources=tuple(
            Source(
                name=source,
                folder=Path(os.path.relpath(chosen[source].folder, relative_to)).as_posix(),
                given={"weight": str(weights[source])}
                if source in weights
                else {"epochs": str(epochs[source])},
                weight=weight,
                tokens=len(chosen[source]),
                documents=chosen[source].manifest.documents,
                windows=windows[source],
                shards=chosen[source].manifest.shards,
                validation_tokens=_validation_tokens(chosen[source]),
            )
            for source, weight in solved.weights.items()
        ),
    )


def solve_weights(
    weights: Mapping[str, Number],
    epochs: Mapping[str, Number],
    windows: Mapping[str, int],
    *,
    samples: int | None,
) -> Weights:
    """Integer weights from weights, epochs, or both.

    Args:
        weights: of some sources, on any scale.
        epochs: of the other sources.
        windows: samples in one epoch of each source.
        samples: of the whole run; needed if both forms are used.

    Raises:
        MixtureError: a number is wrong, a source has both forms, or the epochs leave nothing to the weights.
    """
    for source in weights.keys() & epochs.keys():
        raise MixtureError(f"source `{source}` has both a weight and epochs; give one of them")
    if not epochs:
        return from_weights(weights)
    if not weights:
        return from_epochs(epochs, windows)
    if samples is None:
        raise MixtureError("weights and epochs in one mixture need `tokens`, the size of the whole run")
    shares = {
        source: exact(value, f"epochs of source `{source}`") * windows[source] / samples
        for source, value in epochs.items()
    }
    left = 1 - sum(shares.values())
    if left <= 0:
        raise MixtureError(
            f"the epochs alone take {float(1 - left):.1%} of the run; nothing is left for the weights"
        )
    parts = {source: exact(value, f"weight of source `{source}`") for source, value in weights.items()}
    total = sum(parts.values(), Fraction(0))
    return integers(shares | {source: part / total * left for source, part in parts.items()})


def default_samples(solved: Weights, epochs: Mapping[str, Number], windows: Mapping[str, int]) -> int:
    """Samples of a run whose size was not given: the epochs asked for, or as many as no source repeats in."""
    if epochs:
        return max(
            1, round(sum(exact(value, "epochs") * windows[source] for source, value in epochs.items()))
        )
    return max(1, min(windows[source] * solved.period // weight for source, weight in solved.weights.items()))


def _known(mixture: str, source: str, shards: Mapping[str, ShardSet]) -> ShardSet:
    if source not in shards:
        raise MixtureError(
            f"mixture `{mixture}`: unknown source `{source}`; there are {', '.join(sorted(shards))}"
        )
    return shards[source]


def _same_tokenizer(mixture: str, shards: Mapping[str, ShardSet]) -> None:
    about = {
        name: (found.manifest.tokenizer.fingerprint, found.manifest.dtype, found.manifest.eos_id)
        for name, found in shards.items()
    }
    if len(set(about.values())) > 1:
        names = "; ".join(
            f"`{name}`: {shards[name].manifest.tokenizer.name} ({about[name][0][:12]})" for name in about
        )
        raise MixtureError(f"mixture `{mixture}`: sources of different tokenizers cannot be mixed: {names}")


def _validation_tokens(shards: ShardSet) -> int:
    folder = shards.folder / VALIDATION
    return len(ShardSet(folder, complete=shards.complete)) if folder.is_dir() else 0


def _changed_shard(stored: tuple[ShardEntry, ...], found: tuple[ShardEntry, ...]) -> str:
    for old, new in zip(stored, found, strict=False):
        if old != new:
            return f"{old.file} has SHA-256 {new.sha256[:16]} instead of {old.sha256[:16]}"
    return f"{len(found)} shards instead of {len(stored)}"

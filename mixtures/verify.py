"""Proves on the real files what a mixture promises."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixtures.dataset import MixtureDataset, rank_samples
from mixtures.errors import MixtureError
from mixtures.permutation import permute, round_keys
from mixtures.sampler import Sampler
from mixtures.shards import ShardSet

_BLOCK = 1 << 20  # samples or slots looked at together


@dataclass(frozen=True, slots=True)
class Check:
    """One promise and what was found."""

    promise: str
    held: bool
    found: str


def verify_mixture(path: Path, *, checksums: bool = True, epochs: int = 2) -> list[Check]:
    """Check every promise of a mixture on its own shards.

    Args:
        path: the mixture file.
        checksums: read all shards and compare their SHA-256, and count their end-of-text ids.
        epochs: of each source whose shuffle is checked whole, at least those that the run begins.

    Raises:
        MixtureError: the mixture file or a manifest cannot be read at all.
    """
    dataset = MixtureDataset(path)
    sampler = dataset.sampler
    checks = []
    if checksums:
        checks += [
            _shards_hold(name, shards) for name, shards in zip(sampler.names, dataset.shards, strict=True)
        ]
    checks.append(_prefixes(sampler))
    checks.append(_counts(sampler, dataset.mixture.samples))
    checks += [_shuffle(sampler, number, epochs) for number in range(len(sampler.names))]
    checks.append(_windows_once(sampler, dataset.mixture.samples))
    checks.append(_any_world(dataset))
    return checks


def _shards_hold(name: str, shards: ShardSet) -> Check:
    promise = f"{name}: shards are unchanged, and each document ends with its only end-of-text id"
    eos = shards.manifest.eos_id
    try:
        shards.verify()
        for number, entry in enumerate(shards.manifest.shards):
            view, ends = shards.view(number), np.cumsum(shards.lengths(number))
            found = sum(
                int(np.count_nonzero(view[at : at + _BLOCK] == eos)) for at in range(0, len(view), _BLOCK)
            )
            if found != entry.documents or bool(np.any(view[ends - 1] != eos)):
                return Check(
                    promise,
                    held=False,
                    found=f"{entry.file}: {found:,} end-of-text ids, {entry.documents:,} documents",
                )
    except MixtureError as error:
        return Check(promise, held=False, found=str(error))
    return Check(promise, held=True, found=f"{shards.manifest.documents:,} documents, {len(shards):,} tokens")


def _prefixes(sampler: Sampler) -> Check:
    """Largest |count * M - s * p| over every prefix s of a period and every source; below M means below one sample."""
    worst = 0
    steps = np.arange(1, sampler.period + 1, dtype=np.int64)
    for number, weight in enumerate(sampler.weights):
        counts = np.cumsum(sampler.order == number, dtype=np.int64)
        worst = max(worst, int(np.max(np.abs(counts * sampler.period - steps * weight))))
    return Check(
        "every prefix is within one sample of its weights",
        held=worst < sampler.period,
        found=f"largest deviation {worst}/{sampler.period} = {worst / sampler.period:.3f} of a sample",
    )


def _counts(sampler: Sampler, samples: int) -> Check:
    counts = sampler.counts(samples)
    whole = tuple(np.bincount(sampler.order, minlength=len(sampler.names)).tolist())
    return Check(
        "a period gives each source exactly its weight",
        held=whole == sampler.weights and sum(counts) == samples,
        found=", ".join(f"{name} {count:,}" for name, count in zip(sampler.names, counts, strict=True)),
    )


def _shuffle(sampler: Sampler, number: int, epochs: int) -> Check:
    name, windows = sampler.names[number], sampler.windows[number]
    for epoch in range(epochs):
        seen = np.zeros(windows, dtype=bool)
        keys = np.array(round_keys(sampler.seed, name, epoch), dtype=np.uint64)
        for start in range(0, windows, _BLOCK):
            slots = np.arange(start, min(start + _BLOCK, windows), dtype=np.uint64)
            seen[permute(slots, windows, keys)] = True
        if not seen.all():
            missing = int(np.flatnonzero(~seen)[0])
            return Check(
                f"{name}: an epoch has every window once",
                held=False,
                found=f"epoch {epoch} misses window {missing}",
            )
    return Check(
        f"{name}: an epoch has every window once", held=True, found=f"{windows:,} windows, {epochs} epochs"
    )


def _windows_once(sampler: Sampler, samples: int) -> Check:
    """Walk the run itself: slots of a source must follow each other 0, 1, 2, ... through its epochs."""
    promise = "the run takes the windows of each source in turn, none twice before all were seen"
    limit = min(samples, 20 * _BLOCK)
    following = np.zeros(len(sampler.names), dtype=np.uint64)
    for start in range(0, limit, _BLOCK):
        places = sampler.places(np.arange(start, min(start + _BLOCK, limit), dtype=np.uint64))
        for number, windows in enumerate(sampler.windows):
            mine = places.source == number
            ordinals = places.epoch[mine] * np.uint64(windows) + places.slot[mine]
            expected = following[number] + np.arange(len(ordinals), dtype=np.uint64)
            if not np.array_equal(ordinals, expected):
                return Check(
                    promise,
                    held=False,
                    found=f"`{sampler.names[number]}` is out of turn near sample {start:,}",
                )
            following[number] += np.uint64(len(ordinals))
    return Check(promise, held=True, found=f"{limit:,} samples walked")


def _any_world(dataset: MixtureDataset) -> Check:
    """One global batch read by worlds of different size holds the same tokens."""
    promise = "a batch holds the same samples for any world size and micro-batch"
    batch, consumed = 16, max(0, min(dataset.mixture.samples, 1000) - 16)
    straight = dataset.batch(np.arange(consumed, consumed + batch, dtype=np.uint64))
    for world, micro in ((1, 16), (2, 4), (8, 1), (4, 2)):
        ranks = [
            rank_samples(consumed, batch, rank=rank, world=world, micro_batch=micro) for rank in range(world)
        ]
        numbers = np.concatenate([rank.ravel() for rank in ranks])
        tokens = dataset.batch(numbers)[np.argsort(numbers)]
        if not np.array_equal(tokens, straight):
            return Check(
                promise, held=False, found=f"world {world}, micro-batch {micro} differs at sample {consumed}"
            )
    return Check(promise, held=True, found="worlds of 1, 2, 4 and 8 agree")

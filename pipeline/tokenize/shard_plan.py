"""Which documents each shard of a source holds, and a fingerprint of each shard to know it again by."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mixtures.mixture import VALIDATION
from mixtures.shard_writer import SHARD_TOKENS, cut_shards
from mixtures.split import is_validation
from pipeline.errors import CrawlmixError
from pipeline.storage.paths import join
from pipeline.tokenize.part_tokens import PART_DOCUMENTS, PartTokens
from pipeline.tokenize.tokenizer import Tokenizer
from text.hashes import fmix64, hash_strings

VERSION = 1  # of what the files of a shard hold for the same documents

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
UInt64s = npt.NDArray[np.uint64]


class _Columns(NamedTuple):
    """What a plan needs to know of n documents: (n,) each."""

    length: Int64s  # tokens
    held: Bools  # of the validation split
    out: Bools  # taken out
    digest: UInt64s


_NOTHING = _Columns(np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, bool), np.zeros(0, np.uint64))


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows [first, end) of a part's documents table, but those that were taken out."""

    stem: str
    first: int
    end: int
    out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardTask:
    """All that a worker needs to write one shard."""

    folder: str
    split: str  # "train" or "validation"
    index: int
    slices: tuple[Slice, ...]  # rows of the other split and empty ones are left out when it is written
    fingerprint: str  # of all that decides its files: a shard that carries it is not written again
    vocabulary_size: int
    eos_id: int
    seed: int
    validation: float  # share of documents held out

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` gave, JSON in between."""
        slices = (Slice(**{**piece, "out": tuple(piece["out"])}) for piece in told["slices"])
        return cls(**{**told, "slices": tuple(slices)})


@dataclass(frozen=True, slots=True)
class Plan:
    """The shards of one source: what to write, and what the manifests will say."""

    source: str
    folder: str  # path or URL
    tokenizer: Tokenizer
    inputs: str  # fingerprint
    tasks: tuple[ShardTask, ...] = field(repr=False)


def plan_shards(
    source: str,
    folder: str,
    stems: Sequence[str],
    tokenizer: Tokenizer,
    *,
    shard_tokens: int = SHARD_TOKENS,
    seed: int = 0,
    validation: float = 0.0,
    excluded: Collection[str] = (),
) -> Plan:
    """Decide which documents each shard holds, from the parts' documents tables alone.

    Excluded documents keep their place in this decision and are only not written: taking a page out changes the one
    shard that held it. Memory: 26 bytes a document.

    Args:
        source: name of the source.
        folder: path or URL of its shards; the validation split lies in a folder below.
        stems: parts in order, as given to `write_part`.
        tokenizer: that encoded them.
        shard_tokens: target size of a shard.
        seed: of the validation draw.
        validation: share of documents held out, by a hash of their id.
        excluded: ids of documents to leave out; those that the source does not have change nothing.

    Raises:
        CrawlmixError: a part is incomplete or was made by another tokenizer.
    """
    # Neither file names nor borders of parts enter `inputs`: the same documents give the same one.
    names, contents = hashlib.sha256(), hashlib.sha256()
    about = f"{source}\0{tokenizer.fingerprint}\0{tokenizer.vocabulary_size}\0{shard_tokens}\0{seed}\0{validation!r}"
    digest = hashlib.sha256(about.encode())
    value_set = pa.array(sorted(excluded), pa.string())
    columns: list[_Columns] = []
    gone: set[str] = set()
    for stem in stems:
        part = PartTokens(stem)
        if part.fingerprint != tokenizer.fingerprint:
            raise CrawlmixError(
                f"{stem}: encoded by another tokenizer than `{tokenizer.name}`; tokenize it again"
            )
        ids = part.table["document_id"]
        out = pc.is_in(ids, value_set=value_set)
        gone.update(ids.filter(out).to_pylist())
        held = _held(ids, seed, validation)
        columns.append(_Columns(part.lengths, held, out.to_numpy(), _digests(part)))
        digest.update(part.lengths.tobytes())
        contents.update(part.table["content"].to_numpy().tobytes())
        names.update("".join(f"{name}\0" for name in ids.to_pylist()).encode())
    names.update("".join(f"\0{name}" for name in sorted(gone)).encode())
    digest.update(names.digest() + contents.digest())
    rows = [len(part.length) for part in columns]
    borders = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]) if rows else np.zeros(1, dtype=np.int64)
    every = _Columns(*(np.concatenate(column) for column in zip(_NOTHING, *columns, strict=True)))
    tasks: list[ShardTask] = []
    for split, mine in (("train", ~every.held), (VALIDATION, every.held)):
        documents = np.flatnonzero(mine & (every.length > 0))
        cuts = cut_shards(every.length[documents], shard_tokens)
        for index, (first, end) in enumerate(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)):
            of_shard = documents[first:end]
            slices = _slices(int(of_shard[0]), int(of_shard[-1]) + 1, borders, stems, every.out)
            written = every.digest[of_shard[~every.out[of_shard]]]
            tasks.append(
                ShardTask(
                    folder if split == "train" else join(folder, VALIDATION),
                    split,
                    index,
                    slices,
                    _fingerprint(tokenizer, written),
                    tokenizer.vocabulary_size,
                    tokenizer.eos_id,
                    seed,
                    validation,
                )
            )
    return Plan(source, folder, tokenizer, digest.hexdigest(), tuple(tasks))


def kept_rows(task: ShardTask) -> Iterator[tuple[PartTokens, Int64s]]:
    """Rows of each slice that belong to the shard: of its split, with tokens, and not taken out.

    Yields:
        the part; (n,) rows of its documents table, ascending.
    """
    for piece in task.slices:
        part = PartTokens(piece.stem)
        keep = np.zeros(len(part.lengths), dtype=bool)
        keep[piece.first : piece.end] = True
        keep &= part.lengths > 0
        keep[list(piece.out)] = False
        if task.validation:
            held = _held(part.table["document_id"], task.seed, task.validation)
            keep &= held if task.split == VALIDATION else ~held
        yield part, np.flatnonzero(keep)


def _held(ids: pa.ChunkedArray, seed: int, validation: float) -> Bools:
    if not validation:
        return np.zeros(len(ids), dtype=bool)
    return is_validation(ids.to_pylist(), seed=seed, fraction=validation)


def _digests(part: PartTokens) -> UInt64s:
    """Hash of each document and where it lies, which a shard's documents table tells as well: (n,)."""
    digests = fmix64(hash_strings(part.table["document_id"]) + _hash(part.name.encode()))
    for column in PART_DOCUMENTS.names[1:]:
        digests = fmix64(digests + part.table[column].to_numpy().astype(np.uint64))
    return digests


def _hash(name: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little"))


def _fingerprint(tokenizer: Tokenizer, digests: UInt64s) -> str:
    about = f"{VERSION}\0{tokenizer.fingerprint}\0{tokenizer.vocabulary_size}\0{tokenizer.eos_id}\0"
    return hashlib.sha256(about.encode() + digests.tobytes()).hexdigest()


def _slices(first: int, end: int, borders: Int64s, stems: Sequence[str], out: Bools) -> tuple[Slice, ...]:
    """Split documents [first, end) of the whole source at the borders of its parts."""
    slices = []
    part = int(np.searchsorted(borders, first, side="right")) - 1
    while first < end:
        stop = min(end, int(borders[part + 1]))
        if stop > first:
            begin = int(borders[part])
            gone = np.flatnonzero(out[first:stop]) + (first - begin)
            slices.append(Slice(stems[part], first - begin, stop - begin, tuple(gone.tolist())))
        first, part = stop, part + 1
    return tuple(slices)

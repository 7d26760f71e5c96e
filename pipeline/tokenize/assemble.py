"""Cuts shards from the parts of a source, laid end to end; who encoded which part cannot be seen in them."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mixtures.index_file import token_dtype
from mixtures.manifest import Manifest, ShardEntry
from mixtures.mixture import VALIDATION
from mixtures.shard_writer import (
    SHARD_TOKENS,
    ShardFile,
    cut_shards,
    make_manifest,
    publish_manifest,
    withdraw_manifest,
)
from mixtures.split import is_validation
from pipeline.errors import CrawlmixError
from pipeline.tokenize.part_tokens import PartTokens
from pipeline.tokenize.tokenizer import Tokenizer

# Row k of a shard's table is its k-th document (sequence k of the `.idx`).
SHARD_DOCUMENTS = pa.schema(
    [
        ("document_id", pa.string()),
        ("part", pa.string()),
        ("row", pa.int64()),  # of the document in its part
        ("first_char", pa.int64()),  # characters of the document's text that these tokens cover
        ("end_char", pa.int64()),
        ("first_token", pa.int64()),  # in the shard
        ("length", pa.int64()),  # tokens, end-of-text included
    ]
)
_RUN_TOKENS = 1 << 24  # tokens handed to the shard at once


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows [first, end) of a part's documents table."""

    stem: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class ShardTask:
    """All that a worker needs to write one shard."""

    folder: str
    split: str  # "train" or "validation"
    index: int
    slices: tuple[
        Slice, ...
    ]  # rows of the other split, empty and excluded ones are left out when it is written


@dataclass(frozen=True, slots=True)
class Plan:
    """The shards of one source: what to write, and what the manifests will say."""

    source: str
    folder: Path
    tokenizer: Tokenizer
    seed: int
    validation: float  # share of documents held out
    excluded: frozenset[str]  # ids of documents that were taken out
    inputs: str  # fingerprint
    tasks: tuple[ShardTask, ...] = field(repr=False)


def plan_shards(
    source: str,
    folder: Path,
    stems: Sequence[Path],
    tokenizer: Tokenizer,
    *,
    shard_tokens: int = SHARD_TOKENS,
    seed: int = 0,
    validation: float = 0.0,
    excluded: Collection[str] = (),
) -> Plan:
    """Decide which documents each shard holds, from the parts' documents tables alone.

    Excluded documents keep their place in this decision and are only not written: taking a page out changes the one
    shard that held it. Memory: 17 bytes a document.

    Args:
        source: name of the source.
        folder: of its shards; the validation split lies in a folder below.
        stems: parts in order, as given to `write_part`.
        tokenizer: that encoded them.
        shard_tokens: target size of a shard.
        seed: of the validation draw.
        validation: share of documents held out, by a hash of their id.
        excluded: ids of documents to leave out.

    Raises:
        CrawlmixError: a part is incomplete or was made by another tokenizer.
    """
    # Neither file names nor borders of parts enter: the same documents give the same fingerprint.
    names, contents = hashlib.sha256(), hashlib.sha256()
    digest = hashlib.sha256(
        f"{source}\0{tokenizer.fingerprint}\0{shard_tokens}\0{seed}\0{validation!r}".encode()
    )
    lengths, held, rows = [], [], []
    for stem in stems:
        part = PartTokens(stem)
        if part.fingerprint != tokenizer.fingerprint:
            raise CrawlmixError(
                f"{stem}: encoded by another tokenizer than `{tokenizer.name}`; tokenize it again"
            )
        about = part.columns("document_id", "content")
        ids = about["document_id"]
        lengths.append(part.lengths)
        rows.append(len(part.lengths))
        held.append(
            is_validation(ids.to_pylist(), seed=seed, fraction=validation)
            if validation
            else np.zeros(len(part.lengths), dtype=bool)
        )
        digest.update(part.lengths.tobytes())
        contents.update(about["content"].to_numpy().tobytes())
        names.update("".join(f"{name}\0" for name in ids.to_pylist()).encode())
    names.update("".join(f"\0{name}" for name in sorted(excluded)).encode())
    digest.update(names.digest() + contents.digest())
    every_length = np.concatenate(lengths) if lengths else np.zeros(0, dtype=np.int64)
    every_held = np.concatenate(held) if held else np.zeros(0, dtype=bool)
    borders = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]) if rows else np.zeros(1, dtype=np.int64)
    tasks: list[ShardTask] = []
    for split, mine in (("train", ~every_held), (VALIDATION, every_held)):
        documents = np.flatnonzero(mine & (every_length > 0))
        cuts = cut_shards(every_length[documents], shard_tokens)
        for index, (first, end) in enumerate(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)):
            slices = _slices(int(documents[first]), int(documents[end - 1]) + 1, borders, stems)
            tasks.append(
                ShardTask(str(folder if split == "train" else folder / VALIDATION), split, index, slices)
            )
    return Plan(
        source, folder, tokenizer, seed, validation, frozenset(excluded), digest.hexdigest(), tuple(tasks)
    )


def write_shard(plan: Plan, task: ShardTask) -> ShardEntry:
    """Write one shard with its index and documents table; tasks may run anywhere, in any order."""
    folder = Path(task.folder)
    shard = ShardFile(
        folder, task.index, dtype=token_dtype(plan.tokenizer.vocabulary_size), eos_id=plan.tokenizer.eos_id
    )
    tables: list[pa.Table] = []
    try:
        for piece in task.slices:
            part = PartTokens(Path(piece.stem))
            keep = _kept(plan, task.split, part, piece)
            tokens, ends = part.tokens(), np.cumsum(part.lengths)
            for first, end in _runs(keep, ends):
                begin = int(ends[first - 1]) if first else 0
                shard.write(tokens[begin : int(ends[end - 1])], part.lengths[first:end])
            names = [name for name in SHARD_DOCUMENTS.names if name not in ("part", "first_token")]
            kept = part.columns(*names).take(pa.array(keep))
            tables.append(kept.append_column("part", pa.array([part.stem.name] * len(kept), pa.string())))
    except BaseException:
        shard.abort()
        raise
    table = pa.concat_tables(tables)
    first_token = np.cumsum(table["length"].to_numpy()) - table["length"].to_numpy()
    table = table.append_column("first_token", pa.array(first_token, pa.int64())).select(
        SHARD_DOCUMENTS.names
    )
    return shard.close(lambda path: pq.write_table(table.cast(SHARD_DOCUMENTS), path, compression="zstd"))


def begin(plan: Plan) -> None:
    """Take the old manifests away before the first shard of a plan is written."""
    for folder in (plan.folder, plan.folder / VALIDATION):
        withdraw_manifest(folder)


def finish(plan: Plan, entries: Sequence[ShardEntry]) -> dict[str, Manifest]:
    """Publish the manifests by split; `entries` are the results of `plan.tasks`, in the same order.

    Left-overs of earlier builds are removed. Without held-out documents there is no validation folder.
    """
    manifests: dict[str, Manifest] = {}
    for split, folder in (("train", plan.folder), (VALIDATION, plan.folder / VALIDATION)):
        mine = [entry for task, entry in zip(plan.tasks, entries, strict=True) if task.split == split]
        manifest = make_manifest(
            mine,
            source=plan.source,
            tokenizer=plan.tokenizer.id,
            vocabulary_size=plan.tokenizer.vocabulary_size,
            eos_id=plan.tokenizer.eos_id,
            split=split,
            inputs=plan.inputs,
        )
        if split == "train" or mine:
            manifests[split] = manifest
            publish_manifest(folder, manifest)
        elif folder.is_dir():
            publish_manifest(folder, manifest)
            withdraw_manifest(folder)
            folder.rmdir()
    return manifests


def assemble(plan: Plan) -> dict[str, Manifest]:
    """Write all shards of a plan, one after the other, and the manifests."""
    begin(plan)
    return finish(plan, [write_shard(plan, task) for task in plan.tasks])


def _slices(first: int, end: int, borders: npt.NDArray[np.int64], stems: Sequence[Path]) -> tuple[Slice, ...]:
    """Split documents [first, end) of the whole source at the borders of its parts."""
    slices = []
    part = int(np.searchsorted(borders, first, side="right")) - 1
    while first < end:
        stop = min(end, int(borders[part + 1]))
        if stop > first:
            slices.append(Slice(str(stems[part]), first - int(borders[part]), stop - int(borders[part])))
        first, part = stop, part + 1
    return tuple(slices)


def _kept(plan: Plan, split: str, part: PartTokens, piece: Slice) -> npt.NDArray[np.int64]:
    """Rows of a slice that belong to the split, have tokens and were not taken out."""
    keep = np.zeros(len(part.lengths), dtype=bool)
    keep[piece.first : piece.end] = True
    keep &= part.lengths > 0
    if plan.validation or plan.excluded:
        ids = part.columns("document_id")["document_id"]
        if plan.validation:
            held = is_validation(ids.to_pylist(), seed=plan.seed, fraction=plan.validation)
            keep &= held if split == VALIDATION else ~held
        if plan.excluded:
            out = pc.is_in(ids, value_set=pa.array(sorted(plan.excluded), pa.string()))
            keep &= ~out.to_numpy().astype(bool)
    return np.flatnonzero(keep)


def _runs(rows: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches [first, end) of neighbouring rows, none with many more than `_RUN_TOKENS` tokens."""
    if not len(rows):
        return
    breaks = np.flatnonzero(np.diff(rows) > 1) + 1
    for group in np.split(rows, breaks):
        first, last = int(group[0]), int(group[-1]) + 1
        while first < last:
            begin_token = int(ends[first - 1]) if first else 0
            end = min(int(np.searchsorted(ends, begin_token + _RUN_TOKENS)) + 1, last)
            yield first, end
            first = end

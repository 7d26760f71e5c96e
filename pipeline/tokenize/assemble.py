"""Cuts shards from the parts of a source, laid end to end; who encoded which part cannot be seen in them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mixtures.index_file import index_size, token_dtype
from mixtures.manifest import MANIFEST, Manifest, ShardEntry
from mixtures.mixture import VALIDATION
from mixtures.shard_writer import (
    ShardFile,
    documents_path,
    make_manifest,
    publish_manifest,
    shard_name,
)
from pipeline.storage.listing import list_dir, list_files, remove
from pipeline.storage.paths import is_remote, join, local_path
from pipeline.storage.publish import upload, write_text
from pipeline.storage.reading import open_input, read_if_there
from pipeline.storage.scratch import scratch_folder
from pipeline.tokenize.shard_plan import Plan, ShardTask, kept_rows

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
_STATE = b"crawlmix.shard"  # in the table's metadata: the task's fingerprint and the manifest's line
_MAX_MANIFEST = 1 << 30  # bytes
_RUN_TOKENS = 1 << 24  # tokens handed to the shard at once


class Assembled(NamedTuple):
    """The shards of a source are in place."""

    manifests: dict[str, Manifest]  # by split
    written: int  # shards that this call wrote; the others were there
    changed: bool  # any file was written or removed


def assemble(plan: Plan) -> Assembled:
    """Bring the shards of a plan in place, one after the other, and the manifests; what is there already stays."""
    entries = find_shards(plan)
    if None not in entries and _published(plan, manifests := _manifests(plan, entries)):
        return Assembled(manifests, 0, changed=False)
    begin(plan)
    written = entries.count(None)
    made = [entry or write_shard(plan, task) for task, entry in zip(plan.tasks, entries, strict=True)]
    return Assembled(finish(plan, made), written, changed=True)


def find_shards(plan: Plan) -> list[ShardEntry | None]:
    """Read the manifest's line of each shard that is there, whole and of its very task; None where it is not."""
    sizes = {
        folder: {file.name: file.size for file in list_files(folder)}
        for folder in sorted({task.folder for task in plan.tasks})
    }
    return [_find_shard(plan, task, sizes[task.folder]) for task in plan.tasks]


def _find_shard(plan: Plan, task: ShardTask, sizes: Mapping[str, int]) -> ShardEntry | None:
    binary = Path(f"{shard_name(task.index)}.bin")
    if documents_path(binary).name not in sizes:
        return None
    try:
        with open_input(join(task.folder, documents_path(binary).name)) as stream:
            about = json.loads((pq.read_metadata(pa.PythonFile(stream)).metadata or {})[_STATE])
        entry = ShardEntry(**about["entry"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None  # cut, or of an older release
    size = entry.tokens * token_dtype(plan.tokenizer.vocabulary_size).itemsize
    found = (sizes.get(binary.name), sizes.get(binary.with_suffix(".idx").name))
    there = about["fingerprint"] == task.fingerprint and found == (size, index_size(entry.documents))
    return entry if there else None


def write_shard(plan: Plan, task: ShardTask) -> ShardEntry:
    """Write one shard with its index and documents table; tasks may run anywhere, in any order."""
    binary = Path(f"{shard_name(task.index)}.bin")
    # The table vouches for the other two, which are about to change.
    remove(join(task.folder, documents_path(binary).name))
    if not is_remote(task.folder):
        return _write_shard(plan, task, local_path(task.folder))
    with scratch_folder() as folder:
        entry = _write_shard(plan, task, folder)
        for file in (binary, binary.with_suffix(".idx"), documents_path(binary)):
            upload(folder / file, join(task.folder, file.name))
    return entry


def _write_shard(plan: Plan, task: ShardTask, folder: Path) -> ShardEntry:
    shard = ShardFile(
        folder, task.index, dtype=token_dtype(plan.tokenizer.vocabulary_size), eos_id=plan.tokenizer.eos_id
    )
    names = [name for name in SHARD_DOCUMENTS.names if name not in ("part", "first_token")]
    tables: list[pa.Table] = []
    try:
        for part, rows in kept_rows(plan, task):
            ends = np.cumsum(part.lengths)
            with part.tokens() as tokens:
                for first, end in _runs(rows, ends):
                    begin = int(ends[first - 1]) if first else 0
                    shard.write(tokens(begin, int(ends[end - 1])), part.lengths[first:end])
            kept = part.table.select(names).take(pa.array(rows))
            tables.append(kept.append_column("part", pa.array([part.name] * len(kept), pa.string())))
    except BaseException:
        shard.abort()
        raise
    table = pa.concat_tables(tables)
    first_token = np.cumsum(table["length"].to_numpy()) - table["length"].to_numpy()
    table = table.append_column("first_token", pa.array(first_token, pa.int64()))
    table = table.select(SHARD_DOCUMENTS.names).cast(SHARD_DOCUMENTS)

    def write_documents(path: Path, entry: ShardEntry) -> None:
        state = json.dumps({"fingerprint": task.fingerprint, "entry": asdict(entry)}, sort_keys=True)
        pq.write_table(table.replace_schema_metadata({_STATE: state}), path, compression="zstd")

    return shard.close(write_documents)


def begin(plan: Plan) -> None:
    """Take the old manifests away before the first shard of a plan is written: none names files being replaced."""
    for folder in (plan.folder, join(plan.folder, VALIDATION)):
        remove(join(folder, MANIFEST))


def finish(plan: Plan, entries: Sequence[ShardEntry]) -> dict[str, Manifest]:
    """Publish the manifests by split; `entries` are the results of `plan.tasks`, in the same order.

    Left-overs of earlier builds are removed. Without held-out documents there is no validation folder.
    """
    manifests = _manifests(plan, entries)
    _publish(plan.folder, manifests["train"])
    folder = join(plan.folder, VALIDATION)
    if VALIDATION in manifests:
        _publish(folder, manifests[VALIDATION])
    else:
        for file in list_dir(folder):
            remove(join(folder, file))
        if not is_remote(folder) and local_path(folder).is_dir():
            local_path(folder).rmdir()
    return manifests


def _publish(folder: str, manifest: Manifest) -> None:
    """Write the manifest, after removing shards that it does not name and what interrupted builds left."""
    if not is_remote(folder):
        publish_manifest(local_path(folder), manifest)
        return
    named = {Path(shard.file).stem for shard in manifest.shards}
    for file in list_dir(folder):
        if file.startswith("shard-") and file.split(".", 1)[0] not in named:
            remove(join(folder, file))
    write_text(join(folder, MANIFEST), manifest.to_json())


def _manifests(plan: Plan, entries: Sequence[ShardEntry | None]) -> dict[str, Manifest]:
    manifests: dict[str, Manifest] = {}
    for split in ("train", VALIDATION):
        mine = [
            entry for task, entry in zip(plan.tasks, entries, strict=True) if entry and task.split == split
        ]
        if split == "train" or mine:
            manifests[split] = make_manifest(
                mine,
                source=plan.source,
                tokenizer=plan.tokenizer.id,
                vocabulary_size=plan.tokenizer.vocabulary_size,
                eos_id=plan.tokenizer.eos_id,
                split=split,
                inputs=plan.inputs,
            )
    return manifests


def _published(plan: Plan, manifests: dict[str, Manifest]) -> bool:
    """Whether the manifests in the folders are these, and no others."""
    for split, folder in (("train", plan.folder), (VALIDATION, join(plan.folder, VALIDATION))):
        if split not in manifests:
            if list_dir(folder):
                return False
            continue
        if read_if_there(join(folder, MANIFEST), _MAX_MANIFEST) != manifests[split].to_json().encode():
            return False
    return True


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

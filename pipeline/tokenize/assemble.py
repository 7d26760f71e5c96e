"""Cuts shards from the parts of a source, laid end to end; who encoded which part cannot be seen in them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

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
from pipeline.errors import CrawlmixError
from pipeline.storage.listing import list_dir, list_files, remove
from pipeline.storage.paths import is_remote, join, local_path
from pipeline.storage.publish import upload, write_text
from pipeline.storage.reading import open_input, read_if_there
from pipeline.storage.scratch import scratch_folder
from pipeline.tasks import Report, Task
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
_THREADS = 16  # that read footers from an object store
_RUN_TOKENS = 1 << 24  # tokens handed to the shard at once


class Assembled(NamedTuple):
    """The shards of a source are in place."""

    manifests: dict[str, Manifest]  # by split
    written: int  # shards that this call wrote; the others were there
    changed: bool  # any file was written or removed


def assemble(plans: Sequence[Plan], write: Callable[[list[ShardTask]], None]) -> list[Assembled]:
    """Bring the shards of plans in place, and the manifests; what is there already stays.

    Args:
        plans: one for each source.
        write: has `write_shard` called for each of these tasks; in any order, anywhere.

    Raises:
        CrawlmixError: a shard that was written is gone.
    """
    found = [find_shards(plan) for plan in plans]
    changing = [not _published(plan, entries) for plan, entries in zip(plans, found, strict=True)]
    missing: list[ShardTask] = []
    for plan, entries, change in zip(plans, found, changing, strict=True):
        if change:
            _withdraw(plan)
            missing += [task for task, entry in zip(plan.tasks, entries, strict=True) if entry is None]
    if missing:
        write(missing)
    assembled = []
    for plan, entries, change in zip(plans, found, changing, strict=True):
        now = find_shards(plan) if None in entries else entries
        manifests = _finish(plan, now) if change else _manifests(plan, now)
        assembled.append(Assembled(manifests, entries.count(None), change))
    return assembled


def find_shards(plan: Plan) -> list[ShardEntry | None]:
    """Read the manifest's line of each shard that is there, whole and of its very task; None where it is not."""
    sizes = {folder: _sizes(folder) for folder in sorted({task.folder for task in plan.tasks})}
    if not is_remote(plan.folder):
        return [_find_shard(task, sizes[task.folder]) for task in plan.tasks]
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda task: _find_shard(task, sizes[task.folder]), plan.tasks))


def _sizes(folder: str) -> dict[str, int]:
    return {file.name: file.size for file in list_files(folder)}


def _find_shard(task: ShardTask, sizes: Mapping[str, int]) -> ShardEntry | None:
    binary = Path(f"{shard_name(task.index)}.bin")
    if documents_path(binary).name not in sizes:
        return None
    try:
        with open_input(join(task.folder, documents_path(binary).name)) as stream:
            about = json.loads((pq.read_metadata(pa.PythonFile(stream)).metadata or {})[_STATE])
        entry = ShardEntry(**about["entry"])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None  # cut, or of an older release
    size = entry.tokens * token_dtype(task.vocabulary_size).itemsize
    found = (sizes.get(binary.name), sizes.get(binary.with_suffix(".idx").name))
    there = about["fingerprint"] == task.fingerprint and found == (size, index_size(entry.documents))
    return entry if there else None


def run_shard(task: Task, _report: Report) -> dict[str, Any]:
    """Write the shard that `task["shard"]` states, if nobody has: an engine may try a task twice, or two at once."""
    shard = ShardTask.from_dict(task["shard"])
    if _find_shard(shard, _sizes(shard.folder)) is None:
        write_shard(shard)
    return {}


def write_shard(task: ShardTask) -> None:
    """Write one shard with its index and documents table."""
    binary = Path(f"{shard_name(task.index)}.bin")
    # The table vouches for the other two, which are about to change.
    remove(join(task.folder, documents_path(binary).name))
    if not is_remote(task.folder):
        _write_shard(task, local_path(task.folder))
        return
    with scratch_folder() as folder:
        _write_shard(task, folder)
        for file in (binary, binary.with_suffix(".idx"), documents_path(binary)):
            upload(folder / file, join(task.folder, file.name))


def _write_shard(task: ShardTask, folder: Path) -> None:
    shard = ShardFile(folder, task.index, dtype=token_dtype(task.vocabulary_size), eos_id=task.eos_id)
    names = [name for name in SHARD_DOCUMENTS.names if name not in ("part", "first_token")]
    tables: list[pa.Table] = []
    try:
        for part, rows in kept_rows(task):
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

    shard.close(write_documents)


def _withdraw(plan: Plan) -> None:
    """Take the manifests away before the first shard of a plan is written: none names files being replaced."""
    for folder in (plan.folder, join(plan.folder, VALIDATION)):
        remove(join(folder, MANIFEST))


def _finish(plan: Plan, entries: Sequence[ShardEntry | None]) -> dict[str, Manifest]:
    """Publish the manifests by split. Left-overs of earlier builds are removed, an empty validation folder too."""
    for task, entry in zip(plan.tasks, entries, strict=True):
        if entry is None:
            raise CrawlmixError(
                f"{join(task.folder, shard_name(task.index))}: was made and is gone; does something else write to this"
                " workspace?"
            )
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


def _published(plan: Plan, entries: Sequence[ShardEntry | None]) -> bool:
    """Whether all shards are there, and the manifests in the folders name them and no others."""
    if None in entries:
        return False
    manifests = _manifests(plan, entries)
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

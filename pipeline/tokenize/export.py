"""Token shards in the forms that other trainers read."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mixtures.manifest import rename_durably, write_atomically
from mixtures.shards import ShardSet
from pipeline.errors import UsageError

Form = Literal["llmc", "datatrove", "parquet", "arrow"]
FORMS: tuple[Form, ...] = get_args(Form)

_LLMC_MAGIC, _LLMC_VERSION, _LLMC_HEADER = 20240520, 1, 256  # llm.c `dataloader.h`; header of 256 int32
_BATCH_DOCUMENTS = 1024
_COPY_BYTES = 1 << 24


def export_shards(folder: Path, out: Path, form: Form) -> list[Path]:
    """Write every shard of a source in another form, one file a shard, under its own name.

    - `llmc`: `.bin` with llm.c's header of 256 int32 [20240520, 1, tokens, 0, ...], then uint16.
    - `datatrove`: `.ds` with plain tokens, `.ds.index` with uint64 ends of documents.
    - `parquet`, `arrow`: one row a document, `document_id` (where known) and `tokens`, a list.

    Returns:
        Paths of the token files, in order.

    Raises:
        UsageError: the form is unknown or cannot hold these shards.
        mixtures.errors.MixtureError: the shards are not what their manifest says.
    """
    if form not in FORMS:
        raise UsageError(f"format `{form}` is unknown; choose one of {', '.join(FORMS)}")
    shards = ShardSet(folder)
    if form == "llmc" and shards.manifest.dtype != "uint16":
        raise UsageError(
            f"{folder}: llm.c reads uint16 tokens only, these shards hold {shards.manifest.dtype}"
        )
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for number, entry in enumerate(shards.manifest.shards):
        stem = Path(entry.file).stem
        if form == "llmc":
            written.append(_llmc(shards, number, out / f"{stem}.bin"))
        elif form == "datatrove":
            written.append(_datatrove(shards, number, out / f"{stem}.ds"))
        else:
            written.append(_table(shards, number, out / f"{stem}.{form}"))
    return written


def _llmc(shards: ShardSet, number: int, path: Path) -> Path:
    tokens = shards.manifest.shards[number].tokens
    if tokens >= 2**31:
        raise UsageError(
            f"{path.name}: {tokens:,} tokens; llm.c reads fewer than 2**31 a file, use smaller shards"
        )
    header = np.zeros(_LLMC_HEADER, dtype="<i4")
    header[:3] = _LLMC_MAGIC, _LLMC_VERSION, tokens
    return _copy(shards, number, path, header.tobytes())


def _datatrove(shards: ShardSet, number: int, path: Path) -> Path:
    ends = np.cumsum(shards.lengths(number)).astype("<u8")
    write_atomically(path.with_name(path.name + ".index"), ends.tobytes())
    return _copy(shards, number, path, b"")


def _copy(shards: ShardSet, number: int, path: Path, header: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    with (
        (shards.folder / shards.manifest.shards[number].file).open("rb") as source,
        temporary.open("wb") as target,
    ):
        target.write(header)
        shutil.copyfileobj(source, target, _COPY_BYTES)
        target.flush()
        os.fsync(target.fileno())
    rename_durably(temporary, path)
    return path


def _table(shards: ShardSet, number: int, path: Path) -> Path:
    tokens = pa.uint16() if shards.manifest.dtype == "uint16" else pa.int32()
    schema = pa.schema([("document_id", pa.string()), ("tokens", pa.large_list(tokens))])
    temporary = path.with_name(f".{path.name}.tmp")
    writer = (
        pq.ParquetWriter(temporary, schema, compression="zstd")
        if path.suffix == ".parquet"
        else pa.ipc.new_file(str(temporary), schema)
    )
    with writer:
        for batch in _batches(shards, number, schema):
            writer.write_batch(batch)
    rename_durably(temporary, path)
    return path


def _batches(shards: ShardSet, number: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    view, lengths = shards.view(number), shards.lengths(number)
    ids = _ids(shards, number, len(lengths))
    borders: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(lengths)])
    for first in range(0, len(lengths), _BATCH_DOCUMENTS):
        end = min(first + _BATCH_DOCUMENTS, len(lengths))
        values = pa.array(view[borders[first] : borders[end]])
        offsets = pa.array(borders[first : end + 1] - borders[first])
        lists = pa.LargeListArray.from_arrays(offsets, values)
        yield pa.record_batch([ids.slice(first, end - first), lists], schema=schema)


def _ids(shards: ShardSet, number: int, count: int) -> pa.Array:
    path = shards.documents_file(number)
    if not path.exists():
        return pa.nulls(count, pa.string())
    return pq.read_table(path, columns=["document_id"])["document_id"].combine_chunks()

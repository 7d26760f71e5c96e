"""Writes token shards: flat `.bin`, Megatron `.idx`, documents table, and the manifest last."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError
from mixtures.index_file import index_bytes, token_dtype
from mixtures.manifest import (
    MANIFEST,
    Manifest,
    ShardEntry,
    TokenizerId,
    rename_durably,
    temporary_beside,
    write_atomically,
)

Int64s = npt.NDArray[np.int64]
Tokens = npt.NDArray[Any]
# Writes the documents table of one shard under the (temporary) path that it is given, beside the finished `.bin`.
WriteDocuments = Callable[[Path, ShardEntry], None]

SHARD_TOKENS = 100_000_000  # 200 MB of uint16
_COPY_TOKENS = 1 << 22  # tokens hashed and written at once


def shard_name(index: int) -> str:
    """Name of shard `index` without suffix; five digits, more where needed."""
    return f"shard-{index:05d}"


def cut_shards(lengths: Int64s, shard_tokens: int) -> Int64s:
    """Cut documents into shards: (n_shards + 1,) document numbers, the first 0, the last `len(lengths)`.

    A shard ends with the first document that brings it to `shard_tokens` or more. The cuts depend on the lengths
    alone, so that no worker count or grouping of documents into parts can move them.

    Args:
        lengths: (n_documents,) tokens of each document, in order.
        shard_tokens: target tokens of a shard; only the last one may hold fewer.
    """
    if shard_tokens <= 0:
        raise MixtureError(f"shard_tokens is {shard_tokens}; expected a positive number of tokens")
    ends = np.cumsum(lengths, dtype=np.int64)
    cuts = [0]
    while cuts[-1] < len(lengths):
        done = int(ends[cuts[-1] - 1]) if cuts[-1] else 0
        cuts.append(min(int(np.searchsorted(ends, done + shard_tokens)) + 1, len(lengths)))
    return np.array(cuts, dtype=np.int64)


class ShardFile:
    """One shard in the making; nothing stands at a final name before `close`."""

    def __init__(self, folder: Path, index: int, *, dtype: "np.dtype[Any]", eos_id: int) -> None:
        self._stem = folder / shard_name(index)
        self._dtype = dtype
        self._eos_id = eos_id
        self._lengths: list[Int64s] = []
        self._hash = hashlib.sha256()
        self.tokens = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._temporary = temporary_beside(self._stem.with_suffix(".bin"))
        self._stream = self._temporary.open("wb")

    def write(self, tokens: Tokens, lengths: Int64s) -> None:
        """Append whole documents.

        Args:
            tokens: (sum of lengths,) ids; each document's last is the end-of-text id, and no other.
            lengths: (n,) tokens of each document, all positive.

        Raises:
            MixtureError: the lengths and the tokens do not agree, or an end-of-text id is missing or out of place.
        """
        ends = np.cumsum(lengths, dtype=np.int64)
        total = int(ends[-1]) if len(ends) else 0
        if total != len(tokens) or (len(lengths) and int(lengths.min()) < 1):
            raise MixtureError(
                f"{self._stem}.bin: {len(lengths):,} documents of {total:,} tokens, given {len(tokens):,}"
            )
        borders = 0
        for start in range(0, total, _COPY_TOKENS):
            chunk = np.ascontiguousarray(tokens[start : start + _COPY_TOKENS])
            borders += int(np.count_nonzero(chunk == self._eos_id))
            if chunk.dtype != self._dtype:
                chunk = self._narrow(chunk)
            self._hash.update(chunk.data)
            self._stream.write(chunk.data)
        if borders != len(lengths) or bool(np.any(tokens[ends - 1] != self._eos_id)):
            raise MixtureError(
                f"{self._stem}.bin: {len(lengths):,} documents but {borders:,} end-of-text ids ({self._eos_id}); "
                "each document must end with one and hold no other"
            )
        self._lengths.append(lengths.astype(np.int64))
        self.tokens += total

    def close(self, write_documents: WriteDocuments | None = None) -> ShardEntry:
        """Put `.bin`, `.idx` and the documents table in place, in this order."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        lengths = np.concatenate(self._lengths) if self._lengths else np.zeros(0, np.int64)
        index = index_bytes(lengths, self._dtype)
        binary = self._stem.with_suffix(".bin")
        entry = ShardEntry(binary.name, self.tokens, len(lengths), self._hash.hexdigest())
        rename_durably(self._temporary, binary)
        write_atomically(self._stem.with_suffix(".idx"), index)
        if write_documents is not None:
            table = documents_path(binary)
            temporary = temporary_beside(table)
            write_documents(temporary, entry)
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            rename_durably(temporary, table)
        return entry

    def abort(self) -> None:
        """Give the shard up and leave nothing behind."""
        self._stream.close()
        self._temporary.unlink(missing_ok=True)

    def _narrow(self, chunk: Tokens) -> Tokens:
        if not np.issubdtype(chunk.dtype, np.integer):
            raise MixtureError(f"{self._stem}.bin: tokens are {chunk.dtype}; expected integers")
        limits = np.iinfo(self._dtype)
        if len(chunk) and not 0 <= int(chunk.min()) <= int(chunk.max()) <= limits.max:
            raise MixtureError(
                f"{self._stem}.bin: id {int(chunk.max()):,} does not fit {self._dtype.name} tokens"
            )
        return chunk.astype(self._dtype)


def documents_path(binary: Path) -> Path:
    """Where the documents table of a shard lies."""
    return binary.with_suffix(".docs.parquet")


def withdraw_manifest(folder: Path) -> None:
    """Take the manifest away before shards change: a manifest never names files that are being replaced."""
    (folder / MANIFEST).unlink(missing_ok=True)


def publish_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and remove what earlier or interrupted builds left: shards it does not name, temporary files."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {Path(shard.file).stem for shard in manifest.shards}
    for path in sorted(folder.iterdir()):
        left_over = path.name.endswith(".tmp") and path.name.startswith(".shard-")
        if left_over or (path.name.startswith("shard-") and path.name.split(".", 1)[0] not in named):
            path.unlink()
    manifest.write(folder)


class ShardWriter:
    """Writes a stream of documents into shards, one after the other, and the manifest when it is closed.

    As a context manager it publishes the manifest on a clean exit and leaves none after an error.

    Args:
        folder: of the source's shards; made if it is missing.
        source: name of the source.
        tokenizer: what made the ids.
        vocabulary_size: decides the type of a token (`token_dtype`).
        eos_id: end-of-text id that closes each document.
        shard_tokens: target size, see `cut_shards`.
        documents_table: called with (temporary path, first document, end document) for each finished shard.
        inputs: fingerprint of the input, kept in the manifest.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        tokenizer: TokenizerId,
        vocabulary_size: int,
        eos_id: int,
        shard_tokens: int = SHARD_TOKENS,
        split: str = "train",
        documents_table: Callable[[Path, int, int], None] | None = None,
        inputs: str | None = None,
    ) -> None:
        if shard_tokens <= 0:
            raise MixtureError(f"shard_tokens is {shard_tokens}; expected a positive number of tokens")
        self._folder = folder
        self._dtype = token_dtype(vocabulary_size)
        self._eos_id = eos_id
        self._shard_tokens = shard_tokens
        self._documents_table = documents_table
        self._about = {
            "source": source, "tokenizer": tokenizer, "vocabulary_size": vocabulary_size, "split": split, "inputs": inputs
        }  # fmt: skip
        self._entries: list[ShardEntry] = []
        self._documents = 0  # in finished shards
        self._pending = 0  # documents in the open shard
        self._open: ShardFile | None = None
        withdraw_manifest(folder)

    def add(self, tokens: Tokens, lengths: Int64s) -> None:
        """Append whole documents; arguments as in `ShardFile.write`."""
        ends = np.cumsum(lengths, dtype=np.int64)
        first = 0
        while first < len(lengths):
            if self._open is None:
                self._open = ShardFile(
                    self._folder, len(self._entries), dtype=self._dtype, eos_id=self._eos_id
                )
            begin = int(ends[first - 1]) if first else 0
            room = self._shard_tokens - self._open.tokens
            end = min(int(np.searchsorted(ends, begin + room)) + 1, len(lengths))
            self._open.write(tokens[begin : int(ends[end - 1])], lengths[first:end])
            self._pending += end - first
            first = end
            if self._open.tokens >= self._shard_tokens:
                self._finish_shard()

    def close(self) -> Manifest:
        """Finish the last shard and publish the manifest."""
        self._finish_shard()
        manifest = make_manifest(self._entries, eos_id=self._eos_id, **self._about)  # type: ignore[arg-type]  # a bundle of keywords
        publish_manifest(self._folder, manifest)
        return manifest

    def _finish_shard(self) -> None:
        if self._open is None:
            return
        first, end = self._documents, self._documents + self._pending
        table = self._documents_table
        self._entries.append(
            self._open.close(None if table is None else lambda path, _: table(path, first, end))
        )
        self._open, self._documents, self._pending = None, end, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._open is not None:
            self._open.abort()


def make_manifest(
    entries: Iterable[ShardEntry],
    *,
    source: str,
    tokenizer: TokenizerId,
    vocabulary_size: int,
    eos_id: int,
    split: str = "train",
    inputs: str | None = None,
) -> Manifest:
    """The manifest of finished shards, given in order."""
    return Manifest(
        source=source,
        dtype=token_dtype(vocabulary_size).name,
        eos_id=eos_id,
        vocabulary_size=vocabulary_size,
        tokenizer=tokenizer,
        shards=tuple(entries),
        split=split,
        inputs=inputs,
    )

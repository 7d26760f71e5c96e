"""Reads token shards: one long run of tokens per source, over as many files as it takes."""

import hashlib
import mmap
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError
from mixtures.index_file import read_lengths
from mixtures.manifest import Manifest, ShardEntry
from mixtures.shard_writer import documents_path

Int64s = npt.NDArray[np.int64]
Tokens = npt.NDArray[Any]

# A mapped file keeps its descriptor; the usual limit is 1,024 a process, and a mixture opens several sources.
MAX_OPEN_SHARDS = 128


class ShardSet:
    """The shards of one source as a sequence of tokens; files are mapped when first read.

    Args:
        folder: where `manifest.json` and the shards lie.
        complete: all shards must be there; if not, one that is missing is missed when it is read. For a folder that
            holds the manifest and only some shards, such as a copy of what one sample needs.

    Raises:
        MixtureError: the manifest is wrong, or a shard is missing or of another size than it states.
    """

    def __init__(self, folder: Path, *, complete: bool = True) -> None:
        self.folder = folder
        self.complete = complete
        self.manifest = Manifest.read(folder)
        self._dtype = self.manifest.numpy_dtype
        self.starts = np.zeros(
            len(self.manifest.shards) + 1, dtype=np.int64
        )  # first token of each shard, then the total
        np.cumsum([shard.tokens for shard in self.manifest.shards], out=self.starts[1:])
        self._views: OrderedDict[int, Tokens] = OrderedDict()
        if complete:
            self._check_sizes()

    def __len__(self) -> int:
        """Tokens in all shards."""
        return int(self.starts[-1])

    def tokens(self, start: int, stop: int) -> Tokens:
        """Copy tokens [start, stop): (stop - start,), in the stored type."""
        one: Tokens = self.gather(np.array([start], dtype=np.int64), stop - start)[0]
        return one

    def gather(self, starts: Int64s, length: int) -> Tokens:
        """Copy n windows of `length` tokens: (n, length), in the stored type.

        Args:
            starts: (n,) first token of each window, in any order; windows may cross shards.
            length: tokens a window.

        Raises:
            MixtureError: a window reaches beyond the tokens.
        """
        out = np.empty((len(starts), length), dtype=self._dtype)
        if not len(starts) or not length:
            return out
        if int(starts.min()) < 0 or int(starts.max()) + length > len(self):
            raise MixtureError(
                f"{self.folder}: tokens {int(starts.min()):,} to {int(starts.max()) + length:,} asked for, "
                f"the shards hold {len(self):,}"
            )
        shard_of = np.searchsorted(self.starts, starts, side="right") - 1
        # A copy per window moves 4 KB at memory speed; one fancy index over a batch is slower, as it makes
        # an eight-byte position for every two-byte token.
        for row, (begin, shard) in enumerate(zip(starts.tolist(), shard_of.tolist(), strict=True)):
            self._copy(begin, shard, out[row])
        return out

    def _copy(self, begin: int, shard: int, out: Tokens) -> None:
        done = 0
        while done < len(out):
            view = self._view(shard)
            offset = begin + done - int(self.starts[shard])
            piece = view[offset : offset + len(out) - done]
            out[done : done + len(piece)] = piece
            done += len(piece)
            shard += 1

    def lengths(self, shard: int) -> Int64s:
        """Tokens of each document of a shard, (n,), from its index.

        Raises:
            MixtureError: the index is damaged or contradicts the manifest.
        """
        entry = self.manifest.shards[shard]
        path = (self.folder / entry.file).with_suffix(".idx")
        lengths = read_lengths(path)
        if len(lengths) != entry.documents or int(lengths.sum()) != entry.tokens:
            raise MixtureError(
                f"{path}: {int(lengths.sum()):,} tokens in {len(lengths):,} documents; "
                f"the manifest states {entry.tokens:,} in {entry.documents:,}"
            )
        return lengths

    def view(self, shard: int) -> Tokens:
        """All tokens of one shard, (n,), mapped and read-only."""
        return self._view(shard)

    def documents_file(self, shard: int) -> Path:
        """Path of a shard's documents table."""
        return documents_path(self.folder / self.manifest.shards[shard].file)

    def verify(self) -> None:
        """Read every shard once and compare its SHA-256 with the manifest.

        Raises:
            MixtureError: names the first file that differs.
        """
        for entry in self.manifest.shards:
            path = self.folder / entry.file
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != entry.sha256:
                raise MixtureError(
                    f"{path}: expected SHA-256 {entry.sha256}, found {found}; the shard changed, build it again"
                )

    def _check_sizes(self) -> None:
        sizes = {
            entry.name: entry.stat().st_size
            for entry in os.scandir(self.folder)
            if entry.name.endswith(".bin")
        }
        for shard in self.manifest.shards:
            expected = shard.tokens * self._dtype.itemsize
            found = sizes.get(shard.file)
            if found is None:
                raise MixtureError(
                    f"{self.folder / shard.file}: the manifest names this shard, but it is missing"
                )
            if found != expected:
                raise MixtureError(
                    f"{self.folder / shard.file}: expected {expected:,} bytes "
                    f"({shard.tokens:,} {self.manifest.dtype} tokens), found {found:,}"
                )

    def _view(self, shard: int) -> Tokens:
        view = self._views.get(shard)
        if view is None:
            view = _map(
                self.folder / self.manifest.shards[shard].file, self.manifest.shards[shard], self._dtype
            )
            self._views[shard] = view
            while len(self._views) > MAX_OPEN_SHARDS:
                self._views.popitem(
                    last=False
                )  # first opened, first closed; arrays in use keep their mapping
        return view

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_views": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def close(self) -> Self:
        """Let go of all files; they are mapped again when they are read again."""
        self._views.clear()
        return self


def _map(path: Path, entry: ShardEntry, dtype: "np.dtype[Any]") -> Tokens:
    if not entry.tokens:
        return np.zeros(0, dtype=dtype)
    try:
        with path.open("rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise MixtureError(f"{path}: cannot map the shard: {error}") from error
    if len(mapped) != entry.tokens * dtype.itemsize:
        raise MixtureError(f"{path}: expected {entry.tokens * dtype.itemsize:,} bytes, found {len(mapped):,}")
    return np.frombuffer(mapped, dtype=dtype)

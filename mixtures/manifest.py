"""The manifest of a source's shards: what is there, made by which tokenizer, and how to tell that it is unchanged."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from mixtures.errors import MixtureError
from mixtures.index_file import DTYPE_CODES

MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One `.bin` file and what it must hold."""

    file: str  # name of the `.bin`, in the manifest's folder
    tokens: int
    documents: int
    sha256: str  # of the `.bin`


@dataclass(frozen=True, slots=True)
class TokenizerId:
    """Which tokenizer made the ids; two fingerprints never meet in one mixture."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All shards of one source (or of its validation split), in the order in which their tokens follow each other."""

    source: str
    dtype: str  # "uint16" or "int32"
    eos_id: int
    vocabulary_size: int
    tokenizer: TokenizerId
    shards: tuple[ShardEntry, ...]
    split: str = "train"
    inputs: str | None = None  # fingerprint of what the shards were made from
    created_by: str = "crawlmix"  # no clock and no host: the same input gives the same bytes
    version: int = VERSION

    @property
    def tokens(self) -> int:
        """Tokens in all shards, end-of-text tokens included."""
        return sum(shard.tokens for shard in self.shards)

    @property
    def documents(self) -> int:
        """Documents in all shards; each ends with one end-of-text token."""
        return sum(shard.documents for shard in self.shards)

    def to_json(self) -> str:
        """Same manifest, same text."""
        return (
            json.dumps(
                asdict(self) | {"tokens": self.tokens, "documents": self.documents}, indent=1, sort_keys=True
            )
            + "\n"
        )

    def write(self, folder: Path) -> None:
        """Put the manifest in place; it comes last, so that what it names is complete."""
        write_atomically(folder / MANIFEST, self.to_json().encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `manifest.json` of a folder.

        Raises:
            MixtureError: it is missing, unreadable, of another version, or contradicts itself.
        """
        path = folder / MANIFEST
        raw = read_json(path, "manifest of token shards")
        if raw.get("version") != VERSION:
            raise MixtureError(
                f"{path}: version {raw.get('version')!r}; this release reads version {VERSION}"
            )
        try:
            manifest = cls(
                source=str(raw["source"]),
                dtype=str(raw["dtype"]),
                eos_id=int(raw["eos_id"]),
                vocabulary_size=int(raw["vocabulary_size"]),
                tokenizer=TokenizerId(**raw["tokenizer"]),
                shards=tuple(ShardEntry(**entry) for entry in raw["shards"]),
                split=str(raw["split"]),
                inputs=raw["inputs"],
                created_by=str(raw["created_by"]),
            )
            found = (raw["tokens"], raw["documents"])
        except (KeyError, TypeError) as error:
            raise MixtureError(
                f"{path}: not a manifest of token shards ({error}); build the shards again"
            ) from error
        if manifest.dtype not in DTYPE_CODES:
            raise MixtureError(f"{path}: dtype `{manifest.dtype}`; expected one of {', '.join(DTYPE_CODES)}")
        for shard in manifest.shards:
            if Path(shard.file).name != shard.file:
                raise MixtureError(f"{path}: shard `{shard.file}` is not a plain file name")
        if found != (manifest.tokens, manifest.documents):
            raise MixtureError(
                f"{path}: states {found[0]} tokens in {found[1]} documents, "
                f"but its shards add up to {manifest.tokens} in {manifest.documents}"
            )
        return manifest

    @property
    def numpy_dtype(self) -> "np.dtype[Any]":
        """Little-endian type of a stored token."""
        return np.dtype(self.dtype).newbyteorder("<")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MixtureError: the file is missing, unreadable or no JSON object.
    """
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise MixtureError(f"{path}: cannot read the {what}: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise MixtureError(f"{path}: the {what} is not valid JSON: {error}") from error
    if not isinstance(raw, Mapping):
        raise MixtureError(f"{path}: the {what} must be a JSON object, found {type(raw).__name__}")
    return dict(raw)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: temporary name, fsync, rename, fsync of the folder."""
    temporary = temporary_beside(path)
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    rename_durably(temporary, path)


def temporary_beside(path: Path) -> Path:
    """Name a file that becomes `path`; two writers of one file do not meet in it."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


def rename_durably(temporary: Path, path: Path) -> None:
    """Rename within a folder so that the name survives a crash."""
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

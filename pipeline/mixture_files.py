"""Mixtures where they lie: on local disks as they are, on object stores as copies that training can map."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mixtures.index_file import index_size
from mixtures.manifest import MANIFEST, Manifest, ShardEntry
from mixtures.mixture import VALIDATION, Mixture
from mixtures.shard_writer import documents_path
from pipeline.errors import CrawlmixError
from pipeline.storage.cache import Wanted, fetch, local_copy
from pipeline.storage.listing import StoredFile, list_files
from pipeline.storage.paths import is_remote, join, local_path, name, parent

_FOLDER = "mixtures"  # of the copies, as in a workspace


def read_mixture(url: str) -> Mixture:
    """Read a mixture file, wherever it lies; its shards are not looked at.

    Raises:
        MixtureError: it is no mixture file.
        UsageError: it cannot be read.
    """
    return Mixture.read(local_copy(url))


def read_manifest(folder: str) -> Manifest:
    """Read the manifest of a folder of shards, wherever it lies; raises as `read_mixture` does."""
    return Manifest.read(local_copy(join(folder, MANIFEST)).parent)


def local_mixture(url: str) -> Path:
    """Return the local path of a mixture file with all its shards where it says they are.

    A local one is itself. Of a remote one copies are made in this machine's cache (`pipeline.storage.cache`); shards
    are compared with the SHA-256 that the mixture states while they come in, and come only once.

    Raises:
        MixtureError: it is no mixture file.
        UsageError: it cannot be read.
        CrawlmixError: a shard is missing or not the one that the mixture was made for, or there is no room.
    """
    if not is_remote(url):
        return local_path(url)
    mixture = read_mixture(url)
    return _copy(url, mixture, {source.name: source.shards for source in mixture.sources}, whole=True)


def local_sample(url: str, sample: int) -> Path:
    """Return the local path of a mixture file with the shards and documents tables behind one sample.

    Of a remote mixture the other shards may be missing: open it with `complete=False`. Raises as `local_mixture`.
    """
    if not is_remote(url):
        return local_path(url)
    mixture = read_mixture(url)
    sampler = mixture.sampler()
    place, length = sampler.place(sample), mixture.sequence_length
    source = next(one for one in mixture.sources if one.name == sampler.names[place.source])
    ends = np.cumsum([shard.tokens for shard in source.shards])
    asked = [place.window * length, (place.window + 1) * length]  # first token and last
    first, last = np.searchsorted(ends, asked, side="right").tolist()
    return _copy(url, mixture, {source.name: source.shards[first : last + 1]}, whole=False)


def _copy(url: str, mixture: Mixture, shards: Mapping[str, Sequence[ShardEntry]], *, whole: bool) -> Path:
    """Copy the mixture file, all manifests, and of each source the shards asked for.

    With `whole` the held-out shards come as well, otherwise the documents tables.
    """
    dtype = np.dtype(mixture.dtype)
    content = local_copy(url).read_bytes()
    told = f"{_FOLDER}/{name(url)}"
    files = [Wanted(url, told, len(content), hashlib.sha256(content).hexdigest())]
    states = []
    for source in mixture.sources:
        place = _inside(url, source.folder)
        folder = join(parent(parent(url)), place)
        there = {file.name: file for file in list_files(folder)}
        states.append(there.get(MANIFEST))
        files.append(_listed(folder, place, MANIFEST, there))
        for shard in shards.get(source.name, ()):
            files += _shard(folder, place, shard, dtype)
            if not whole:
                files.append(_listed(folder, place, documents_path(Path(shard.file)).name, there))
        if not whole:
            continue
        held = {file.name: file for file in list_files(join(folder, VALIDATION))}
        if MANIFEST in held:
            states.append(held[MANIFEST])
            folder, place = join(folder, VALIDATION), f"{place}/{VALIDATION}"
            files.append(_listed(folder, place, MANIFEST, held))
            for shard in read_manifest(folder).shards:
                files += _shard(folder, place, shard, dtype)
    return fetch([url, mixture.fingerprint, *states], files) / told


def _inside(url: str, folder: str) -> str:
    """Where a source lies, seen from the folder above the mixture's: `shards/web`."""
    place = posixpath.normpath(posixpath.join(_FOLDER, folder))
    if place.startswith(("..", "/")) or place.split("/")[0] == _FOLDER:
        raise CrawlmixError(
            f"{url}: its shards in `{folder}` lie outside its workspace; copy both to this machine"
        )
    return place


def _shard(folder: str, place: str, shard: ShardEntry, dtype: "npt.DTypeLike") -> Iterator[Wanted]:
    yield _wanted(folder, place, shard.file, shard.tokens * np.dtype(dtype).itemsize, shard.sha256)
    yield _wanted(folder, place, Path(shard.file).with_suffix(".idx").name, index_size(shard.documents))


def _listed(folder: str, place: str, file: str, there: Mapping[str, StoredFile]) -> Wanted:
    if file not in there:
        raise CrawlmixError(f"{join(folder, file)}: is missing; build the workspace again")
    return _wanted(folder, place, file, there[file].size)


def _wanted(folder: str, place: str, file: str, size: int, sha256: str | None = None) -> Wanted:
    return Wanted(join(folder, file), f"{place}/{file}", size, sha256)

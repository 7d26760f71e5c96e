"""What earlier searches decided, and the keys they left: of this workspace (`increments`) and of others (`against`).

`duplicates/_generations/NNN/` holds `generation.json`, which parts were decided and on what basis, and `keys/`, the
reference of what stays (`pipeline.dedup.reference`). Keys are mapped from files: those of a workspace on an object store
are copied into the cache of each machine that looks them up.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.context import Context
from pipeline.dedup.reference import MANIFEST, Reference, write_reference
from pipeline.dedup.settings import minhash_bands, minhash_scheme, require_strong_bands
from pipeline.errors import UsageError
from pipeline.recipe import Recipe
from pipeline.sections.dedup import Dedup
from pipeline.storage.cache import local_folder
from pipeline.storage.listing import list_dir, list_files, remove
from pipeline.storage.paths import is_remote, join, local_path, resolve
from pipeline.storage.publish import upload, write_json
from pipeline.storage.scratch import scratch_folder
from pipeline.workspace import Workspace
from text.buffers import Hashes

_FOLDER = ("duplicates", "_generations")


@dataclass(frozen=True)
class Generation:
    """What one search decided."""

    name: str
    fingerprint: str  # of its parts' files
    basis: str  # fingerprint of the settings that later parts must share
    ranks: str  # fingerprint of the order of the sources, which they need not share
    parts: dict[str, str]  # source/index -> fingerprint of its annotations

    def keys_folder(self, workspace: Workspace) -> str:
        """Name the folder of its keys."""
        return workspace.path(*_FOLDER, self.name, "keys")

    def write(self, workspace: Workspace) -> None:
        """Write `generation.json`; it counts once `summary.json` names it."""
        write_json(workspace.path(*_FOLDER, self.name, "generation.json"), asdict(self))


@dataclass(frozen=True)
class HeldKeys:
    """Keys that an earlier build holds."""

    folder: str
    fingerprint: str


def read_generations(workspace: Workspace) -> list[Generation]:
    """Read the generations that count, in order."""
    summary = workspace.read_json("duplicates", "summary.json")
    found = []
    for name in summary["generations"] if summary else []:
        told: dict[str, Any] | None = workspace.read_json(*_FOLDER, name, "generation.json")
        if told is None:
            return []
        found.append(Generation(**told))
    return found


def drop_generations(workspace: Workspace, *, keep: Sequence[str]) -> None:
    """Remove what generations that do not count left."""
    for name in list_dir(workspace.path(*_FOLDER)):
        if name not in keep:
            folder = workspace.path(*_FOLDER, name)
            if is_remote(folder):
                for place in (folder, join(folder, "keys")):
                    for file in list_files(place):
                        remove(join(place, file.name))
            else:
                shutil.rmtree(local_path(folder))


def open_references(recipe: Recipe, own: str | None) -> list[HeldKeys]:
    """Find the keys of the build that `dedup.against` names, and see that they can be compared with.

    Args:
        recipe: of this build.
        own: its workspace, where it is known yet.

    Raises:
        UsageError: there are none, they were made in another way, or this build's bands are too weak to look them up.
    """
    settings = recipe.root.dedup
    require_strong_bands(settings)
    if settings.against is None:
        return []
    root = resolve(settings.against, str(recipe.base))
    if own is not None and _same(root, own):
        raise UsageError(
            f"dedup.against: {root} is the workspace of this very build; to add to it, set `dedup.increments`"
        )
    earlier = Workspace(root)
    generations = read_generations(earlier)
    if not generations:
        raise UsageError(
            f"dedup.against: {root} holds no finished dedup stage; give the workspace of a finished build"
        )
    held = [HeldKeys(generation.keys_folder(earlier), generation.fingerprint) for generation in generations]
    for keys in held:
        Reference.open(local_folder(keys.folder), minhash_scheme(settings), minhash_bands(settings))
    return held


def _same(one: str, other: str) -> bool:
    if is_remote(one) or is_remote(other):
        return one.rstrip("/") == other.rstrip("/")
    return local_path(one).resolve() == local_path(other).resolve()


def store_keys(context: Context, folder: str, generation: Generation) -> None:
    """Merge the keys that the parts of a generation left in `folder` into its reference."""
    target = generation.keys_folder(context.workspace)
    if not is_remote(target):
        _merge(context.recipe.root.dedup, local_path(folder), local_path(target))
        return
    with scratch_folder() as place:
        merged = place / "keys"
        parts = local_folder(folder) if list_files(folder) else place  # a build without parts leaves no keys
        _merge(context.recipe.root.dedup, parts, merged)
        for file in sorted(merged.iterdir(), key=lambda file: (file.name == MANIFEST, file.name)):
            upload(file, join(target, file.name))


def _merge(settings: Dedup, parts: Path, target: Path) -> None:
    load = partial(np.load, mmap_mode="r", allow_pickle=False)
    bands = minhash_bands(settings)
    by_part = [load(path) for path in sorted(parts.glob("bands-*.npy"))]
    of_bands: list[list[Hashes]] = [
        [keys[band] for keys in by_part if keys.shape[1]] for band in range(bands.bands if bands else 0)
    ]
    texts = [load(path) for path in sorted(parts.glob("texts-*.npy"))]
    write_reference(target, minhash_scheme(settings), bands, of_bands, texts)

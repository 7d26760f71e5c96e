"""The dataset digest: one hash over all that a training run would read."""

import hashlib

from pipeline.storage.listing import list_dir
from pipeline.storage.reading import exists, open_input
from pipeline.workspace import Workspace

_CHUNK = 1 << 20


def dataset_digest(workspace: Workspace) -> str:
    """Hash the sorted (path, sha256) pairs of everything under `shards/` and `mixtures/`: 64 hex digits."""
    digest = hashlib.sha256()
    for path in sorted([*_files(workspace, "shards"), *_files(workspace, "mixtures")]):
        digest.update(f"{path}\0{_sha256(workspace.path(path))}\n".encode())
    return digest.hexdigest()


def _files(workspace: Workspace, folder: str) -> list[str]:
    found = []
    for name in list_dir(workspace.path(folder)):
        path = f"{folder}/{name}"
        if exists(workspace.path(path)):
            found.append(path)
        else:
            found += _files(workspace, path)
    return found


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open_input(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

"""Arrays that one job of the dedup stage leaves for the next, in the stage's working folder."""

from collections.abc import Iterator

import numpy as np

from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import join
from pipeline.storage.publish import publish
from pipeline.storage.reading import exists, open_input
from text.buffers import Hashes


def save_edges(path: str, edges: Hashes) -> None:
    """Write (m, 2) edges whole or not at all."""
    with publish(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, edges, allow_pickle=False)


def load_edges(path: str) -> Hashes:
    """Read what `save_edges` wrote."""
    with open_input(path) as stream:
        found: Hashes = np.load(stream, allow_pickle=False)
    return found


def load_all_edges(folder: str) -> Hashes:
    """Read the edges of all files of a folder."""
    found = [load_edges(file) for file in edge_files(folder)]
    return np.concatenate(found) if found else np.zeros((0, 2), np.uint64)


def count_edges(folder: str) -> int:
    """Count the edges of all files of a folder, by their headers."""
    count = 0
    for file in edge_files(folder):
        with open_input(file) as stream:
            np.lib.format.read_magic(stream)
            shape, _, _ = np.lib.format.read_array_header_1_0(stream)
        count += shape[0]
    return count


def edge_files(folder: str, prefix: str = "") -> Iterator[str]:
    """List the files of edges of a folder whose names begin with `prefix`, sorted."""
    for name in list_dir(folder):
        if name.startswith(prefix) and name.endswith(".npy"):
            yield join(folder, name)


def empty(folder: str) -> None:
    """Remove all files below a folder."""
    for name in list_dir(folder):
        path = join(folder, name)
        if exists(path):
            remove(path)
        else:
            empty(path)

"""A part and what earlier builds hold: which of its rows they hold, and which keys it leaves to later ones."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from pipeline.dedup.bands import Bands
from pipeline.dedup.part_keys import exact_keys, read_batches, signature_keys
from pipeline.dedup.reference import Reference
from pipeline.dedup.row_gaps import Rows
from pipeline.dedup.scheme import Scheme
from pipeline.storage.cache import local_folder
from pipeline.tasks import Task
from text.buffers import Hashes
from text.distinct import distinct

_NOTHING = np.zeros(0, np.int64)


def find_held(
    task: Task, folders: Sequence[str], scheme: Scheme | None, bands: Bands | None
) -> npt.NDArray[np.int64]:
    """Find the living rows of a part that one of the references holds, by their keys alone.

    Returns:
        (n, 2): row, rising; 0 for the same text, 1 for enough common bands (index into `part.HELD_RULES`).
    """
    references = [Reference.open(local_folder(folder), scheme, bands) for folder in folders]
    exact = exact_keys(task, _NOTHING)
    same = np.zeros(len(exact.rows), bool)
    for reference in references:
        same |= reference.contains_exact(exact.keys[:, 0])
    held = [np.stack([exact.rows[same], np.zeros(int(same.sum()), np.int64)], axis=1)]
    if scheme is not None and bands is not None:
        near = signature_keys(task, scheme, bands, exact.rows[same])
        alike = np.zeros(len(near.rows), bool)
        for reference in references:
            alike |= reference.contains(near.keys).sum(axis=1) >= bands.least_shared
        held.append(np.stack([near.rows[alike], np.ones(int(alike.sum()), np.int64)], axis=1))
    both = np.concatenate(held)
    return both[np.argsort(both[:, 0])]


def kept_keys(task: Task, scheme: Scheme | None, bands: Bands | None) -> tuple[Hashes, Hashes]:
    """Keys of the documents of a part that stay: (bands, n) each row rising, and (m,) of texts, rising.

    Documents without a signature have a key of their text only.
    """
    fates = [
        pc.fill_null(pc.equal(batch["fate"], "kept"), False)
        for _, batch in read_batches(task["output"], ["fate"])
    ]
    stays = (
        np.concatenate([fate.to_numpy(zero_copy_only=False) for fate in fates])
        if fates
        else np.zeros(0, bool)
    )
    dropped: Rows = np.flatnonzero(~stays)
    texts = distinct(exact_keys(task, dropped).keys[:, 0])
    if scheme is None or bands is None:
        return np.zeros((0, 0), np.uint64), texts
    keys = signature_keys(task, scheme, bands, dropped).keys
    return np.sort(keys, axis=0).T.copy(), texts

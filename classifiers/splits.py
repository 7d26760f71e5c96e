"""Which documents of a sample are held out, and the folds in which a model meets sources it has not seen."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifiers.groups import group_share
from classifiers.logistic import Fold

Mask = npt.NDArray[np.bool_]

MIN_GROUPS = 5  # a source with fewer (one site, one repository) is split by document


def held_out(sample: pa.Table, *, share: float, seed: int) -> tuple[Mask, dict[str, str]]:
    """Choose the pieces to hold out: (n,) mask, and for each source whether it was split by `group` or `document`.

    Of each source the groups with the smallest keyed hashes are held out, `share` of them rounded up. A group
    held out in one source is held out in all, so training and held-out sets share no registered domain, except
    for sources of under `MIN_GROUPS` groups.
    """
    sources = np.asarray(sample["source"].to_pylist(), object)
    groups = np.asarray(sample["group"].to_pylist(), object)
    documents = np.asarray(sample["document"].to_pylist(), object)
    how: dict[str, str] = {}
    units = groups.copy()
    for source in sorted(set(sources)):
        rows = sources == source
        few = len(set(groups[rows])) < MIN_GROUPS
        how[source] = "document" if few else "group"
        if few:
            units[rows] = [f"{source}\0{document}" for document in documents[rows]]
    out: set[str] = set()
    for source in how:
        ranked = sorted(
            set(units[sources == source]),
            key=lambda unit: (group_share(unit, seed=seed, purpose="held out"), unit),
        )
        out.update(ranked[: int(np.ceil(share * len(ranked))) if len(ranked) > 1 else 0])
    return np.fromiter((unit in out for unit in units), bool, len(units)), how


def source_folds(
    sources: Sequence[str],
    groups: Sequence[str],
    labels: Mask,
    *,
    seed: int,
    most: int = 8,
    share: float = 0.2,
) -> list[Fold]:
    """Make folds that each leave out whole positive sources, and a `share` of the groups of the negatives.

    What regularisation generalises shows on sources that training has not seen: within its sources a model
    always gains by learning their topics. With one positive source there is nothing to leave out, and one fold
    leaves out a share of all groups.
    """
    names = np.asarray(sources, object)
    draws = np.array([group_share(group, seed=seed, purpose="fold") for group in groups])
    positive = sorted(set(names[labels]), key=lambda name: (-int((names == name).sum()), name))
    folds = []
    count = min(most, len(positive))
    for fold in range(count):
        if count == 1:
            validation = draws < share
        else:
            validation = np.isin(names, positive[fold::count]) & labels
            low = fold * (1 - share) / count
            validation |= ~labels & (draws >= low) & (draws < low + share)
        found = Fold(~validation, validation)
        if all(0 < labels[mask].sum() < mask.sum() for mask in found):
            folds.append(found)
    return folds


def row_weights(sources: Sequence[str], groups: Sequence[str], labels: Mask) -> npt.NDArray[np.float64]:
    """Weigh training rows: (n,) mean 1, both classes the same in sum.

    A group of n rows (pages of a domain, pieces of a book) weighs sqrt(n) and not n, and so does a source whose
    groups weigh n together: a few large sites or one large source must not decide what is good.
    """
    weights = np.ones(len(labels))
    names = np.array([f"{label:d}{source}" for label, source in zip(labels.tolist(), sources, strict=True)])
    _, group = np.unique(np.char.add(np.char.add(names, "\0"), np.asarray(groups, str)), return_inverse=True)
    _, source = np.unique(names, return_inverse=True)
    weights /= np.sqrt(np.bincount(group))[group]
    weights /= np.sqrt(np.bincount(source, weights=weights))[source]
    for mask in (labels, ~labels):
        weights[mask] *= len(labels) / (2 * weights[mask].sum())
    return weights

"""Inside each component: keep the best document, drop those that resemble it, and look at the rest again.

A resembles B and B resembles C does not make A resemble C. So a document is dropped only if its signature agrees with
that of a *kept* one; what is left of the component forms a smaller one, of which again the best stays.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from text.buffers import Hashes

MAX_ROUNDS = 256  # kept documents that one component is compared with; bounds the work on a long chain
_CHUNK = 1 << 14  # rows compared at once: 7 MB at 112 hashes

Indices = npt.NDArray[np.int64]
Entries = npt.NDArray[np.uint32] | npt.NDArray[np.uint16]


class Choice(NamedTuple):
    """The outcome for n documents that have company, row by row."""

    duplicate_of: Indices  # (n,) row of the kept document; a kept document's own row
    similarity: npt.NDArray[np.float32]  # (n,) signature agreement with it; 1 for a kept one itself
    rounds: npt.NDArray[np.int32]  # (n,) round of the decision, from 0; above 0 the component was a chain
    undecided: int  # kept because MAX_ROUNDS were over

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """(n,) the document stays."""
        kept: npt.NDArray[np.bool_] = self.duplicate_of == np.arange(len(self.duplicate_of))
        return kept

    @property
    def rescued(self) -> int:
        """Documents that stay although their component has a better one: what a drop by component would have lost."""
        return int((self.kept & (self.rounds > 0)).sum())


def choose(
    labels: Hashes,
    places: Indices,
    minima: Entries,
    protected: npt.NDArray[np.bool_] | None = None,
    *,
    verify: float,
    max_rounds: int = MAX_ROUNDS,
) -> Choice:
    """Decide which documents stay; the same for every order of the rows.

    Args:
        labels: (n,) component of each document.
        places: (n,) distinct; the least of a component stays (`priority.ranks`).
        minima: (n, num_hashes) signatures, or their low 16 bits.
        protected: (n,) documents of a reference source: never dropped, others are dropped for them.
        verify: least share of equal signature entries for a drop; 0 drops all but the best of a component.
        max_rounds: documents kept by comparison in one component; what is then left is kept, and counted.
    """
    size = len(labels)
    duplicate_of = np.arange(size)
    similarity = np.ones(size, np.float32)
    rounds = np.zeros(size, np.int32)
    if protected is None:
        protected = np.zeros(size, bool)
    # By component, then by place: the first of each run is the best of what is left of its component.
    left = np.lexsort((places, ~protected, labels))
    for number in range(max_rounds):
        if len(left) == 0:
            return Choice(duplicate_of, similarity, rounds, 0)
        head = np.ones(len(left), bool)
        head[1:] = labels[left[1:]] != labels[left[:-1]]
        begin = np.flatnonzero(head)
        best = np.repeat(left[begin], np.diff(np.append(begin, len(left))))
        agreement = _agreement(minima, left, best)
        dropped = (agreement >= np.float32(verify)) & ~head & ~protected[left]
        rows = left[dropped]
        duplicate_of[rows] = best[dropped]
        similarity[rows] = agreement[dropped]
        # A protected document that equals the best would be compared with the same documents once more.
        settled = dropped | head | (protected[left] & (agreement == 1))
        rounds[left[settled]] = number
        left = left[~settled]
    rounds[left] = max_rounds
    return Choice(duplicate_of, similarity, rounds, int((~protected[left]).sum()))


def _agreement(minima: Entries, first: Indices, second: Indices) -> npt.NDArray[np.float32]:
    """Share of equal signature entries of (m,) pairs of rows, in chunks of bounded memory."""
    agreement = np.empty(len(first), np.float32)
    for begin in range(0, len(first), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        equal = np.count_nonzero(minima[first[part]] == minima[second[part]], axis=1)
        agreement[part] = equal / minima.shape[1]
    return agreement

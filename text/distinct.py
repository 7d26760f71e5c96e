"""Distinct numbers by sorting: numpy's own `unique` goes through a hash table, at several times the cost."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", np.int64, np.uint64)


def distinct(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the distinct values, rising: (n,) to (k,)."""
    ordered = np.sort(values)
    return ordered[run_starts(ordered)]


def run_starts(ordered: npt.NDArray[Number]) -> npt.NDArray[np.int64]:
    """Where each run of equal values begins: (k,) rising."""
    if not len(ordered):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

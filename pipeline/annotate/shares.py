"""Sums and shares per document, as all signals need them."""

import numpy as np
import numpy.typing as npt

from text.buffers import Bytes, Offsets

Floats = npt.NDArray[np.float64]


def per_text(values: npt.ArrayLike, borders: Offsets) -> Offsets:
    """Sum values by text: (n,) int64 from (n_values,) whole numbers or booleans and (n + 1,) borders."""
    sums = np.zeros(borders[-1] + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return np.diff(sums[borders])


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """Divide part by whole, and say 0 where the whole is 0: (n,) float64."""
    part, whole = np.asarray(part), np.asarray(whole)
    return np.asarray(np.divide(part, whole, out=np.zeros(len(whole)), where=whole != 0))


def bytes_at(data: Bytes, at: Offsets) -> Bytes:
    """The byte at each place, 0 outside of the data: (n,) uint8."""
    inside = (at >= 0) & (at < len(data))
    found = np.zeros(len(at), np.uint8)
    found[inside] = data[at[inside]]
    return found

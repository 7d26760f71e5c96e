"""Histograms of values of kept and removed documents, over a range that shows both the bulk and the bounds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 30
_TAIL = 0.005  # share of values at each end that the outermost bars may hold
_REACH = 2.0  # a bound further from the values than this, in units of their range, is left out
_FEW = 60  # whole numbers in a smaller range get a bar each
_LEAST_BARS = 6  # of whole numbers
_WIDE = 50.0  # counts that reach further than this are shown on a logarithmic axis

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width on the axis; the outermost bins hold everything beyond."""

    low: float
    high: float
    log: bool  # the axis is log10(1 + value)
    whole: bool  # each bar is one whole number; the axis begins and ends half a number further out
    kept: tuple[int, ...]
    gone: tuple[int, ...]

    def place(self, value: float, side: int = 0) -> float | None:
        """Where a value stands on the axis, 0 to 1; None if outside of it.

        Among whole numbers, side -1 is the near edge of the value's bar, and side 1 the far one.
        """
        value += side / 2 if self.whole else 0
        if not self.low <= value <= self.high:
            return None
        low, high, at = (_scaled(np.array([v]), log=self.log)[0] for v in (self.low, self.high, value))
        return float((at - low) / (high - low))

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last value, for people."""
        return (self.low + 0.5, self.high - 0.5) if self.whole else (self.low, self.high)


def make_histogram(
    values: Floats,
    kept: npt.NDArray[np.bool_],
    *,
    bounds: tuple[float, ...],
    low: float | None = None,
    high: float | None = None,
    bins: int = BINS,
) -> Histogram:
    """Count values in bins.

    Args:
        values: (n,); NaN is left out.
        kept: (n,) which of them belong to documents that stayed.
        bounds: thresholds that the axis should show; one that is far away does not stretch a linear axis.
        low: first value of the axis; found from values and bounds when None.
        high: last value of the axis, likewise.
        bins: number of bars.
    """
    known = ~np.isnan(values)
    values, kept = values[known], kept[known]
    if low is not None and high is not None:
        start, stop, log, whole = low, high, False, False
    else:
        start, stop, log, count = _axis(values, bounds)
        whole, bins = count is not None, count or bins
    first, last = (float(end) for end in _scaled(np.array([start, stop]), log=log))
    place = np.floor((_scaled(values, log=log) - first) / (last - first) * bins).astype(np.int64)
    place = np.clip(place, 0, bins - 1)
    counts = [np.bincount(place[mask], minlength=bins) for mask in (kept, ~kept)]
    return Histogram(start, stop, log, whole, tuple(counts[0].tolist()), tuple(counts[1].tolist()))


def _axis(values: Floats, bounds: tuple[float, ...]) -> tuple[float, float, bool, int | None]:
    """Start, stop, whether it is logarithmic, and, for whole numbers with a bar each, how many there are."""
    ends = np.quantile(values, [_TAIL, 1 - _TAIL], method="nearest") if len(values) else np.array([0.0, 1.0])
    least, most = float(ends[0]), float(ends[1])
    log = least >= 0 and max(most, *bounds, 0.0) > _WIDE
    reach = np.inf if log or most == least else _REACH * (most - least)
    near = [bound for bound in bounds if least - reach <= bound <= most + reach]
    least, most = min([least, *near]), max([most, *near])
    if not log and most - least <= _FEW and np.all(np.array([*values, least, most]) % 1 == 0):
        most = max(most, least + _LEAST_BARS - 1)
        return least - 0.5, most + 0.5, False, round(most - least) + 1
    if not log:
        margin = (most - least) / 20
        # A share does not go below 0 or above 1.
        least = max(least - margin, 0.0) if least >= 0 else least - margin
        most = min(most + margin, 1.0) if most <= 1 else most + margin
    return least, most if most > least else least + 1.0, log, None


def _scaled(values: Floats, *, log: bool) -> Floats:
    return np.log10(1 + np.maximum(values, 0)) if log else values

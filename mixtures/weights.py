"""Weights as exact integers: `0.1` is one tenth, and 60/22/8/8/3 may sum to 101."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from mixtures.errors import MixtureError

# Numbers as people write them; longer ones are no weights but a way to keep a computer busy.
Number = int | float | str | Fraction
_PLAIN = re.compile(r"\+?(\d{1,30})?(\.\d{1,30})?([eE][+-]?\d{1,2})?(/\d{1,30})?")

# Above this period the weights are rounded: the order of one period is kept as a table.
MAX_PERIOD = 1_000_000


@dataclass(frozen=True, slots=True)
class Weights:
    """Integer weights without a common divisor; one period of the order takes `sum(weights)` samples."""

    weights: dict[str, int]
    error: float  # largest difference between a share asked for and its share here; 0.0 unless it was rounded

    @property
    def period(self) -> int:
        """Samples after which every source has had exactly its weight."""
        return sum(self.weights.values())


def exact(value: Number, what: str) -> Fraction:
    """Read a positive number exactly as it was written; a float counts as its shortest decimal form.

    Args:
        value: an integer, a float, a Fraction, or a text such as "22", "0.1", "3e-2", "1/3".
        what: named in the error, e.g. "weight of source `books`".

    Raises:
        MixtureError: it is no number, not finite, zero or negative.
    """
    text = repr(value) if isinstance(value, float) else str(value).strip().replace("_", "")
    if isinstance(value, bool) or not _PLAIN.fullmatch(text) or text.strip("+") in ("", "."):
        raise MixtureError(f"{what} is {value!r}; expected a positive number such as 22, 0.1 or 1/3")
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise MixtureError(
            f"{what} is {value!r}; expected a positive number such as 22, 0.1 or 1/3"
        ) from error
    if number <= 0:
        raise MixtureError(
            f"{what} is {value!r}; give a positive number, or leave the source out of the mixture"
        )
    return number


def from_weights(weights: Mapping[str, Number]) -> Weights:
    """Weights of any scale.

    Raises:
        MixtureError: there is none, or one is zero, negative, not finite or no number; names the source.
    """
    return integers({name: exact(value, f"weight of source `{name}`") for name, value in weights.items()})


def from_epochs(epochs: Mapping[str, Number], windows: Mapping[str, int]) -> Weights:
    """Weights that give each source its passes: weight is proportional to windows * epochs.

    Args:
        epochs: passes over each source.
        windows: samples in one pass over each source.

    Raises:
        MixtureError: as `from_weights`, or a source has no window.
    """
    shares: dict[str, Fraction] = {}
    for name, value in epochs.items():
        if windows[name] <= 0:
            raise MixtureError(f"source `{name}` has no whole window; it cannot be given epochs")
        shares[name] = exact(value, f"epochs of source `{name}`") * windows[name]
    return integers(shares)


def integers(shares: Mapping[str, Fraction]) -> Weights:
    """Bring positive shares to integers, exactly up to a period of 1,000,000, else by largest remainder.

    The result is sorted by weight, largest first, then by name, so that the order in a file does not matter.
    """
    if not shares:
        raise MixtureError("a mixture needs at least one source")
    if len(shares) > MAX_PERIOD:
        raise MixtureError(f"{len(shares):,} sources; at most {MAX_PERIOD:,} can be told apart by weight")
    total = sum(shares.values(), Fraction(0))
    scale = math.lcm(*(share.denominator for share in shares.values()))
    whole = {name: int(share * scale) for name, share in shares.items()}
    divisor = math.gcd(*whole.values())
    whole = {name: value // divisor for name, value in whole.items()}
    if sum(whole.values()) > MAX_PERIOD:
        whole = _round(shares, total)
    error = max(
        abs(share / total - Fraction(whole[name], sum(whole.values()))) for name, share in shares.items()
    )
    return Weights(dict(sorted(whole.items(), key=lambda item: (-item[1], item[0]))), float(error))


def _round(shares: Mapping[str, Fraction], total: Fraction) -> dict[str, int]:
    """Largest remainder over 1,000,000; a source too small to be seen keeps one sample, taken from the largest."""
    scaled = {name: share * MAX_PERIOD / total for name, share in shares.items()}
    whole = {name: math.floor(value) for name, value in scaled.items()}
    by_remainder = sorted(shares, key=lambda name: (whole[name] - scaled[name], name))
    for name in by_remainder[: MAX_PERIOD - sum(whole.values())]:
        whole[name] += 1
    for name in sorted(name for name, value in whole.items() if value == 0):
        largest = min(whole, key=lambda other: (-whole[other], other))
        whole[largest] -= 1
        whole[name] = 1
    divisor = math.gcd(*whole.values())
    return {name: value // divisor for name, value in whole.items()}

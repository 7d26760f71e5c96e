"""Every signal of a batch of documents: numbers without judgement. `rules` judges them, now or years later."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate.c4 import VARIANTS, c4
from pipeline.annotate.fineweb import fineweb
from pipeline.annotate.gopher_quality import gopher_quality
from pipeline.annotate.gopher_repetition import gopher_repetition
from pipeline.annotate.lengths import lengths
from pipeline.errors import UsageError
from text.anatomy import Anatomy

SETS: dict[str, Callable[[Anatomy], dict[str, pa.Array]]] = {
    "lengths": lengths,
    "gopher_repetition": gopher_repetition,
    "gopher_quality": gopher_quality,
    **{name: partial(c4, variant=variant) for name, variant in VARIANTS.items()},
    "fineweb": fineweb,
}

_UNITS = (
    ("_share", "share, 0 to 1"),
    ("_chars", "characters"),
    ("_per_token", "per token"),
    ("_kept", "bytes"),
)


def compute_signals(texts: pa.Array, *, sets: Sequence[str]) -> pa.RecordBatch:
    """Compute sets of signals, one column each, in the order of the sets.

    Each document's signals depend on its text alone, not on its neighbours. Time is linear in bytes, whatever they
    hold; memory about 100 bytes for each byte of the longest text.

    Args:
        texts: (n,) string or large_string; a null has null signals.
        sets: names from `SETS`.

    Returns:
        (n,) rows; counts int64, shares and means float64, `c4_…_kept` lists of byte spans. A field's metadata says
        its `unit`.

    Raises:
        UsageError: an unknown set; names the nearest.
    """
    _check(sets)
    batches = [_columns(part, sets) for part in Anatomy.of(texts).batches()] or [
        _columns(Anatomy.of(texts), sets)
    ]
    columns = {
        name: pa.chunked_array([batch[name] for batch in batches]).combine_chunks() for name in batches[0]
    }
    if texts.null_count:
        known = texts.is_valid()
        columns = {
            name: pc.if_else(known, values, pa.scalar(None, values.type)) for name, values in columns.items()
        }
    fields = [
        pa.field(name, values.type, metadata={"unit": unit_of(name)}) for name, values in columns.items()
    ]
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(fields))


def unit_of(signal: str) -> str:
    """The unit that a signal's name tells: a share, characters, a number per token, or a plain count."""
    return next((unit for ending, unit in _UNITS if signal.endswith(ending)), "count")


def _columns(texts: Anatomy, sets: Sequence[str]) -> dict[str, pa.Array]:
    return {name: values for chosen in dict.fromkeys(sets) for name, values in SETS[chosen](texts).items()}


def _check(sets: Sequence[str]) -> None:
    for name in sets:
        if name not in SETS:
            near = get_close_matches(name, SETS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known sets: {', '.join(SETS)}"
            raise UsageError(f"unknown set of signals `{name}`; {hint}")
    if not sets:
        raise UsageError(f"no set of signals asked for; known sets: {', '.join(SETS)}")

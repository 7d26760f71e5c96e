"""Thresholds over signals: which documents stay, and which rule removed the others.

A rule needs no text: stored signals can be judged again with other thresholds in seconds.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from pipeline.errors import UsageError

DECISIONS = pa.schema([("fate", pa.string()), ("rule", pa.string()), ("detail", pa.string())])


@dataclass(frozen=True, slots=True)
class Rule:
    """Keep a document whose signal lies within bounds, both of them included."""

    name: str
    signal: str
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise UsageError(f"rule `{self.name}`: give `min`, `max` or both")
        for bound in (self.min, self.max):
            if bound is not None and math.isnan(bound):
                raise UsageError(f"rule `{self.name}`: a bound is not a number")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise UsageError(
                f"rule `{self.name}`: min {self.min:g} is above max {self.max:g}: it would remove everything"
            )


# Rae et al. 2021 (arXiv:2112.11446), appendix A1.1, "Quality filtering".
GOPHER_QUALITY = (
    Rule("gopher_too_few_words", "nonsymbol_words", min=50),
    Rule("gopher_too_many_words", "nonsymbol_words", max=100_000),
    Rule("gopher_short_words", "mean_word_chars", min=3),
    Rule("gopher_long_words", "mean_word_chars", max=10),
    Rule("gopher_hashes", "hashes_per_token", max=0.1),
    Rule("gopher_ellipses", "ellipses_per_token", max=0.1),
    Rule("gopher_bullet_lines", "bullet_lines_share", max=0.9),
    Rule("gopher_ellipsis_lines", "ellipsis_lines_share", max=0.3),
    Rule("gopher_few_alphabetic_words", "alphabetic_tokens_share", min=0.8),
    Rule("gopher_too_few_stop_words", "distinct_stop_words", min=2),
)

# Rae et al. 2021, table A1.
GOPHER_REPETITION = (
    Rule("gopher_duplicate_paragraphs", "duplicate_paragraphs_share", max=0.30),
    Rule("gopher_duplicate_paragraphs_chars", "duplicate_paragraphs_chars_share", max=0.20),
    Rule("gopher_duplicate_lines", "duplicate_lines_share", max=0.30),
    Rule("gopher_duplicate_lines_chars", "duplicate_lines_chars_share", max=0.20),
    *(
        Rule(f"gopher_top_{n}gram", f"top_{n}gram_chars_share", max=share)
        for n, share in ((2, 0.20), (3, 0.18), (4, 0.16))
    ),
    *(
        Rule(f"gopher_duplicate_{n}gram", f"duplicate_{n}gram_chars_share", max=share)
        for n, share in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
    ),
)

# Penedo et al. 2024 (arXiv:2406.17557), section 3.5, and the code published with it.
FINEWEB = (
    Rule("fineweb_terminal_lines", "terminal_lines_share", min=0.12),
    Rule("fineweb_short_lines", "short_lines_share", max=0.67),
    Rule("fineweb_duplicate_lines", "duplicate_nonblank_lines_chars_share", max=0.01),
    Rule("fineweb_list", "newlines_per_token", max=0.3),
)


def _c4(variant: str, min_sentences: int) -> tuple[Rule, ...]:
    return (
        Rule("c4_lorem_ipsum", f"{variant}_lorem_ipsum_lines", max=0),
        Rule("c4_curly_bracket", f"{variant}_brace_lines", max=0),
        Rule("c4_too_few_sentences", f"{variant}_sentences", min=min_sentences),
    )


PRESETS: dict[str, tuple[Rule, ...]] = {
    "gopher_quality": GOPHER_QUALITY,
    "gopher_repetition": GOPHER_REPETITION,
    "c4": _c4("c4_paper", 5),
    "c4_paper": _c4("c4_paper", 5),  # Raffel et al. 2020 (arXiv:1910.10683), section 2.2
    # TensorFlow Datasets, c4_utils.py: `_MIN_NUM_SENTENCES`, `_MAX_PAGE_LENGTH` (the paper does not name it).
    "c4_tfds": (*_c4("c4_tfds", 3), Rule("c4_too_long", "characters", max=190_000)),
    "c4_fineweb": _c4("c4_fineweb", 5),  # as FineWeb ran it: lines need no terminal mark
    # mC4, Xue et al. 2021 (arXiv:2010.11934), section 3.1: at least three lines of 200 characters.
    "mc4": (Rule("mc4_too_few_long_lines", "third_longest_line_chars", min=200),),
    "fineweb": FINEWEB,
    # CCNet, Wenzek et al. 2020 (arXiv:1911.00359): its pipeline's `min_len`, in characters.
    "lengths": (Rule("too_short", "characters", min=300),),
}

# The sets of signals that each preset needs.
SIGNAL_SETS: dict[str, tuple[str, ...]] = {
    "gopher_quality": ("gopher_quality",),
    "gopher_repetition": ("gopher_repetition",),
    "c4": ("c4_paper",),
    "c4_paper": ("c4_paper",),
    "c4_tfds": ("c4_tfds", "lengths"),
    "c4_fineweb": ("c4_fineweb",),
    "mc4": ("lengths",),
    "fineweb": ("fineweb",),
    "lengths": ("lengths",),
}


def preset_rules(names: Iterable[str]) -> tuple[Rule, ...]:
    """Rules of some presets, in the order given.

    Raises:
        UsageError: an unknown preset; names the nearest.
    """
    return tuple(rule for name in names for rule in PRESETS[_known(name, PRESETS, "preset of rules")])


def signal_sets(names: Iterable[str]) -> tuple[str, ...]:
    """Sets of signals that some presets need, each once, in the order of first need.

    Raises:
        UsageError: an unknown preset; names the nearest.
    """
    needed = (part for name in names for part in SIGNAL_SETS[_known(name, SIGNAL_SETS, "preset of rules")])
    return tuple(dict.fromkeys(needed))


def apply_rules(signals: pa.RecordBatch | pa.Table, rules: Sequence[Rule]) -> pa.RecordBatch:
    """Judge n documents by their signals.

    Args:
        signals: (n,) rows, as `compute_signals` gives them or as they were stored.
        rules: in order; the first that a document breaks is its rule. A null or NaN signal breaks none.

    Returns:
        (n,) rows of `fate` (`kept` or `removed`), `rule`, and `detail`: signal, value and the bound it broke.

    Raises:
        UsageError: a rule's signal is not there; names the nearest.
    """
    rows = signals.num_rows
    fate = np.full(rows, "kept", dtype=object)
    name = np.full(rows, None, dtype=object)
    detail = np.full(rows, None, dtype=object)
    standing = np.ones(rows, bool)
    for rule in rules:
        values = _values(signals, rule)
        with np.errstate(invalid="ignore"):
            low = standing & (values < rule.min) if rule.min is not None else np.zeros(rows, bool)
            high = standing & (values > rule.max) if rule.max is not None else np.zeros(rows, bool)
        for broken, sign, bound in ((low, "<", rule.min), (high, ">", rule.max)):
            hit = np.flatnonzero(broken)
            detail[hit] = [
                f"{rule.signal} {_exact(value)} {sign} {bound:.12g}" for value in values[hit].tolist()
            ]
        gone = low | high
        fate[gone], name[gone] = "removed", rule.name
        standing &= ~gone
    return pa.RecordBatch.from_arrays(
        [pa.array(column, pa.string()) for column in (fate, name, detail)], schema=DECISIONS
    )


def _exact(value: float) -> str:
    return f"{value:.10g}"


def _values(signals: pa.RecordBatch | pa.Table, rule: Rule) -> np.ndarray:
    names = signals.schema.names
    if rule.signal not in names:
        near = get_close_matches(rule.signal, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"signals here: {', '.join(names)}"
        raise UsageError(f"rule `{rule.name}`: no signal `{rule.signal}`; {hint}")
    column = signals.column(rule.signal)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise UsageError(f"rule `{rule.name}`: signal `{rule.signal}` is no number but {column.type}")
    return np.asarray(
        column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else column.cast(pa.float64()).to_numpy()
    )


def _known(name: str, known: Iterable[str], what: str) -> str:
    names = list(known)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names)}"
        raise UsageError(f"unknown {what} `{name}`; {hint}")
    return name

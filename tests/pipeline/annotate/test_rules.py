import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.annotate.rules import PRESETS, SIGNAL_SETS, Rule, apply_rules, preset_rules, signal_sets
from pipeline.annotate.signals import compute_signals
from pipeline.errors import UsageError

NAN = float("nan")

# Signal, and the bounds between which the publication keeps a document.
PUBLISHED = {
    # Rae et al. 2021, appendix A1.1
    "gopher_quality": {
        "nonsymbol_words": (50, 100_000),
        "mean_word_chars": (3, 10),
        "hashes_per_token": (None, 0.1),
        "ellipses_per_token": (None, 0.1),
        "bullet_lines_share": (None, 0.9),
        "ellipsis_lines_share": (None, 0.3),
        "alphabetic_tokens_share": (0.8, None),
        "distinct_stop_words": (2, None),
    },
    # Rae et al. 2021, table A1
    "gopher_repetition": {
        "duplicate_lines_share": (None, 0.30),
        "duplicate_paragraphs_share": (None, 0.30),
        "duplicate_lines_chars_share": (None, 0.20),
        "duplicate_paragraphs_chars_share": (None, 0.20),
        "top_2gram_chars_share": (None, 0.20),
        "top_3gram_chars_share": (None, 0.18),
        "top_4gram_chars_share": (None, 0.16),
        "duplicate_5gram_chars_share": (None, 0.15),
        "duplicate_6gram_chars_share": (None, 0.14),
        "duplicate_7gram_chars_share": (None, 0.13),
        "duplicate_8gram_chars_share": (None, 0.12),
        "duplicate_9gram_chars_share": (None, 0.11),
        "duplicate_10gram_chars_share": (None, 0.10),
    },
    # Penedo et al. 2024, section 3.5
    "fineweb": {
        "terminal_lines_share": (0.12, None),
        "short_lines_share": (None, 0.67),
        "duplicate_nonblank_lines_chars_share": (None, 0.01),
        "newlines_per_token": (None, 0.3),
    },
    # Raffel et al. 2020, section 2.2
    "c4_paper": {
        "c4_paper_sentences": (5, None),
        "c4_paper_lorem_ipsum_lines": (None, 0),
        "c4_paper_brace_lines": (None, 0),
    },
    # c4_utils.py of TensorFlow Datasets
    "c4_tfds": {
        "c4_tfds_sentences": (3, None),
        "c4_tfds_lorem_ipsum_lines": (None, 0),
        "c4_tfds_brace_lines": (None, 0),
        "characters": (None, 190_000),
    },
    # Xue et al. 2021, section 3.1
    "mc4": {"third_longest_line_chars": (200, None)},
}


@pytest.mark.parametrize("preset", list(PUBLISHED))
def test_presets_hold_the_published_thresholds(preset: str) -> None:
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for rule in PRESETS[preset]:
        low, high = bounds.get(rule.signal, (None, None))
        bounds[rule.signal] = (low if rule.min is None else rule.min, high if rule.max is None else rule.max)
    assert bounds == PUBLISHED[preset]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_each_preset_names_the_signals_that_it_needs(preset: str) -> None:
    assert SIGNAL_SETS.keys() == PRESETS.keys()
    signals = compute_signals(pa.array(["The cat sat."]), sets=signal_sets([preset]))
    assert apply_rules(signals, preset_rules([preset])).num_rows == 1


@pytest.mark.parametrize(
    "rule",
    sorted({rule for rules in PRESETS.values() for rule in rules}, key=lambda rule: (rule.name, rule.signal)),
)
def test_a_bound_itself_is_kept_and_the_next_number_is_not(rule: Rule) -> None:
    bound = rule.min if rule.max is None else rule.max
    assert bound is not None
    worse = np.nextafter(bound, -np.inf if rule.max is None else np.inf)
    signals = pa.record_batch({rule.signal: [bound, worse]})
    assert apply_rules(signals, [rule]).column("fate").to_pylist() == ["kept", "removed"]


def test_the_first_broken_rule_gets_the_document_and_says_its_value() -> None:
    signals = pa.record_batch({"words": [10, 60, 10], "share": [0.5, 0.5, 0.25]})
    rules = [Rule("few", "words", min=50), Rule("lists", "share", max=0.3)]
    assert apply_rules(signals, rules).to_pylist() == [
        {"fate": "removed", "rule": "few", "detail": "words 10 < 50"},
        {"fate": "removed", "rule": "lists", "detail": "share 0.5 > 0.3"},
        {"fate": "removed", "rule": "few", "detail": "words 10 < 50"},
    ]
    assert apply_rules(signals, rules[::-1]).column("rule").to_pylist() == ["lists", "lists", "few"]


def test_what_is_not_known_breaks_no_rule() -> None:
    signals = pa.record_batch({"words": pa.array([None, 1], pa.int64()), "share": pa.array([NAN, None])})
    assert apply_rules(signals, [Rule("few", "words", min=0), Rule("lists", "share", min=0, max=1)]).column(
        "fate"
    ).to_pylist() == ["kept", "kept"]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), max_size=20), st.integers(0, 9), st.floats(0, 1)
)
@settings(max_examples=60)
def test_decisions_follow_the_definition(rows: list[tuple[int, float]], low: int, high: float) -> None:
    signals = pa.record_batch(
        {
            "words": pa.array([a for a, _ in rows], pa.int64()),
            "share": pa.array([b for _, b in rows], pa.float64()),
        }
    )
    found = apply_rules(
        pa.Table.from_batches([signals]), [Rule("few", "words", min=low), Rule("lists", "share", max=high)]
    )
    assert found.column("rule").to_pylist() == [
        "few" if a < low else "lists" if b > high else None for a, b in rows
    ]
    assert found.column("fate").to_pylist() == ["removed" if a < low or b > high else "kept" for a, b in rows]


def test_stored_signals_can_be_judged_again() -> None:
    signals = compute_signals(pa.array(["The cat sat with the dog."]), sets=["gopher_quality"])
    strict, loose = Rule("few", "nonsymbol_words", min=50), Rule("few", "nonsymbol_words", min=5)
    assert apply_rules(signals, [strict]).column("detail").to_pylist() == ["nonsymbol_words 6 < 50"]
    assert apply_rules(signals, [loose]).column("fate").to_pylist() == ["kept"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: preset_rules(["gopher_qualtiy"]), "unknown preset of rules `gopher_qualtiy`; did you mean `gopher_quality`?"),
        (lambda: signal_sets(["zzz"]), "unknown preset of rules `zzz`; known: gopher_quality,"),
        (
            lambda: apply_rules(pa.record_batch({"words": [1]}), [Rule("few", "word", min=1)]),
            "rule `few`: no signal `word`; did you mean `words`?",
        ),
        (
            lambda: apply_rules(pa.record_batch({"words": ["1"]}), [Rule("few", "words", min=1)]),
            "rule `few`: signal `words` is no number but string",
        ),
        (lambda: Rule("few", "words"), "rule `few`: give `min`, `max` or both"),
        (lambda: Rule("few", "words", min=2, max=1), "rule `few`: min 2 is above max 1: it would remove everything"),
        (lambda: Rule("few", "words", min=NAN), "rule `few`: a bound is not a number"),
    ],
)  # fmt: skip
def test_wrong_rules_say_what_to_write(call, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        call()

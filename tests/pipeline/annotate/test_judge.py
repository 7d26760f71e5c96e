import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.keep import pareto_survival
from pipeline.annotate.judge import check_rules, first_verdict, judge, keep_rule, signal_rules, signals_needed
from pipeline.annotate.measure import Measures, measure
from pipeline.annotate.rules import DECISIONS
from pipeline.errors import UsageError
from pipeline.sections.filter import Filter

ENGLISH = "The quick brown fox jumps over the lazy dog, and then it goes home to rest for the night. " * 6
GERMAN = (
    "Der schnelle braune Fuchs springt über den faulen Hund und geht dann nach Hause, um sich auszuruhen. "
    * 6
)


def table(texts, *, quality=None, urls=None, opt_out=None):
    what = Measures(sets=signals_needed(Filter(heuristics=["gopher_quality"])))
    found = pa.Table.from_batches([measure(pa.array(texts, pa.string()), what)])
    rows = len(texts)
    if quality is not None:
        place = found.schema.get_field_index("quality")
        found = found.set_column(place, "quality", pa.array(quality, pa.float32()))
    return (
        found.append_column("id", pa.array([f"d{i}" for i in range(rows)]))
        .append_column("url", pa.array(urls or [None] * rows, pa.string()))
        .append_column("opt_out", pa.array(opt_out or [None] * rows, pa.list_(pa.string())))
    )


def rules_of(found, settings, **more):
    return judge(found, settings, seed=1, cut=None, blocklist=None, **more)["rule"].to_pylist()


def test_the_first_rule_in_order_removes():
    found = table(
        [ENGLISH, GERMAN, "too short", ENGLISH], opt_out=[None, ["noai"], None, ["noai", "noindex"]]
    )
    settings = Filter(languages=["en"], opt_out=["noai"], heuristics=["gopher_quality"])
    assert rules_of(found, settings) == [None, "language", "gopher_too_few_words", "opt_out"]


def test_a_threshold_of_the_recipe_replaces_that_of_the_preset():
    found = table(["just a few words that are the ones that we have"])
    strict, loose = (
        Filter(heuristics=["gopher_quality"]),
        Filter(heuristics=["gopher_quality"], thresholds={"gopher_too_few_words": {"min": 5}}),
    )
    assert rules_of(found, strict) == ["gopher_too_few_words"]
    assert rules_of(found, loose) == [None]


def test_a_rule_of_ones_own_comes_after_the_presets():
    settings = Filter(
        heuristics=["gopher_quality"], rules=[{"name": "long", "signal": "characters", "max": 100}]
    )
    found = judge(table([ENGLISH]), settings, seed=1, cut=None, blocklist=None)
    assert found["rule"].to_pylist() == ["long"]
    assert found["detail"].to_pylist() == [f"characters {len(ENGLISH)} > 100"]
    assert [rule.name for rule in signal_rules(settings)][-1] == "long"


def test_an_unknown_rule_or_signal_is_named_with_its_neighbours():
    with pytest.raises(UsageError, match="no rule `gopher_to_few_words`"):
        check_rules(Filter(heuristics=["gopher_quality"], thresholds={"gopher_to_few_words": {"min": 1}}))
    with pytest.raises(UsageError, match="charcters"):
        check_rules(Filter(rules=[{"name": "mine", "signal": "charcters", "min": 1}]))


def test_words_of_a_url_remove_its_page():
    found = table([ENGLISH, ENGLISH], urls=["https://example.org/casino/x", "https://example.org/tea"])
    assert rules_of(found, Filter(urls={"words": ["casino"]})) == ["url_word", None]


@pytest.mark.parametrize("score", [0.0, 0.5, 0.9])
def test_the_pareto_rule_keeps_the_published_share(score):
    """Brown et al. 2020, appendix A: kept with probability (2 - score) ** -9."""
    rows = 20_000
    one = table(["text"])
    found = pa.table(
        {
            name: pa.chunked_array([pa.concat_arrays([one[name].combine_chunks()] * rows)])
            for name in one.schema.names
        }
    )
    found = found.set_column(
        found.schema.get_field_index("quality"), "quality", pa.array([score] * rows, pa.float32())
    )
    found = found.set_column(
        found.schema.get_field_index("id"), "id", pa.array([f"doc-{i}" for i in range(rows)])
    )
    rules = rules_of(found, Filter(quality={"model": "m", "keep": {"pareto": 9}}))
    expected = float(pareto_survival(np.float32(score), alpha=9))
    kept = rules.count(None) / rows
    assert abs(kept - expected) <= 4 * np.sqrt(expected * (1 - expected) / rows) + 1e-9


def test_top_percent_keeps_all_until_the_border_is_known():
    settings = Filter(quality={"model": "m", "keep": {"top_percent": 10}})
    assert keep_rule(settings).kind == "top_percent"
    assert rules_of(table([ENGLISH, ENGLISH], quality=[0.1, 0.9]), settings) == [None, None]


@given(
    st.lists(st.lists(st.sampled_from(["kept", "removed"]), min_size=3, max_size=3), min_size=1, max_size=4)
)
def test_the_first_verdict_that_removes_counts(columns):
    verdicts = [
        pa.record_batch(
            [
                pa.array(column),
                pa.array([f"rule{n}" if fate == "removed" else None for fate in column], pa.string()),
                pa.nulls(3, pa.string()),
            ],
            schema=DECISIONS,
        )
        for n, column in enumerate(columns)
    ]
    rules = first_verdict(verdicts)["rule"].to_pylist()
    expected = [
        next((f"rule{n}" for n, column in enumerate(columns) if column[row] == "removed"), None)
        for row in range(3)
    ]
    assert rules == expected

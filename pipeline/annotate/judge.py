"""From measured columns to fates: the rules of a filter, in order. Needs no text."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.keep import Cut, KeepRule, keep_mask
from pipeline.annotate.measure import Measures
from pipeline.annotate.rules import DECISIONS, Rule, apply_rules, preset_rules, signal_sets
from pipeline.annotate.url_rules import UrlRules, judge_urls
from pipeline.errors import UsageError
from pipeline.sections.filter import Filter
from pipeline.storage.cache import local_copy


def signal_rules(settings: Filter) -> tuple[Rule, ...]:
    """Rules over signals: those of the presets with the recipe's bounds, then the recipe's own.

    Raises:
        UsageError: `thresholds` names a rule that no preset of the filter has.
    """
    rules = {rule.name: rule for rule in preset_rules(settings.heuristics)}
    for name, bounds in settings.thresholds.items():
        if name not in rules:
            raise UsageError(
                f"thresholds: no rule `{name}` in the presets of this filter; rules: {', '.join(rules)}"
            )
        rules[name] = replace(rules[name], min=bounds.min, max=bounds.max)
    own = [Rule(rule.name, rule.signal, rule.min, rule.max) for rule in settings.rules]
    return (*rules.values(), *own)


def signals_needed(settings: Filter | None) -> list[str]:
    """Sets of signals that a filter's presets need, each once; `lengths` always."""
    return list(dict.fromkeys(["lengths", *(signal_sets(settings.heuristics) if settings else ())]))


def check_rules(settings: Filter) -> None:
    """Try the rules of a filter on no documents.

    Raises:
        UsageError: a rule or a signal that is not there; names the nearest.
    """
    columns = Measures(sets=signals_needed(settings)).schema().empty_table()
    apply_rules(columns, signal_rules(settings))


def judge(
    table: pa.Table, settings: Filter, *, seed: int, cut: Cut | None, blocklist: str | None
) -> pa.RecordBatch:
    """Judge n documents: (n,) rows of `fate`, `rule`, `detail`.

    Args:
        table: measured columns, and `id`, `url`, `opt_out` of the documents.
        settings: the filter.
        seed: of the recipe, for draws by document id.
        cut: border of a `top_percent` rule; without it that rule keeps all.
        blocklist: file made of the filter's lists, if it has any.
    """
    verdicts = [_language(table, settings), _opt_out(table, settings)]
    if settings.urls is not None:
        verdicts.append(_urls(table, settings, blocklist))
    if rules := signal_rules(settings):
        verdicts.append(apply_rules(table, rules))
    verdicts.append(_quality(table, settings, seed=seed, cut=cut))
    return first_verdict(verdicts)


def first_verdict(verdicts: list[pa.RecordBatch]) -> pa.RecordBatch:
    """For each row the first verdict that is not `kept`."""
    result = verdicts[0]
    for following in verdicts[1:]:
        standing = pc.equal(result["fate"], "kept")
        columns = [pc.if_else(standing, following[name], result[name]) for name in DECISIONS.names]
        result = pa.record_batch(columns, schema=DECISIONS)
    return result


def _verdict(gone: Any, rule: str, details: list[str | None] | None = None) -> pa.RecordBatch:
    mask = np.asarray(gone, bool)
    fate = np.where(mask, "removed", "kept").tolist()
    rules = [rule if removed else None for removed in mask]
    shown = [
        detail if removed else None
        for removed, detail in zip(mask, details or [None] * len(mask), strict=True)
    ]
    return pa.record_batch(
        [pa.array(column, pa.string()) for column in (fate, rules, shown)], schema=DECISIONS
    )


def _language(table: pa.Table, settings: Filter) -> pa.RecordBatch:
    codes = table["language"].to_pylist()
    scores = table["language_score"].to_pylist()
    if settings.languages is None:
        return _verdict([False] * len(codes), "language")
    wanted = set(settings.languages)
    named = ", ".join(settings.languages)
    other = _verdict(
        [code not in wanted for code in codes],
        "language",
        [f"{code} is not one of {named}" for code in codes],
    )
    least = settings.min_language_score
    unsure = _verdict(
        [score < least for score in scores],
        "language_score",
        [f"{score:.4f} < {least:g}" for score in scores],
    )
    return first_verdict([other, unsure])


def _opt_out(table: pa.Table, settings: Filter) -> pa.RecordBatch:
    wanted = set(settings.opt_out)
    found = [sorted(wanted & set(signals or ())) for signals in table["opt_out"].to_pylist()]
    return _verdict(
        [bool(signals) for signals in found], "opt_out", [", ".join(signals) for signals in found]
    )


def _urls(table: pa.Table, settings: Filter, blocklist: str | None) -> pa.RecordBatch:
    urls = settings.urls
    assert urls is not None
    rules = UrlRules(
        blocklist=local_copy(blocklist) if blocklist else None,
        words=tuple(urls.words),
        soft_words=tuple(urls.soft_words),
        min_soft_words=urls.min_soft_words,
        substrings=tuple(urls.substrings),
    )
    return judge_urls(table["url"].combine_chunks(), rules)


def keep_rule(settings: Filter) -> KeepRule:
    """The quality rule of a filter; `none` when it has none."""
    keep = settings.quality.keep if settings.quality else None
    if keep is None:
        return KeepRule("none")
    if keep.pareto is not None:
        return KeepRule("pareto", keep.pareto)
    if keep.threshold is not None:
        return KeepRule("threshold", keep.threshold)
    return KeepRule("top_percent", keep.top_percent)


def _quality(table: pa.Table, settings: Filter, *, seed: int, cut: Cut | None) -> pa.RecordBatch:
    rule = keep_rule(settings)
    if rule.kind == "none" or (rule.kind == "top_percent" and cut is None):
        return _verdict([False] * len(table), "quality")
    scores = table["quality"].to_numpy()
    kept = keep_mask(scores, table["id"], rule=rule, seed=seed, cut=cut)
    return _verdict(~kept, f"quality_{rule.kind}", [f"score {score:.4f}, {rule}" for score in scores])

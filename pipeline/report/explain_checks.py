"""One document against every rule in force: its value, the bound, and what the rule says, broken or not."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from classifiers.keep import pareto_survival
from classifiers.keyed import uniform
from pipeline.annotate.judge import judge, keep_rule, signal_rules
from pipeline.annotate.rules import Rule, apply_rules
from pipeline.annotate.signals import unit_of
from pipeline.annotate.trained_text import TextEdits
from pipeline.sections.filter import Filter
from pipeline.sections.root import Root
from pipeline.storage.reading import exists
from pipeline.workspace import Workspace

Check = dict[str, Any]

_SHOWN_LINES = 5


def checks(
    workspace: Workspace, root: Root, source: str, row: pa.Table, border: float | None = None
) -> list[Check]:
    """Judge one document by each rule of its filter alone, in the order in which they apply.

    Args:
        workspace: where the filter's block list may lie.
        root: the recipe.
        source: of the document.
        row: (1,) its annotations, and `id`, `url`, `opt_out`.
        border: of a `top_percent` rule: the lowest score that was kept.

    Returns:
        For each rule `rule`, `signal`, `value`, the bound (`min`, `max` or what the rule compares with), `verdict`
        (`kept`, `removed`, or `no value` where the signal was not measured), and `decided`: the one that removed it.
    """
    name = root.sources[source].filter
    if name == "none":
        return []
    settings = root.filters[name]
    values = row.to_pylist()[0]
    found = [
        *_language(settings, values),
        *_opt_out(settings, values),
        *_urls(workspace, name, settings, row),
    ]
    found += [_signal(rule, row, values) for rule in signal_rules(settings)]
    found += _quality(settings, values, root.seed, border)
    for check in found:
        check["decided"] = values["fate"] == "removed" and values["rule"] == check["rule"]
    return found


def _language(settings: Filter, values: dict[str, Any]) -> list[Check]:
    if settings.languages is None:
        return []
    code, score, least = values["language"], values["language_score"], settings.min_language_score
    return [
        {
            "rule": "language",
            "signal": "language",
            "value": code,
            "expected": settings.languages,
            "verdict": _verdict(code in settings.languages),
        },
        {
            "rule": "language_score",
            "signal": "language_score",
            "value": score,
            "min": least,
            "verdict": _verdict(score >= least),
        },
    ]


def _opt_out(settings: Filter, values: dict[str, Any]) -> list[Check]:
    if not settings.opt_out:
        return []
    seen = sorted(set(values["opt_out"] or ()))
    kept = not set(seen) & set(settings.opt_out)
    return [
        {
            "rule": "opt_out",
            "signal": "opt_out",
            "value": seen,
            "unwanted": settings.opt_out,
            "verdict": _verdict(kept),
        }
    ]


def _urls(workspace: Workspace, name: str, settings: Filter, row: pa.Table) -> list[Check]:
    if settings.urls is None:
        return []
    listed = bool(settings.urls.blocked_domains or settings.urls.blocked_hosts or settings.urls.blocked_urls)
    path = workspace.work("blocklists", f"{name}.bin")
    there = listed and exists(path)
    told = judge(
        row, Filter(urls=settings.urls), seed=0, cut=None, blocklist=path if there else None
    ).to_pylist()[0]
    stored = row.to_pylist()[0]
    if told["fate"] == "kept" and (stored["rule"] or "").startswith("url_"):
        told = stored
    check = {
        "rule": told["rule"] or "url",
        "signal": "url",
        "value": told["detail"],
        "expected": "not on the lists, none of the words",
        "verdict": told["fate"],
    }
    if listed and not there and told["fate"] == "kept":
        check["note"] = "the block lists are not there any more; words alone were looked for"
    return [check]


def _signal(rule: Rule, row: pa.Table, values: dict[str, Any]) -> Check:
    value = values.get(rule.signal)
    judged = apply_rules(row, [rule])["fate"][0].as_py() if rule.signal in row.column_names else "kept"
    return {
        "rule": rule.name,
        "signal": rule.signal,
        "unit": unit_of(rule.signal),
        "value": value,
        "min": rule.min,
        "max": rule.max,
        "verdict": "no value" if value is None else judged,
    }


def _quality(settings: Filter, values: dict[str, Any], seed: int, border: float | None) -> list[Check]:
    rule = keep_rule(settings)
    score = values.get("quality")
    if rule.kind == "none" or rule.value is None:
        return []
    check: Check = {"rule": f"quality_{rule.kind}", "signal": "quality", "value": score}
    if score is None:
        return [{**check, "verdict": "no value"}]
    if rule.kind == "threshold":
        check |= {"min": rule.value, "verdict": _verdict(score >= rule.value)}
    elif rule.kind == "pareto":
        chance = float(pareto_survival([score], alpha=rule.value)[0])
        draw = float(uniform(pa.array([values["id"]], pa.string()), seed=seed, purpose="pareto")[0])
        check |= {
            "alpha": rule.value,
            "probability": chance,
            "draw": draw,
            "verdict": _verdict(draw < chance),
        }
    else:
        removed = values["rule"] == check["rule"] if border is None or score == border else score < border
        check |= {"top_percent": rule.value, "lowest_score_kept": border, "verdict": _verdict(not removed)}
    return [check]


def _verdict(kept: bool) -> str:  # noqa: FBT001  a plain answer
    return "kept" if kept else "removed"


def edits(what: TextEdits, text: str, row: pa.Table, cuts: pa.Array | None = None) -> dict[str, Any]:
    """Say what is done to a text before it is trained on.

    Args:
        what: edits of its source.
        text: as extracted.
        row: (1,) its annotations.
        cuts: (1,) its `cut` in `repeats`, as far as that stage got.

    Returns:
        `characters` before and after; `lines_cut` and the first of them where a rule removes lines; `repeats_cut` and
        the first of the passages that stay elsewhere; `pii` replacements by kind; `text` as trained.
    """
    texts = pa.array([text], pa.large_string())
    spans = row[what.spans].combine_chunks() if what.spans else None
    trained = what.apply(texts, spans, cuts)[0].as_py()
    told: dict[str, Any] = {
        **asdict(what),
        "characters_before": len(text),
        "characters_after": len(trained),
        "text": trained,
    }
    if spans is not None:
        lines = _cut_lines(text, spans[0].as_py() or [])
        told |= {"lines_cut": len(lines), "first_lines_cut": lines[:_SHOWN_LINES]}
    if cuts is not None:
        data = TextEdits(what.spans).apply(texts, spans)[0].as_py().encode()
        ranges = cuts[0].as_py() or []
        told["repeats_cut"] = len(ranges)
        told["first_repeats_cut"] = [
            data[part["start"] : part["end"]].decode().strip() for part in ranges[:_SHOWN_LINES]
        ]
    told["pii"] = {
        kind: row[f"pii_{kind}"][0].as_py() for kind in what.pii if f"pii_{kind}" in row.column_names
    }
    return told


def _cut_lines(text: str, kept: Sequence[dict[str, int]]) -> list[str]:
    """Lines that are not blank and hold no byte of a span that stays."""
    lines, spans, offset, place = [], [(span["start"], span["end"]) for span in kept], 0, 0
    for raw in text.encode().split(b"\n"):
        end = offset + len(raw)
        while place < len(spans) and spans[place][1] <= offset:
            place += 1
        if raw.strip() and not (place < len(spans) and spans[place][0] < end):
            lines.append(raw.decode())
        offset = end + 1
    return lines


def lowest_kept(rows: pa.Table) -> float | None:
    """The lowest quality score that a part's annotations did not remove for its quality; None if there is none."""
    stayed = rows.filter(pc.equal(rows["fate"], "kept"))["quality"]
    found: float | None = pc.min(stayed).as_py()
    return found

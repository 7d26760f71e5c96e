"""The ledger: what became of every record, by source, stage and rule; and the check that none was lost."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.workspace import PartState

Ledger = dict[str, Any]
StageStates = Mapping[str, Sequence[PartState]]


class LostRecordsError(Exception):
    """A stage did not account for every record that it was given: a bug, and its output must not be used."""


def make_ledger(stages: Mapping[str, StageStates]) -> Ledger:
    """Count fates.

    Args:
        stages: for each stage in order, for each source, the states of its parts.

    Returns:
        `sources`: per source `records`, `kept`, `removed` and `failed` by rule, `bytes_skipped`, and per stage the
        same three sums as `in`, `kept`, `removed`, `failed`; `stages`: the same over all sources.

    Raises:
        LostRecordsError: in some stage in != kept + removed + failed, or rows are missing.
    """
    sources: dict[str, Any] = {}
    names = list(next(iter(stages.values()), {}))
    for name in names:
        by_stage: dict[str, Any] = {}
        waiting: int | None = None
        rows: int | None = None
        for stage, states in stages.items():
            sums = add_up(states.get(name, ()))
            held = sum(state.rows for state in states.get(name, ()))
            waiting = held if waiting is None else waiting
            rows = held if rows is None else rows
            judged = sums["kept"] + sum(sums["removed"].values()) + sum(sums["failed"].values())
            if judged != waiting or held != rows:
                raise LostRecordsError(
                    f"{stage}: source `{name}` had {waiting:,} records to judge in {rows:,} rows; found {judged:,} in {held:,}"
                )
            by_stage[stage] = {"in": waiting, **sums}
            waiting = sums["kept"]
        removed, failed = _merge(by_stage, "removed"), _merge(by_stage, "failed")
        first = next(iter(stages.values()))[name]
        sources[name] = {
            "records": rows or 0,
            "kept": waiting or 0,
            "removed": removed,
            "failed": failed,
            "bytes_skipped": [item for state in first for item in state.more.get("skipped", [])],
            "stages": by_stage,
        }
    total = {
        stage: {
            "in": sum(sources[name]["stages"][stage]["in"] for name in names),
            "kept": sum(sources[name]["stages"][stage]["kept"] for name in names),
            "removed": _merge({name: sources[name]["stages"][stage] for name in names}, "removed"),
            "failed": _merge({name: sources[name]["stages"][stage] for name in names}, "failed"),
        }
        for stage in stages
    }
    return {"sources": sources, "stages": total}


def add_up(states: Sequence[PartState]) -> dict[str, Any]:
    """Add up the fates of parts: `kept`, and `removed` and `failed` by rule."""
    return {
        "kept": sum(state.kept for state in states),
        "removed": _sum([state.removed for state in states]),
        "failed": _sum([state.failed for state in states]),
    }


def _merge(parts: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, int]:
    return _sum([part[key] for part in parts.values()])


def _sum(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for rule, number in count.items():
            total[rule] = total.get(rule, 0) + number
    return dict(sorted(total.items()))

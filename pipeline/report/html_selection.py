"""The report's section on what came before records: captures chosen from an index, links taken from Reddit dumps."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.facts import Facts
from pipeline.report.html_parts import Html, foreign, paragraph, percent, section, table

_LINKS = (
    "bad_record",
    "self_post",
    "no_url",
    "low_score",
    "own_site",
    "media",
    "short_link",
    "duplicate",
    "kept",
)


def selection_section(facts: Facts) -> Html | None:
    """Counts of each step by source; None where every source reads all that it is given."""
    told = {
        name: source["selection"]
        for name, source in facts.ledger["sources"].items()
        if source.get("selection") is not None
    }
    if not told:
        return None
    content: list[object] = []
    captures = [row for name, counts in told.items() for row in _captures(name, counts)]
    if captures:
        content += [
            paragraph(
                "Captures of an index, by the first filter that removed them; only what was selected is read."
            ),
            table(("source", "step", "captures", "share"), captures, texts=2),
        ]
    links = [row for name, counts in told.items() for row in _links(name, counts)]
    if links:
        content += [
            paragraph("Submissions in the dumps of Reddit: a link is kept once, with its best score."),
            table(("source", "step", "submissions", "share"), links, texts=2),
        ]
    return section("selection", "What was selected", *content)


def _captures(name: str, counts: Mapping[str, Any]) -> list[tuple[object, ...]]:
    if "selection" not in counts:
        return []
    chosen, bad = counts["selection"], counts["index"]["bad_lines"]
    steps = {
        "lines without a place in a WARC file": bad,
        **{f"removed: {rule}": number for rule, number in chosen["removed"].items()},
        "the same place again": chosen["duplicate"],
        "selected": chosen["selected"],
    }
    return _rows(name, steps, chosen["captures"] + bad)


def _links(name: str, counts: Mapping[str, Any]) -> list[tuple[object, ...]]:
    if "links" not in counts:
        return []
    held = counts["links"]
    return _rows(name, {step.replace("_", " "): held[step] for step in _LINKS}, held["submissions"])


def _rows(name: str, steps: Mapping[str, int], whole: int) -> list[tuple[object, ...]]:
    return [
        (name, foreign(step), number, percent(number, whole) if whole else "-")
        for step, number in steps.items()
        if number
    ]

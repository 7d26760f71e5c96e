"""What the dedup stage found, in numbers: `duplicates/summary.json`, and warnings about what looks wrong."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.dedup.part import HELD_RULES
from pipeline.dedup.part_keys import read_rows
from pipeline.dedup.row_gaps import parts_of, rows_of
from pipeline.dedup.statistics import Statistics
from pipeline.dedup_generations import Generation
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.dedup_jobs import Findings

_TEMPLATES = 100  # that are named
_HIGH = 0.5  # share dropped above which something may be wrong
_FEW = 100  # documents below which a share says nothing
_LARGE = 10_000  # documents of a web source that is bound to hold copies
_WEB = {"warc", "wet", "arc"}

Summary = dict[str, Any]


def make_summary(
    workspace: Workspace, generations: Sequence[Generation], findings: "Findings", outputs: Mapping[int, str]
) -> Summary:
    """Add what a search found to what `summary.json` says of earlier generations.

    Args:
        workspace: of the build.
        generations: those that count, the new one last.
        findings: of the new one.
        outputs: `duplicates` files of its parts, by number.

    Returns:
        `generations`; per level `clusters` (pairs of documents, clusters), `pairs` (source of the dropped, of the
        kept, dropped), `rules`, `similarity` (hundredths, near copies dropped), `rescued`, `undecided`, `largest`
        (documents, dropped, id of the best); `templates` (of which key, key, documents, id of the best).
    """
    before = workspace.read_json("duplicates", "summary.json") if len(generations) > 1 else None
    levels = {name: [found] for name, found in findings.levels.items()}
    templates = _templates(findings, outputs)
    if before is not None:
        for name, told in before["levels"].items():
            levels.setdefault(name, []).append(Statistics.from_dict(told))
        templates = _largest([*map(tuple, before["templates"]), *templates])
    return {
        "generations": [generation.name for generation in generations],
        "levels": {name: Statistics.total(levels[name]).to_dict() for name in sorted(levels, reverse=True)},
        "templates": [list(template) for template in templates],
    }


def warnings_of(sums: Mapping[str, Mapping[str, Any]], formats: Mapping[str, str]) -> list[str]:
    """Say which sources lost more than half of their documents, or, large and from the web, not one.

    Args:
        sums: by source `kept` and, by rule, `removed`, as the ledger has them for the stage.
        formats: of the sources.
    """
    lines = []
    for name, told in sums.items():
        kept = told["kept"]
        # What an earlier build holds is no surprise, however much it is.
        removed = sum(number for rule, number in told["removed"].items() if rule not in HELD_RULES)
        judged = kept + removed
        if judged >= _FEW and removed > _HIGH * judged:
            lines.append(
                f"dedup: {removed / judged:.0%} of the {judged:,} documents of `{name}` were dropped as copies;"
                " look at the largest clusters with `crawlmix dedup-report`"
            )
        elif removed == 0 and judged >= _LARGE and formats.get(name) in _WEB:
            lines.append(
                f"dedup: not one of the {judged:,} documents of `{name}` was dropped, which no crawl is free of;"
                " were copies removed before?"
            )
    return lines


def _templates(findings: "Findings", outputs: Mapping[int, str]) -> list[tuple[str, str, int, str]]:
    """Name each template by the best document of its cluster; of the bands' buckets of a cluster, the largest."""
    named = []
    for keys, key, size, document in findings.templates:
        number = _array(document)
        row = read_rows(outputs[int(parts_of(number)[0])], ["cluster"], rows_of(number))
        named.append((keys, key, size, row["cluster"][0].as_py()))
    return _largest(named)


def _largest(templates: Sequence[tuple[str, str, int, str]]) -> list[tuple[str, str, int, str]]:
    best: dict[tuple[str, str], tuple[str, str, int, str]] = {}
    for template in sorted(templates, key=lambda item: (-item[2], item[3], item[0], item[1])):
        best.setdefault((template[0], template[3]), template)
    return list(best.values())[:_TEMPLATES]


def _array(number: int) -> Any:
    import numpy as np

    return np.array([number], np.uint64)

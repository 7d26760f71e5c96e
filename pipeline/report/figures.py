"""Counts and histograms over the tables of a workspace: languages, scores, signals, clusters, examples."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate.judge import signal_rules
from pipeline.annotate.rules import Rule
from pipeline.exclusions import Exclusions
from pipeline.report.examples import Example, ExampleChooser, Reason
from pipeline.report.facts import TABLES, Facts
from pipeline.report.histogram import Histogram, make_histogram
from pipeline.report.part_rows import Chosen, PartRows, choose_parts, numbers, read_parts
from pipeline.workspace import Workspace

SCORE_BINS = 20
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SignalFigure:
    """One signal of one source, and the rules over it."""

    source: str
    signal: str
    rules: tuple[Rule, ...]
    beyond: tuple[int, ...]  # documents that break each rule, whether or not another rule came first
    histogram: Histogram


@dataclass
class Figures:
    """What the tables show; of a large workspace some parts are read, the same ones every time."""

    chosen: dict[str, Chosen] = field(default_factory=dict)
    languages: dict[str, tuple[int, int]] = field(default_factory=dict)  # kept, removed or failed later
    opt_out: dict[str, int] = field(default_factory=dict)
    quality: dict[str, Histogram] = field(default_factory=dict)
    signals: list[SignalFigure] = field(default_factory=list)
    pii: dict[str, int] = field(default_factory=dict)  # occurrences in documents kept
    examples: dict[Reason, list[Example]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every part was read."""
        return all(chosen.all for chosen in self.chosen.values())


def read_figures(workspace: Workspace, facts: Facts) -> Figures:
    """Read the tables of a workspace.

    Raises:
        CrawlmixError: tables do not belong together.
    """
    figures = Figures()
    exclusions = Exclusions.read(workspace)
    examples = ExampleChooser()
    languages: Counter[tuple[str, bool]] = Counter()
    opt_out: Counter[str] = Counter()
    tables = [TABLES[stage] for stage in facts.stages if stage in TABLES]
    for source in facts.ledger["sources"]:
        figures.chosen[source] = choose_parts(workspace, source)
        rules = _rules(facts, source)
        columns: dict[str, list[Floats]] = {}
        for rows in read_parts(
            workspace, source, figures.chosen[source].parts, tables, exclusions.ids(source)
        ):
            examples.add(rows)
            opt_out.update(pc.list_flatten(rows.documents["opt_out"]).to_pylist())
            _add_columns(columns, rows, {rule.signal for rule in rules})
            _add_languages(languages, rows)
            _add_pii(figures.pii, rows)
        joined = {name: np.concatenate(values) for name, values in columns.items()}
        _add_histograms(figures, source, joined, rules)
    figures.opt_out = dict(sorted(opt_out.items()))
    figures.languages = {
        code: (languages[code, True], languages[code, False])
        for code in sorted(
            {code for code, _ in languages}, key=lambda c: (-languages[c, True] - languages[c, False], c)
        )
    }
    figures.examples = examples.read(workspace)
    return figures


def _rules(facts: Facts, source: str) -> tuple[Rule, ...]:
    name = facts.recipe.sources[source].filter if source in facts.recipe.sources else "none"
    return signal_rules(facts.recipe.filters[name]) if name in facts.recipe.filters else ()


def _add_columns(columns: dict[str, list[Floats]], rows: PartRows, signals: set[str]) -> None:
    if rows.annotations is None:
        return
    judged = pc.is_valid(rows.annotations["fate"]).to_numpy()
    kept = pc.equal(rows.fate, "kept").to_numpy(zero_copy_only=False)
    columns.setdefault("kept", []).append(kept[judged].astype(np.float64))
    for name in [*sorted(signals & set(rows.annotations.column_names)), "quality"]:
        columns.setdefault(name, []).append(numbers(rows.annotations[name])[judged])


def _add_languages(languages: Counter[tuple[str, bool]], rows: PartRows) -> None:
    if rows.annotations is None:
        return
    pairs = pa.table({"code": rows.annotations["language"], "kept": pc.equal(rows.fate, "kept")})
    for row in pairs.group_by(["code", "kept"]).aggregate([([], "count_all")]).to_pylist():
        if row["code"] is not None:
            languages[row["code"], row["kept"]] += row["count_all"]


def _add_pii(pii: dict[str, int], rows: PartRows) -> None:
    if rows.annotations is None:
        return
    kept = pc.equal(rows.fate, "kept")
    for name in rows.annotations.column_names:
        if name.startswith("pii_"):
            found = pc.sum(rows.annotations[name].filter(kept)).as_py() or 0
            pii[name.removeprefix("pii_")] = pii.get(name.removeprefix("pii_"), 0) + found


def _add_histograms(
    figures: Figures, source: str, columns: dict[str, Floats], rules: tuple[Rule, ...]
) -> None:
    if not columns:
        return
    kept = columns["kept"] > 0
    if not np.isnan(columns["quality"]).all():
        figures.quality[source] = make_histogram(
            columns["quality"], kept, bounds=(), low=0.0, high=1.0, bins=SCORE_BINS
        )
    for signal in dict.fromkeys(rule.signal for rule in rules):
        if signal not in columns or np.isnan(columns[signal]).all():
            continue
        mine = tuple(rule for rule in rules if rule.signal == signal)
        bounds = tuple(bound for rule in mine for bound in (rule.min, rule.max) if bound is not None)
        beyond = tuple(_beyond(columns[signal], rule) for rule in mine)
        shape = make_histogram(columns[signal], kept, bounds=bounds)
        figures.signals.append(SignalFigure(source, signal, mine, beyond, shape))


def _beyond(values: Floats, rule: Rule) -> int:
    low = values < rule.min if rule.min is not None else np.zeros(len(values), bool)
    high = values > rule.max if rule.max is not None else np.zeros(len(values), bool)
    return int((low | high).sum())

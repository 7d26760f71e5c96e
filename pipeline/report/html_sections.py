"""The sections of the report's page that show figures over documents."""

from typing import Any

from pipeline.annotate.judge import keep_rule
from pipeline.annotate.signals import unit_of
from pipeline.report.facts import Facts
from pipeline.report.figures import Figures, SignalFigure
from pipeline.report.html_charts import bar, bars, figure, histogram, plots
from pipeline.report.html_flow import flow
from pipeline.report.html_parts import (
    Html,
    code,
    foreign,
    join,
    legend,
    number,
    paragraph,
    percent,
    section,
    table,
)
from pipeline.report.rule_words import bound_words

MAX_LANGUAGES = 24
MAX_PLOTS = 120
_KEPT_AND_GONE = (("f-kept", "stayed to the end"), ("f-gone", "removed or failed, by whatever rule"))


def flow_section(facts: Facts) -> Html:
    """What went in and what became of it, by source and stage."""
    head = [
        "source",
        "records",
        *(f"after {stage}" for stage in facts.stages),
        "kept of records",
        "removed",
        "failed",
    ]
    rows: list[list[Any]] = []
    for name, source in facts.ledger["sources"].items():
        gone, failed = sum(source["removed"].values()), sum(source["failed"].values())
        left = [source["stages"][stage]["kept"] for stage in facts.stages]
        rows.append(
            [name, source["records"], *left, percent(source["kept"], source["records"]), gone, failed]
        )
    if len(rows) > 1:
        sums = [sum(row[place] for row in rows) for place in range(1, 2 + len(facts.stages))]
        ends = [sum(row[place] for row in rows) for place in (-2, -1)]
        rows.append([Html("<b>all</b>"), *sums, percent(facts.kept, facts.records), *ends])
    return section("flow", "What went in, and what became of it", flow(facts), table(head, rows))


def languages_section(facts: Facts, figures: Figures) -> Html:
    """Languages of the documents that had text."""
    if not figures.languages:
        return Html("")
    total = sum(kept + gone for kept, gone in figures.languages.values())
    most = max(kept + gone for kept, gone in figures.languages.values())
    lines = [
        bar(
            code(name),
            [("f-kept", kept), ("f-gone", gone)],
            most,
            f"{kept + gone:,} ({percent(kept + gone, total)})",
        )
        for name, (kept, gone) in list(figures.languages.items())[:MAX_LANGUAGES]
    ]
    rest = list(figures.languages.items())[MAX_LANGUAGES:]
    if rest:
        kept, gone = sum(counts[0] for _, counts in rest), sum(counts[1] for _, counts in rest)
        value = f"{kept + gone:,} ({percent(kept + gone, total)})"
        lines.append(bar(f"{len(rest)} others", [("f-kept", kept), ("f-gone", gone)], most, value))
    judged = facts.ledger["stages"]["annotate"]["in"]
    intro = f"The language of {judged:,} documents with text, as the language model names it."
    return section("languages", "Languages", paragraph(intro), legend(_KEPT_AND_GONE), bars(lines))


def quality_section(facts: Facts, figures: Figures) -> Html:
    """Quality scores by source."""
    pictures = []
    for source, shape in figures.quality.items():
        settings = facts.recipe.filters[facts.recipe.sources[source].filter]
        rule = keep_rule(settings)
        bounds = [(rule.value, -1)] if rule.kind == "threshold" and rule.value is not None else []
        label = f"quality scores of {source}, from 0 to 1"
        model = settings.quality.model if settings.quality else ""
        pictures.append(
            figure(
                histogram(shape, label, bounds),
                Html(f"<b>{code(source)}</b>"),
                f"model {model}, keep rule {rule}",
            )
        )
    if not pictures:
        return Html("")
    soft = any(keep_rule(rules).kind == "pareto" for rules in facts.recipe.filters.values())
    draw = (
        " The Pareto rule keeps a document with probability (2 - score)^-alpha: some of every score."
        if soft
        else ""
    )
    intro = f"The classifier's score of each document, 0 to 1.{draw} Heights go with the square root of the counts."
    return section("quality", "Quality scores", paragraph(intro), legend(_KEPT_AND_GONE), plots(pictures))


def signals_section(figures: Figures) -> Html:
    """Signals against the thresholds in force."""
    if not figures.signals:
        return Html("")
    groups = []
    for source in dict.fromkeys(item.source for item in figures.signals):
        mine = [item for item in figures.signals if item.source == source]
        groups += [Html(f"<h3>{code(source)}</h3>"), plots(_signal(item) for item in mine[:MAX_PLOTS])]
    intro = (
        "Each signal that a rule looks at. Dashed lines are the bounds in force; beside each rule stands how many documents"
        " break it, whether or not an earlier rule removed them. Heights go with the square root of the counts; the"
        " outermost bars hold all that lies beyond the axis."
    )
    return section(
        "signals", "Signals and thresholds", paragraph(intro), legend(_KEPT_AND_GONE), join(groups)
    )


def _signal(item: SignalFigure) -> Html:
    shape = item.histogram
    documents = sum(shape.kept) + sum(shape.gone)
    bounds, lines = [], []
    for rule, beyond in zip(item.rules, item.beyond, strict=True):
        mine = [(bound, side) for bound, side in ((rule.min, -1), (rule.max, 1)) if bound is not None]
        bounds += mine
        off = [number(bound) for bound, side in mine if shape.place(bound, side) is None]
        aside = f"; {' and '.join(off)} lies off this axis" if off else ""
        share = percent(beyond, documents)
        lines.append(Html(f"<br>{code(rule.name)}: {beyond:,} ({share}) {bound_words(rule)}{aside}"))
    unit = f"{unit_of(item.signal)}{', logarithmic axis' if shape.log else ''}"
    return figure(
        histogram(shape, f"{item.signal} of {documents:,} documents", bounds),
        Html(f"<b>{code(item.signal)}</b> ({unit})"),
        *lines,
    )


def contamination_section(facts: Facts) -> Html:
    """What was found of each benchmark, and what is left."""
    if facts.benchmarks is None:
        return Html("")
    rows = []
    for name, told in sorted(facts.benchmarks.get("benchmarks", {}).items()):
        wanted = ("examples", "dirty_before", "dirty_after", "clean")
        cells = [told.get(key, "-") for key in wanted]
        documents = [
            told.get(key, "-") for key in ("documents_with_matches", "documents_touched", "documents_removed")
        ]
        rows.append((code(name), *cells, *documents, told.get("characters_removed", "-")))
    warnings = [
        *facts.benchmarks.get("warnings", []),
        *(
            line
            for told in facts.benchmarks.get("benchmarks", {}).values()
            for line in told.get("warnings", [])
        ),
    ]
    head = (
        "benchmark", "examples", "found before", "found after", "clean", "matched", "cut",
        "removed", "characters cut",
    )  # fmt: skip
    intro = (
        "Examples of benchmarks whose text was found in the documents before and after it was cut out, and how many"
        " documents matched, were cut, and were removed."
    )
    return section(
        "contamination",
        "Benchmarks in the data",
        paragraph(intro),
        table(head, rows),
        *(paragraph(foreign(str(line)), "note warn") for line in warnings[:50]),
    )


def signals_of_sites_section(facts: Facts, figures: Figures) -> Html:
    """Opt-out signals and personal data."""
    rows = [
        (code(name), count)
        for name, count in sorted(figures.opt_out.items(), key=lambda item: (-item[1], item[0]))
    ]
    acted = sorted({signal for rules in facts.recipe.filters.values() for signal in rules.opt_out})
    does = (
        f"The recipe removes pages with {', '.join(acted)}."
        if acted
        else "The recipe records them and removes nothing for them."
    )
    seen = table(("signal", "pages"), rows[:50]) if rows else paragraph("None was seen.")
    content = [paragraph(f"What pages say about their use, in headers and meta tags. {does}"), seen]
    if figures.pii:
        found = ", ".join(f"{kind} {count:,}" for kind, count in figures.pii.items())
        content += [
            Html("<h3>Personal data</h3>"),
            paragraph(f"Found in documents that stayed, and replaced in what is trained on: {found}."),
        ]
    return section("sites", "Opt-out signals and personal data", *content)

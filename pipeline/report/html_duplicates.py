"""The section of the report's page on copies: documents that were dropped, and lines that were cut."""

from collections.abc import Mapping
from typing import Any

from pipeline.dedup_summary import warnings_of
from pipeline.report.facts import Facts
from pipeline.report.html_charts import bar, bars
from pipeline.report.html_parts import Html, code, foreign, join, paragraph, percent, section, table

_MAX_PAIRS = 50
_MAX_TEMPLATES = 20
_SIMILARITY_BINS = 20


def duplicates_section(facts: Facts) -> Html:
    """Say which copies were found, of what and how large their clusters are, and what looks wrong."""
    sums = facts.ledger["stages"].get("dedup")
    if sums is None:
        return Html("")
    rules = ", ".join(f"{number:,} by {rule}" for rule, number in sums["removed"].items())
    gone = sum(sums["removed"].values())
    content: list[object] = [
        paragraph(
            f"Of {sums['in']:,} documents {gone:,} were copies of one that stayed{f': {rules}' if rules else ''}."
        )
    ]
    sources = {name: source["stages"]["dedup"] for name, source in facts.ledger["sources"].items()}
    formats = {name: source.format for name, source in facts.recipe.sources.items()}
    content += [paragraph(foreign(line), "note warn") for line in warnings_of(sources, formats)]
    told = facts.ledger.get("dedup") or {"levels": {}, "templates": []}
    seen = {name: sums["in"] for name, sums in sources.items()}
    for name, level in told["levels"].items():
        if len(told["levels"]) > 1:
            content.append(Html(f"<h3>{code(name)}</h3>"))
        content += _level(level, seen)
    content.append(_templates(told["templates"]))
    if facts.ledger.get("repeats"):
        content.append(repeats_part(facts.ledger["repeats"]))
    return section("duplicates", "Duplicates", *content)


def _level(told: dict[str, Any], seen: dict[str, int]) -> list[Html]:
    content = []
    sizes = _by_size(told["clusters"])
    if sizes:
        most = max(documents for _, _, documents in sizes)
        lines = (
            bar(f"clusters of {label}", [("f-s1", documents)], most, f"{clusters:,} of them")
            for label, clusters, documents in sizes
        )
        content += [Html("<h3>Clusters by size, bars by documents</h3>"), bars(lines)]
    near = [0] * _SIMILARITY_BINS
    for hundredths, count in told["similarity"]:
        near[min(hundredths * _SIMILARITY_BINS // 100, _SIMILARITY_BINS - 1)] += count
    if any(near):
        first = next(place for place, count in enumerate(near) if count)
        wide = 1 / _SIMILARITY_BINS
        lines = (
            bar(
                f"{place * wide:.2f} to {(place + 1) * wide:.2f}",
                [("f-s1", near[place])],
                max(near),
                near[place],
            )
            for place in range(first, _SIMILARITY_BINS)
        )
        content += [Html("<h3>Near-copies by similarity to the document that stayed</h3>"), bars(lines)]
    if told["pairs"]:
        rows = [
            [dropped, kept, documents, percent(documents, seen.get(dropped, 0))]
            for dropped, kept, documents in sorted(told["pairs"], key=lambda pair: (-pair[2], *pair[:2]))[
                :_MAX_PAIRS
            ]
        ]
        head = ("removed from", "copy of one in", "documents", "of those that came")
        content.append(table(head, rows, texts=2))
    if told["rescued"] or told["undecided"]:
        content.append(
            paragraph(
                f"{told['rescued']:,} documents stayed though their cluster has a better one, for they resemble none that"
                f" stayed; {told['undecided']:,} were left undecided."
            )
        )
    return content


def _by_size(clusters: list[list[int]]) -> list[tuple[str, int, int]]:
    """Label, clusters and documents of ranges of sizes, of pairs of a size and how many clusters have it."""
    found = []
    for low, high in ((2, 2), (3, 3), (4, 4), (5, 9), (10, 99), (100, 999), (1000, None)):
        mine = [(size, number) for size, number in clusters if size >= low and (high is None or size <= high)]
        if mine:
            label = str(low) if low == high else f"{low} to {high}" if high else f"{low:,} and more"
            found.append(
                (label, sum(number for _, number in mine), sum(size * number for size, number in mine))
            )
    return found


def _templates(templates: list[list[Any]]) -> Html:
    if not templates:
        return Html("")
    rows = [[code(best), kind, size] for kind, _, size, best in templates[:_MAX_TEMPLATES]]
    head = ("best document", "they share", "documents")
    return join([Html("<h3>Templates: keys of more than 10,000 documents</h3>"), table(head, rows, texts=2)])


def repeats_part(told: Mapping[str, Any]) -> Html:
    """What was cut out of texts that stayed, by source."""
    what = "lines" if told["unit"] == "line" else "runs of three sentences"
    limit = told["max_documents"]
    stays = "each stays in the best of them" if told["keep"] == "best" else "they stay nowhere"
    intro = (
        f"{told['repeated']:,} of {told['distinct']:,} different {what} stand in more than {limit:,}"
        f" document{'' if limit == 1 else 's'}; {stays}."
    )
    rows = [
        [
            name,
            source["documents"],
            source["documents_cut"],
            source["documents_removed"],
            source["spans_cut"],
            source["bytes_cut"],
            percent(source["bytes_cut"], source["bytes"]),
        ]
        for name, source in told["sources"].items()
    ]
    head = ("source", "documents", "cut", "removed", f"{what} cut", "bytes cut", "of all bytes")
    return join([Html(f"<h3>Repeated {what}</h3>"), paragraph(intro), table(head, rows, texts=1)])

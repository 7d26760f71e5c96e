"""The duplicates of a workspace as one page without scripts that loads nothing."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.html_charts import bar, bars
from pipeline.report.html_duplicates import repeats_part
from pipeline.report.html_parts import (
    Html,
    code,
    foreign,
    join,
    paragraph,
    percent,
    section,
    shown,
    svg,
    table,
)
from pipeline.report.html_style import STYLE

_WIDTH, _HEIGHT, _FOOT = 600, 240, 20
_STEP = 5  # hundredths of similarity in a bar


def dedup_page(facts: Mapping[str, Any]) -> str:
    """Write the page out of `dedup_facts`."""
    title = f"{facts['name']}: duplicates"
    sections = [
        section("rates", "What was dropped for what", _rates(facts)),
        section("clusters", "Clusters", _sizes(facts), *map(_cluster, facts["clusters"])),
        section("similarity", "Similarity of near copies to the document that stays", _similarity(facts)),
        section("recall", "What the bands find", *_recall(facts)),
        section("templates", "Templates", _templates(facts)),
        *([section("repeats", "Repeated text", *_repeats(facts["repeats"]))] if "repeats" in facts else []),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{shown(title)}</title>\n<style>{STYLE}</style></head>\n"
        f'<body><div class="page"><header><h1>{shown(title)}</h1></header>\n<main>{join(sections)}</main></div></body></html>\n'
    )


def _rates(facts: Mapping[str, Any]) -> Html:
    if not facts["rates"]:
        return paragraph("Nothing was dropped.")
    rows = [
        [
            rate["dropped"],
            rate["kept"],
            rate["documents"],
            "-" if rate["share"] is None else percent(rate["share"], 1),
        ]
        for rate in facts["rates"]
    ]
    return table(["dropped from", "copy of one in", "documents", "of those that came"], rows, texts=2)


def _sizes(facts: Mapping[str, Any]) -> Html:
    told = facts["levels"]["content"]
    clusters = told["clusters"]
    if not clusters:
        return paragraph("No document has company.")
    limits = [2, 3, 5, 10, 100, 1000, 10_000]
    lines = []
    whole = max(1, sum(number for _, number in clusters))
    for low, high in zip(limits, [*limits[1:], None], strict=True):
        number = sum(n for size, n in clusters if size >= low and (high is None or size < high))
        name = (
            f"{low:,} or more"
            if high is None
            else str(low)
            if high == low + 1
            else f"{low:,} to {high - 1:,}"
        )
        lines.append(bar(f"{name} documents", [("f-kept", number)], whole, number))
    told_of_chains = paragraph(
        f"{told['rescued']:,} documents stay though their cluster has a better one, for they resemble no kept one;"
        f" {told['undecided']:,} were left undecided."
    )
    return join([bars(lines), told_of_chains])


def _cluster(cluster: Mapping[str, Any]) -> Html:
    head = paragraph(
        Html(
            f"<b>{cluster['documents']:,} documents</b>, {cluster['dropped']:,} dropped; best {code(cluster['best'])}"
        )
    )
    rows = [
        [
            "stays" if sample["fate"] == "kept" else "dropped",
            sample["source"],
            foreign(sample["url"] or sample["id"]),
            foreign(sample["title"] or ""),
            foreign(sample["text_begins"], 160),
            "" if sample["similarity"] is None else f"{sample['similarity']:.2f}",
        ]
        for sample in cluster["samples"]
    ]
    return join([head, table(["fate", "source", "page", "title", "begins", "similarity"], rows, texts=5)])


def _similarity(facts: Mapping[str, Any]) -> Html:
    counts: dict[int, int] = {}
    for hundredths, number in facts["levels"]["content"]["similarity"]:
        counts[hundredths // _STEP] = counts.get(hundredths // _STEP, 0) + number
    if not counts:
        return paragraph("No near copy was dropped.")
    most = max(counts.values())
    lines = [
        bar(f"{step * _STEP / 100:.2f}", [("f-kept", counts.get(step, 0))], most, counts.get(step, 0))
        for step in range(min(counts), max(counts) + 1)
    ]
    return join([bars(lines), paragraph("Share of equal signature entries; each bar begins at its number.")])


def _recall(facts: Mapping[str, Any]) -> list[Html]:
    if "curve" not in facts:
        return [paragraph("Only exact copies were looked for.")]
    points = " ".join(f"{_WIDTH * j:.1f},{_HEIGHT * (1 - p):.1f}" for j, p in facts["curve"])
    dots = [
        f'<circle class="f-kept" r="5" cx="{_WIDTH * (told["low"] + told["high"]) / 2:.1f}"'
        f' cy="{_HEIGHT * (1 - told["found"] / told["pairs"]):.1f}"/>'
        for told in facts["recall"]["bins"]
        if told["pairs"]
    ]
    shapes = [
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>',
        f'<polyline fill="none" stroke="currentColor" stroke-width="2" points="{points}"/>',
        *dots,
        f'<line class="bound" x1="{_WIDTH * facts["verify"]:.1f}" x2="{_WIDTH * facts["verify"]:.1f}" y1="0" y2="{_HEIGHT}"/>',
        *(
            f'<text class="soft" text-anchor="{anchor}" x="{_WIDTH * j:.0f}" y="{_HEIGHT + 15}">{j}</text>'
            for j, anchor in ((0, "start"), (0.5, "middle"), (0.8, "middle"), (1, "end"))
        ),
    ]
    label = "Chance of two documents to share a band, by their Jaccard similarity; dots are measured"
    rows = [
        [f"{told['low']} to {told['high']}", told["pairs"], told["found"], f"{told['expected']:.1f}"]
        for told in facts["recall"]["bins"]
    ]
    return [
        paragraph(facts["bands"]),
        svg(_WIDTH, _HEIGHT + _FOOT, label, shapes),
        paragraph(f"{label}. The dashed line is the agreement that a drop needs."),
        table(["Jaccard similarity", "pairs", "share a band", "expected"], rows),
        paragraph(
            f"Exact similarity of the pairs among {facts['recall']['documents']:,} documents drawn by their id; pairs inside"
            " large clusters of equal texts are left out."
        ),
    ]


def _templates(facts: Mapping[str, Any]) -> Html:
    if not facts["templates"]:
        return paragraph("No key is shared by more than 10,000 documents.")
    rows = [[code(best), kind, key, size] for kind, key, size, best in facts["templates"]]
    return table(["best document", "key of", "key", "documents"], rows, texts=3)


def _repeats(told: Mapping[str, Any]) -> list[Html]:
    rows = [
        [passage["documents"], passage["source"], code(passage["id"]), foreign(passage["text"], 300)]
        for passage in told["largest"]
    ]
    if not rows:
        return [repeats_part(told), paragraph("No passage stands in that many documents.")]
    return [repeats_part(told), table(["documents", "source", "one of them", "text"], rows, texts=4)]

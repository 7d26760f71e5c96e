"""The report: one page without scripts that loads nothing, from what the workspace says of itself."""

from pipeline.report.facts import Facts
from pipeline.report.figures import Figures
from pipeline.report.html_duplicates import duplicates_section
from pipeline.report.html_outcome import mixtures_section, origin_section, times_section, tokens_section
from pipeline.report.html_parts import Html, code, join, number, paragraph, percent, shown
from pipeline.report.html_reasons import reasons_section, skipped_section
from pipeline.report.html_sections import (
    contamination_section,
    flow_section,
    languages_section,
    quality_section,
    signals_of_sites_section,
    signals_section,
)
from pipeline.report.html_selection import selection_section
from pipeline.report.html_style import STYLE

VERSION = 2
_NAMES = {
    "flow": "Flow",
    "reasons": "Reasons",
    "selection": "Selection",
    "skipped": "Lost bytes",
    "languages": "Languages",
    "quality": "Quality",
    "signals": "Signals",
    "duplicates": "Duplicates",
    "contamination": "Benchmarks",
    "sites": "Opt-out",
    "tokens": "Tokens",
    "mixtures": "Mixtures",
    "times": "Times",
    "origin": "Versions",
}


def report_page(facts: Facts, figures: Figures, digest: str) -> str:
    """Write the page.

    Args:
        facts: from the workspace's small files.
        figures: from its tables.
        digest: of the facts; the page carries it, so that a current page is not written again.
    """
    sections = {
        "flow": flow_section(facts),
        "reasons": reasons_section(facts, figures),
        "selection": selection_section(facts),
        "skipped": skipped_section(facts),
        "languages": languages_section(facts, figures),
        "quality": quality_section(facts, figures),
        "signals": signals_section(figures),
        "duplicates": duplicates_section(facts),
        "contamination": contamination_section(facts),
        "sites": signals_of_sites_section(facts, figures),
        "tokens": tokens_section(facts),
        "mixtures": mixtures_section(facts),
        "times": times_section(facts),
        "origin": origin_section(facts),
    }
    links = "".join(
        f'<li><a href="#{name}">{_NAMES[name]}</a></li>' for name, content in sections.items() if content
    )
    title = f"{facts.build['name']}: build report"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name="crawlmix-report" content="{digest}">\n'
        f'<title>{shown(title)}</title>\n<style>{STYLE}</style></head>\n<body><div class="page">\n'
        f"<header><h1>{shown(title)}</h1>{_status(facts, figures)}{_tiles(facts)}</header>\n"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n'
        f"<main>{join(content for content in sections.values() if content)}</main>\n</div></body></html>\n"
    )


def _status(facts: Facts, figures: Figures) -> Html:
    digest = facts.build.get("dataset_digest")
    done = ", ".join(stage["name"] for stage in facts.build["stages"] if stage["name"] != "report")
    told = (
        paragraph(Html(f"Dataset digest {code(digest)}"))
        if digest
        else paragraph(f"This build is not finished; done so far: {done}.", "warn")
    )
    if figures.complete:
        return told
    read = sum(len(chosen.parts) for chosen in figures.chosen.values())
    total = sum(chosen.total for chosen in figures.chosen.values())
    note = (
        f"Counts of records are of everything. Languages, histograms, opt-out signals and examples are of {read:,} of {total:,}"
        " parts, chosen by a hash of their names."
    )
    return join([told, paragraph(note, "note")])


def _tiles(facts: Facts) -> Html:
    removed, failed = (sum(facts.total(fate).values()) for fate in ("removed", "failed"))
    tiles = [
        (facts.records, "records read"),
        (facts.kept, f"kept ({percent(facts.kept, facts.records)})"),
        (removed, f"removed ({percent(removed, facts.records)})"),
        (failed, f"failed ({percent(failed, facts.records)})"),
    ]
    if facts.shards:
        tiles.append((sum(told["tokens"] for told in facts.shards.values()), "tokens"))
    cells = "".join(
        f'<div class="tile"><b>{number(value)}</b><span>{shown(text)}</span></div>' for value, text in tiles
    )
    return Html(f'<div class="tiles">{cells}</div>')

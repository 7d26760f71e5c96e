"""Why records went: every rule and error with its count, what it means, and a few documents."""

from collections.abc import Mapping, Sequence

from pipeline.report.examples import SHOWN_CHARS, Example, Reason
from pipeline.report.facts import Facts, without_secrets
from pipeline.report.figures import Figures
from pipeline.report.html_parts import Html, code, foreign, join, paragraph, percent, section, shown, table
from pipeline.report.rule_words import rule_words

MAX_REASONS = 200
MAX_SKIPPED = 100


def reasons_section(facts: Facts, figures: Figures) -> Html:
    """All rules and errors, the most frequent first."""
    words = rule_words(facts.recipe)
    counted = [
        (number, rule, fate) for fate in ("removed", "failed") for rule, number in facts.total(fate).items()
    ]
    counted.sort(key=lambda item: (-item[0], item[2], item[1]))
    lines = [
        _reason(rule, fate, number, facts, words.get(rule, ""), figures.examples.get((fate, rule), []))
        for number, rule, fate in counted[:MAX_REASONS]
    ]
    gone = sum(number for number, _, _ in counted)
    intro = (
        f"{gone:,} of {facts.records:,} records did not stay. Each met the first rule it broke, in the order of the stages;"
        " errors are marked in red. Open a line for examples."
    )
    more = (
        paragraph(f"and {len(counted) - MAX_REASONS:,} more rules", "note")
        if len(counted) > MAX_REASONS
        else Html("")
    )
    kept = _kept(facts, figures.examples)
    return section(
        "reasons", "Why records went", paragraph(intro), Html(f'<div class="reasons">{join(lines)}</div>'), more,
        Html("<h3>What stayed</h3>"), Html(f'<div class="reasons">{join(kept)}</div>'),
    )  # fmt: skip


def _reason(rule: str, fate: str, number: int, facts: Facts, what: str, examples: Sequence[Example]) -> Html:
    by_source = {
        name: source[fate][rule] for name, source in facts.ledger["sources"].items() if rule in source[fate]
    }
    where = ", ".join(f"{name} {count:,}" for name, count in by_source.items())
    return _line(f"reason {fate}", rule, what, number, percent(number, facts.records), examples, where)


def _kept(facts: Facts, examples: Mapping[Reason, list[Example]]) -> list[Html]:
    return [
        _line("reason", name, "kept", source["kept"], percent(source["kept"], source["records"]), examples.get(("kept", name), []))
        for name, source in facts.ledger["sources"].items()
        if source["kept"]
    ]  # fmt: skip


def _line(
    kind: str, name: str, what: str, number: int, share: str, examples: Sequence[Example], where: str = ""
) -> Html:
    inside = join(map(_example, examples)) if examples else paragraph("No example to show.", "note")
    sources = paragraph(where, "note where") if where else Html("")
    return Html(
        f'<details class="{kind}"><summary>{code(name)}<span class="what">{shown(what)}</span>'
        f'<span class="count">{number:,}</span><span class="share">{shown(share)}</span></summary>'
        f'{sources}<div class="examples">{inside}</div></details>'
    )


def _example(example: Example) -> Html:
    lines = [Html(f"<b>{foreign(example.title, 120) if example.title else 'no title'}</b>")]
    lines.append(Html(f'<span class="url">{foreign(without_secrets(example.url or example.id), 200)}</span>'))
    if example.detail:
        lines.append(Html(f'<p class="why">{foreign(example.detail, 200)}</p>'))
    lines.append(
        paragraph(
            foreign(example.text, SHOWN_CHARS) if example.text else "No text was taken from it.",
            "" if example.text else "note",
        )
    )
    return Html(f'<div class="example">{join(lines)}</div>')


def skipped_section(facts: Facts) -> Html:
    """Bytes in which no record could be read, by file and offset."""
    rows = [
        (
            name,
            code(without_secrets(item["file"])),
            foreign(item.get("reason") or ""),
            item["offset"],
            item["length"],
        )
        for name, source in facts.ledger["sources"].items()
        for item in source["bytes_skipped"]
    ]
    if not rows:
        return section(
            "skipped", "Bytes that could not be read", paragraph("None: every byte of every file was read.")
        )
    lost = sum(
        item["length"] for source in facts.ledger["sources"].values() for item in source["bytes_skipped"]
    )
    more = f"; the first {MAX_SKIPPED} are shown" if len(rows) > MAX_SKIPPED else ""
    return section(
        "skipped",
        "Bytes that could not be read",
        paragraph(f"{lost:,} bytes held no readable record{more}. Reading went on behind them."),
        table(
            ("source", "file", "reason", "from byte", "bytes"),
            rows[:MAX_SKIPPED],
            texts=3,
        ),
    )

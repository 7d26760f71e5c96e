"""The dataset card: what is in the data, how it was made, whose texts they are, and how to take one out."""

from typing import Any

import yaml

from pipeline.annotate.judge import keep_rule, signal_rules
from pipeline.report.facts import Facts, without_secrets
from pipeline.report.figures import Figures
from pipeline.report.html_parts import clean, percent
from pipeline.report.rule_words import bound_words
from pipeline.sections.filter import Filter
from pipeline.units import format_bytes

# The names that dataset hubs use.
_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"),
)  # fmt: skip
_MIN_LANGUAGE_SHARE = 0.001  # of the kept documents; rarer ones are mostly mistakes of the language model
_FORMATS = {
    "warc": "web archives (WARC)",
    "arc": "web archives (ARC)",
    "wet": "texts of web archives (WET)",
    "mediawiki": "a MediaWiki dump",
    "books": "books",
    "jsonl": "JSON lines",
    "parquet": "Parquet files",
    "text": "plain text files",
}


def dataset_card(facts: Facts, figures: Figures, digest: str) -> str:
    """Write the card as Markdown with YAML in front.

    Args:
        facts: from the workspace's small files.
        figures: from its tables.
        digest: of the facts; the card carries it, so that a current card is not written again.
    """
    name = str(facts.build["name"])
    parts = [
        _front(facts, figures, name, digest),
        f"# {name}",
        _summary(facts),
        "## Sources\n\n" + _sources(facts),
        "## How it was made\n\n" + _steps(facts),
        "## Tokens and mixtures\n\n" + _tokens(facts),
        "## What pages say about their use\n\n" + _opt_out(facts, figures),
        "## Personal data\n\n" + _personal(facts, figures),
        "## Licence\n\n" + _LICENCE,
        "## Taking a page out\n\n" + _REMOVAL,
        "## Making it again\n\n" + _again(facts),
        "## Known limits\n\n" + _limits(facts, figures),
    ]
    return "\n\n".join(parts) + "\n"


def _front(facts: Facts, figures: Figures, name: str, digest: str) -> str:
    languages = _languages(figures)
    told = {
        "pretty_name": name,
        "language": languages or ["und"],
        "license": "other",
        "license_name": "texts-belong-to-their-sources",
        "size_categories": [next((label for most, label in _SIZES if facts.kept < most), "n>1T")],
        "task_categories": ["text-generation"],
        "tags": [
            "crawlmix",
            "pretraining",
            *sorted({source.format for source in facts.recipe.sources.values()}),
        ],
    }
    return f"---\n# crawlmix-report {digest}\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True)}---"


def _languages(figures: Figures) -> list[str]:
    kept = sum(counts[0] for counts in figures.languages.values())
    least = max(1, _MIN_LANGUAGE_SHARE * kept)
    return [code for code, counts in figures.languages.items() if counts[0] >= least and code != "und"]


def _summary(facts: Facts) -> str:
    digest = facts.build.get("dataset_digest")
    tokens = sum(told["tokens"] for told in facts.shards.values())
    amount = f", {tokens:,} tokens" if facts.shards else ""
    state = (
        f"Dataset digest: `{digest}`."
        if digest
        else "The build is not finished; the numbers are of the stages done so far."
    )
    return (
        f"Text for training language models: {facts.kept:,} documents{amount}, selected from {facts.records:,} records by"
        f" crawlmix {facts.build['versions'].get('crawlmix', '')}. {state} `report.html` beside this file shows what became"
        " of every record, with reasons and examples."
    )


def _sources(facts: Facts) -> str:
    rows = []
    for name, source in facts.ledger["sources"].items():
        settings = facts.recipe.sources.get(name)
        form = _FORMATS.get(settings.format, settings.format) if settings else "-"
        gone, failed = sum(source["removed"].values()), sum(source["failed"].values())
        tokens = facts.shards.get(name, {}).get("tokens", "-")
        rows.append((name, form, source["records"], source["kept"], gone, failed, tokens))
    return _table(("source", "read from", "records", "kept", "removed", "failed", "tokens"), rows)


def _steps(facts: Facts) -> str:
    recipe, stages = facts.recipe, facts.stages
    extract = recipe.extract
    limits = f"larger than {format_bytes(extract.max_bytes)} or nested deeper than {extract.max_depth:,} tags"
    read = f"Text out of HTML by `{extract.engine}`; pages {limits} were removed unread"
    lines = [f"- **Extraction.** {read}. {_share(facts, 'extract')}"]
    if "annotate" in stages:
        lines.append(f"- **Filters.** {_share(facts, 'annotate')}")
        for name, settings in recipe.filters.items():
            of = [key for key, source in recipe.sources.items() if source.filter == name]
            lines += [f"  - `{name}`, for {', '.join(of) or 'no source'}:", *_filter(settings)]
        free = [key for key, source in recipe.sources.items() if source.filter == "none"]
        if free:
            lines.append(f"  - no filter for {', '.join(free)}")
    if "dedup" in stages:
        dedup = recipe.dedup
        bands = f"{dedup.bands} bands of {dedup.rows} rows" if dedup.bands else f"preset `{dedup.preset}`"
        near = (
            f"near-copies by MinHash ({bands}, shingles of {dedup.ngram} words)"
            if dedup.bands or dedup.preset
            else ""
        )
        kinds = " and ".join(filter(None, ["exact copies" if dedup.exact else "", near])) or "nothing"
        reach = "over all sources" if dedup.scope == "global" else "within each source"
        lines.append(f"- **Deduplication** of {kinds}, {reach}. {_share(facts, 'dedup')}")
    if "repeats" in stages and recipe.dedup.repeats is not None:
        repeats = recipe.dedup.repeats
        what = "lines" if repeats.unit == "line" else "runs of three sentences"
        stays = "they stay in the best of them" if repeats.keep == "best" else "they stay nowhere"
        limit = f"{repeats.max_documents:,} document{'' if repeats.max_documents == 1 else 's'}"
        lines.append(
            f"- **Repeated text**: {what} in more than {limit} were cut out; {stays}. {_share(facts, 'repeats')}"
        )
    if "decontaminate" in stages:
        lines.append(f"- **Decontamination** {_decontamination(facts)}. {_share(facts, 'decontaminate')}")
    lines.append(f"- **Tokenizer:** `{clean(recipe.tokenizer)}`.")
    return "\n".join(lines)


def _share(facts: Facts, stage: str) -> str:
    sums = facts.ledger["stages"][stage]
    return f"{sums['kept']:,} of {sums['in']:,} stayed ({percent(sums['kept'], sums['in'])})."


def _decontamination(facts: Facts) -> str:
    told = facts.benchmarks or {}
    rule = told.get("settings", {})
    names = (
        ", ".join(f"`{clean(name)}`" for name in sorted(told.get("benchmarks", {})))
        or "the recipe's benchmarks"
    )
    if not rule:
        return f"against {names}"
    how = (
        f"preset `{clean(str(told.get('preset') or 'none'))}`, mode `{rule['mode']}`: {rule['ngram']}-grams in at most"
        f" {rule['max_documents']:,} documents"
    )
    if rule["mode"] == "split":
        how += (
            f", {rule['window_chars']:,} characters cut on each side, pieces under {rule['min_piece_chars']:,} dropped,"
            f" documents of more than {rule['max_pieces']:,} pieces removed"
        )
    return f"against {names} ({how})"


def _filter(settings: Filter) -> list[str]:
    lines = []
    if settings.languages is not None:
        lines.append(
            f"    - language {', '.join(settings.languages)} with a score of at least {settings.min_language_score:g}"
        )
    if settings.opt_out:
        lines.append(
            f"    - pages with the signals {', '.join(clean(signal) for signal in settings.opt_out)} removed"
        )
    if settings.urls is not None:
        lines.append("    - rules over URLs: block lists and words, as in `recipe.yaml`")
    lines += [
        f"    - `{rule.name}`: removed if `{rule.signal}` is {bound_words(rule)}"
        for rule in signal_rules(settings)
    ]
    if settings.quality is not None:
        lines.append(
            f"    - quality classifier `{settings.quality.model}`, keep rule `{keep_rule(settings)}`"
        )
    return lines


def _tokens(facts: Facts) -> str:
    if not facts.shards:
        return "Not tokenized yet."
    rows = [
        (name, told["tokens"], told["documents"], told["shards"], format_bytes(told["bytes"]))
        for name, told in facts.shards.items()
    ]
    parts = [_table(("source", "tokens", "documents", "shards", "size"), rows)]
    for name, plan in facts.mixtures.items():
        head = ("source", "asked for", "share of samples", "samples", "epochs")
        lines = [
            (s["source"], s["given"], f"{s['share']:.2%}", s["samples"], f"{s['epochs']:.2f}")
            for s in plan["sources"]
        ]
        told = f"Mixture `{name}`: {plan['samples']:,} samples of {plan['sequence_length']:,} tokens."
        parts += [told, _table(head, lines)]
    return "\n\n".join(parts)


def _opt_out(facts: Facts, figures: Figures) -> str:
    acted = sorted({signal for rules in facts.recipe.filters.values() for signal in rules.opt_out})
    if not figures.opt_out:
        seen = "No opt-out signal was seen in headers and meta tags."
    else:
        rows = [(f"`{clean(name)}`", count) for name, count in figures.opt_out.items()]
        seen = "Signals in headers and meta tags of the pages read:\n\n" + _table(("signal", "pages"), rows)
        if not figures.complete:
            seen += "\n\nCounted in a part of the data, see `report.html`."
    does = (
        f"Pages with {', '.join(f'`{clean(name)}`' for name in acted)} were removed."
        if acted
        else "The recipe removed no page for them; `opt_out` in a filter does. `documents/` keeps them for each page."
    )
    return f"{seen}\n\n{does}"


def _personal(facts: Facts, figures: Figures) -> str:
    masked = {name: source.pii for name, source in facts.recipe.sources.items() if source.pii}
    if not masked:
        return "Nothing was replaced. The texts may name people and hold their addresses and numbers."
    where = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in masked.items())
    found = ", ".join(f"{kind} {count:,}" for kind, count in figures.pii.items())
    return (
        f"Replaced in the tokens by fixed words: {where}. Found in documents kept: {found or 'none'}. `documents/` holds the"
        " texts as they were. What is found are patterns; names and other personal data remain."
    )


def _again(facts: Facts) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts.build["versions"].items())
    return (
        "```\ncrawlmix build recipe.yaml --workspace DIR\n```\n\n"
        f"with the same input files. `recipe.yaml` here has every default written out; relative paths in it start from the"
        f" folder of the recipe that was built. Seed {facts.build.get('seed', '-')}, recipe digest"
        f" `{facts.build.get('recipe_digest', '-')}`. Made with {versions}. The number of workers and the engine change nothing."
    )


def _limits(facts: Facts, figures: Figures) -> str:
    lines = [
        "Texts are as their authors wrote them: they hold errors, prejudice and things that offend.",
        "Rules and classifiers prefer some kinds of text; what they removed is not worthless. `report.html` shows examples.",
        "Language names are guesses of a model, and least sure for short texts.",
    ]
    if "dedup" in facts.stages:
        lines.append("MinHash finds most near-copies, not all; short quotations of other documents remain.")
    if facts.benchmarks is None:
        lines.append("No benchmark text was searched for: scores of models trained on this may be too good.")
    lost = sum(
        item["length"] for source in facts.ledger["sources"].values() for item in source["bytes_skipped"]
    )
    if lost:
        lines.append(f"{lost:,} bytes of the input could not be read; `ledger.json` says which.")
    failed = sum(facts.total("failed").values())
    if failed:
        lines.append(f"{failed:,} records failed ({percent(failed, facts.records)}) and are missing.")
    if not figures.complete:
        lines.append("Languages and signals in this card were counted in a part of the data.")
    return "\n".join(f"- {line}" for line in lines)


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else without_secrets(clean(str(value))).replace("|", "\\|")


_LICENCE = (
    "The texts belong to their authors and sites; crawlmix grants no rights in them, and nobody was asked for this data set."
    " Crawls come under the terms of whoever crawled (for Common Crawl: https://commoncrawl.org/terms-of-use), other sources"
    " under their own licences, which whoever publishes this data set has to name here. Whether a use is allowed depends on"
    " the law where it happens."
)
_REMOVAL = (
    "A page or a whole site is taken out with\n\n"
    "```\ncrawlmix exclude DIR --urls FILE\ncrawlmix exclude DIR --domains FILE\ncrawlmix exclude DIR --ids FILE\n```\n\n"
    "which redoes only the shards and mixtures that held it, and keeps it out of every later build. `crawlmix explain DIR URL` finds a page in the data."
)

"""The sections of the report's page about what came out, what it took, and what it was made with."""

from pipeline.report.facts import Facts
from pipeline.report.html_charts import bar, bars
from pipeline.report.html_flow import PALETTE
from pipeline.report.html_parts import Html, code, foreign, join, legend, paragraph, percent, section, table
from pipeline.units import format_bytes

_MAX_RECIPE_CHARS = 100_000


def tokens_section(facts: Facts) -> Html:
    """Tokens of each source."""
    if not facts.shards:
        return Html("")
    total = sum(told["tokens"] for told in facts.shards.values())
    most = max(told["tokens"] for told in facts.shards.values())
    places = list(facts.ledger["sources"])
    lines = bars(
        bar(
            name,
            [(f"f-s{places.index(name) % PALETTE}", told["tokens"])],
            most,
            f"{told['tokens']:,} ({percent(told['tokens'], total)})",
        )
        for name, told in facts.shards.items()
    )
    rows = [
        (
            name, told["tokens"], told["documents"],
            f"{told['tokens'] / told['documents']:,.0f}" if told["documents"] else "-",
            told["shards"], format_bytes(told["bytes"]), foreign(told["tokenizer"]),
        )
        for name, told in facts.shards.items()
    ]  # fmt: skip
    head = ("source", "tokens", "documents", "tokens a document", "shards", "size", "tokenizer")
    split = facts.benchmarks is not None
    note = (
        paragraph("A document that benchmark text was cut out of counts once for each piece.", "note")
        if split
        else Html("")
    )
    return section("tokens", "Tokens", lines, table(head, rows), note)


def mixtures_section(facts: Facts) -> Html:
    """What a training run will see of each source."""
    if not facts.mixtures:
        return Html("")
    content: list[object] = []
    places = list(facts.ledger["sources"])
    for name, plan in facts.mixtures.items():
        told = (
            f"{plan['samples']:,} samples of {plan['sequence_length']:,} tokens, {plan['tokens']:,} tokens in all."
            " The share of a source in training is its weight, not its size: a small source is seen more than once, a"
            " large one in part."
        )
        tracks = bars(
            [
                bar(
                    "of the tokens there are",
                    _shares(plan, places, "tokens"),
                    sum(s["tokens"] for s in plan["sources"]),
                    "",
                ),
                bar("of the samples trained on", _shares(plan, places, "samples"), plan["samples"], ""),
            ]
        )
        rows = [
            (
                source["source"], source["given"], f"{source['share']:.2%}".replace("%", " %"), source["samples"],
                source["windows"], f"{source['epochs']:.2f}",
                "never" if source["first_repeat"] is None else source["first_repeat"],
            )
            for source in plan["sources"]
        ]  # fmt: skip
        head = (
            "source",
            "asked for",
            "share",
            "samples",
            "samples in an epoch",
            "epochs",
            "repeats from sample",
        )
        colours = legend((f"f-s{places.index(s['source']) % PALETTE}", s["source"]) for s in plan["sources"])
        content += [
            Html(f"<h3>{code(name)}</h3>"),
            paragraph(told),
            colours,
            tracks,
            table(head, rows, texts=2),
        ]
        content += [paragraph(line, "note warn") for line in plan["warnings"]]
    return section("mixtures", "Mixtures", *content)


def _shares(plan: dict, places: list[str], key: str) -> list[tuple[str, float]]:  # type: ignore[type-arg]  # JSON
    return [(f"f-s{places.index(source['source']) % PALETTE}", source[key]) for source in plan["sources"]]


def times_section(facts: Facts) -> Html:
    """What each stage took when it was last made."""
    rows: list[tuple[object, ...]] = []
    stages = [stage for stage in facts.build["stages"] if stage["name"] != "report"]
    for stage in stages:
        records = facts.ledger["stages"].get(stage["name"], {}).get("in")
        if stage["done"] < stage["parts"]:
            records = None  # the time is that of some parts alone
        rate = f"{records / stage['seconds']:,.0f}" if records and stage["seconds"] > 0 else "-"
        each = f"{1000 * stage['cpu_seconds'] / records:.2f}" if records and stage["cpu_seconds"] else "-"
        rows.append(
            (
                stage["name"],
                stage["parts"],
                f"{stage['seconds']:,.1f}",
                f"{stage['cpu_seconds']:,.1f}",
                records or "-",
                rate,
                each,
            )
        )
    total = [sum(stage[key] for stage in stages) for key in ("seconds", "cpu_seconds")]
    rows.append((Html("<b>all</b>"), "", *(f"{value:,.1f}" for value in total), "", "", ""))
    head = ("stage", "parts", "seconds", "CPU seconds", "records", "records a second", "CPU ms a record")
    intro = "Measured when each stage was last made; nothing else on this page depends on the clock."
    return section("times", "Times", paragraph(intro), table(head, rows))


def origin_section(facts: Facts) -> Html:
    """Versions, digests and the recipe."""
    build = facts.build
    digests = [
        ("dataset", code(build.get("dataset_digest") or "not finished")),
        ("recipe", code(build.get("recipe_digest", "-"))),
        ("seed", str(build.get("seed", "-"))),
        *(
            (f"stage {stage['name']}", code(stage["fingerprint"]))
            for stage in build["stages"]
            if stage["name"] != "report"
        ),
    ]
    recipe = foreign_block(facts.recipe_text)
    return section(
        "origin",
        "Versions and digests",
        paragraph("The same input, recipe and seed give the same dataset digest on every machine."),
        table(("what", "fingerprint"), digests, texts=2),
        table(("software", "version"), list(build["versions"].items()), texts=2),
        Html(
            f'<details class="more"><summary>The recipe, every default written out</summary>{recipe}</details>'
        ),
    )


def foreign_block(text: str) -> Html:
    """Show lines as they are, cleaned and escaped one by one."""
    cut = text[:_MAX_RECIPE_CHARS]
    lines = [_indented(line) for line in cut.splitlines()]
    return Html("<pre>" + "\n".join(lines) + "</pre>")


def _indented(line: str) -> str:
    inner = line.lstrip(" ")
    return " " * (len(line) - len(inner)) + join([foreign(inner, 500)])

"""`crawlmix decontaminate`: cut benchmark text out of documents of one's own."""

import json
from pathlib import Path
from typing import Any

import click

_PRESETS = ("gpt3", "drop", "ratio", "tag")


@click.command("decontaminate")
@click.option(
    "--documents",
    multiple=True,
    required=True,
    help="JSON lines, Parquet or text files; patterns; repeatable.",
)
@click.option("--benchmarks", multiple=True, help="Files, patterns or folders of examples; repeatable.")
@click.option(
    "--task", "tasks", multiple=True, help="Task of lm-evaluation-harness, if installed; repeatable."
)
@click.option("--out", required=True, help="Folder for documents.jsonl.gz, benchmarks.json and report.html.")
@click.option(
    "--preset", type=click.Choice(_PRESETS), default="gpt3", show_default=True, help="Rule to start from."
)
@click.option("--ngram", type=int, default=None, help="Words of an n-gram (gpt3: 13).")
@click.option("--window-chars", type=int, default=None, help="Characters cut on each side of a match (200).")
@click.option("--min-piece-chars", type=int, default=None, help="Shorter pieces are dropped (200).")
@click.option("--max-pieces", type=int, default=None, help="More pieces remove the document (10).")
@click.option(
    "--max-documents", type=int, default=None, help="N-grams found in more documents are ignored (10)."
)
@click.option("--no-max-documents", is_flag=True, help="Ignore no n-gram, however many documents hold it.")
@click.option(
    "--min-ratio", type=float, default=None, help="Preset ratio: share of an example that removes (0.8)."
)
@click.option("--no-analysis", is_flag=True, help="Report with the filter's n alone, which scans faster.")
@click.option("--characters", is_flag=True, help="Each Han, kana or Thai character is a word of its own.")
@click.option("--template", default=None, help='Text of an example, as in "{question} {choices} {answer}".')
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path), help="YAML: settings by benchmark name."
)
@click.option(
    "--text-field", default="text", show_default=True, help="Field of the documents that holds the text."
)
@click.option("--index", default=None, help="Folder that keeps indexes for later runs; default: OUT/index.")
@click.option("--json", "as_json", is_flag=True, help="Print benchmarks.json.")
def command(
    documents: tuple[str, ...],
    benchmarks: tuple[str, ...],
    tasks: tuple[str, ...],
    out: str,
    preset: str,
    no_max_documents: bool,
    no_analysis: bool,
    characters: bool,
    template: str | None,
    settings_file: Path | None,
    text_field: str,
    index: str | None,
    as_json: bool,
    **numbers: Any,
) -> None:
    """Cut out of DOCUMENTS what also stands in BENCHMARKS, and report how clean each benchmark is."""
    from dataclasses import replace

    from pipeline.decontaminate.benchmark_settings import read_settings
    from pipeline.decontaminate.run import Request, decontaminate
    from pipeline.decontaminate.settings import preset as preset_settings
    from pipeline.progress import Progress
    from pipeline.storage.paths import resolve

    settings = preset_settings(
        preset, **numbers, analysis=False if no_analysis else None, characters=characters or None
    )
    if no_max_documents:
        settings = replace(settings, max_documents=None)
    base = str(Path.cwd())
    request = Request(
        documents=documents,
        benchmarks=benchmarks,
        tasks=tasks,
        out=resolve(out, base),
        base=base,
        settings=settings,
        preset=preset,
        benchmark_settings=read_settings(settings_file),
        template=template,
        text_field=text_field,
        index=resolve(index, base) if index else None,
    )
    summary = decontaminate(request, Progress(quiet=as_json))
    click.echo(json.dumps(summary, indent=1, ensure_ascii=False) if as_json else _text(summary))


def _text(summary: dict[str, Any]) -> str:
    documents, characters = summary["documents"], summary["characters"]
    rules = ", ".join(f"{rule} {count:,}" for rule, count in documents["removed_by_rule"].items())
    lines = [
        (
            f"{documents['in']:,} documents in = {documents['kept']:,} kept whole + {documents['split']:,} split"
            f" + {documents['removed']:,} removed{f' ({rules})' if rules else ''} + {documents['failed']:,} failed"
        ),
        (
            f"{documents['out']:,} documents out ({documents['pieces']:,} of them pieces);"
            f" {characters['removed']:,} of {characters['in']:,} characters removed;"
            f" {summary['ignored_ngrams']['count']:,} common n-grams ignored"
        ),
        f"{'benchmark':32}{'examples':>10}{'dirty before':>14}{'after':>8}{'clean %':>9}{'too short':>11}",
    ]
    for name, item in summary["benchmarks"].items():
        clean = "-" if item["clean_percent"] is None else f"{item['clean_percent']:.2f}"
        lines.append(
            f"{name:32}{item['examples']:>10,}{item['dirty_before']:>14,}{item['dirty_after']:>8,}{clean:>9}"
            f"{item['unprotected']:>11,}"
        )
    warnings = list(summary["warnings"])
    for name, item in summary["benchmarks"].items():
        warnings += [f"{name}: {warning}" for warning in item["warnings"]]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in warnings)])

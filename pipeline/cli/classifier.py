"""`crawlmix classifier`: train, evaluate and use quality classifiers on files of one's own."""

import json
from pathlib import Path
from typing import Any

import click


@click.group("classifier")
def command() -> None:
    """Train, evaluate and use quality classifiers."""


_FILES = click.Path(path_type=Path)


class _Several(click.Option):
    """An option that takes all values up to the next option: `--positives a.jsonl b.jsonl`."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        own = next(parser._long_opt[name] for name in self.opts if name in parser._long_opt)
        process = own.process

        def take_all(value: str, state: Any) -> None:
            process(value, state)
            while state.rargs and not state.rargs[0].startswith("-"):
                process(state.rargs.pop(0), state)

        own.process = take_all


@command.command("train")
@click.option(
    "--positives", cls=_Several, multiple=True, required=True, type=_FILES, help="JSON lines of good text."
)
@click.option(
    "--negatives", cls=_Several, multiple=True, required=True, type=_FILES, help="JSON lines of raw crawl."
)
@click.option("--out", required=True, type=_FILES, help="Folder for the model and its metrics.")
@click.option("--kind", type=click.Choice(["logistic", "fasttext"]), default="logistic", show_default=True)
@click.option(
    "--features",
    type=click.Choice(["prose", "root", "counts", "l2"]),
    default="prose",
    show_default=True,
    help="logistic: what is made of word counts; `counts` as they are, as in GPT-3's filter.",
)
@click.option(
    "--style",
    type=click.Choice(["light", "strict"]),
    default="light",
    show_default=True,
    help="Normalisation; `strict` removes formatting cues.",
)
@click.option(
    "--documents-per-class",
    type=click.IntRange(min=4),
    default=6_000,
    show_default=True,
    help="At most.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quantise", is_flag=True, help="fasttext: a smaller file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def train(
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    out: Path,
    kind: Any,
    features: Any,
    style: Any,
    documents_per_class: int,
    seed: int,
    quantise: bool,
    as_json: bool,
) -> None:
    """Train on JSON lines (`id`, `text`, optionally `url`, `source`); writes the model, metrics.json and metrics.html."""
    from classifiers.fasttext_model import FastTextOptions
    from classifiers.train import TrainOptions
    from classifiers.train import train as run

    options = TrainOptions(
        kind=kind,
        features=features,
        style=style,
        documents_per_class=documents_per_class,
        seed=seed,
        fasttext=FastTextOptions(quantise=quantise),
    )
    _show(run(positives, negatives, out, options), out, as_json=as_json)


@command.command("evaluate")
@click.option("--model", required=True, type=_FILES, help="Folder of a model.")
@click.option("--positives", cls=_Several, multiple=True, required=True, type=_FILES)
@click.option("--negatives", cls=_Several, multiple=True, required=True, type=_FILES)
@click.option("--out", required=True, type=_FILES, help="Folder for metrics.json and metrics.html.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def evaluate(
    model: Path, positives: tuple[Path, ...], negatives: tuple[Path, ...], out: Path, as_json: bool
) -> None:
    """Judge a model by JSON lines: AUC, precision and recall, calibration, histograms, keep rates, features, lengths."""
    from classifiers.evaluate import evaluate as run

    _show(run(model, positives, negatives, out), out, as_json=as_json)


def _show(metrics: dict[str, Any], out: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(metrics, indent=1))
        return
    click.echo(f"AUC {metrics['auc']:.4f} on held-out documents")
    for name, value in metrics["auc_by_source"].items():
        click.echo(f"  {name:<24} {value:.4f}" if value is not None else f"  {name:<24} -")
    if metrics.get("auc_unseen_source"):
        click.echo("AUC of a source that the model was trained without")
        for name, value in metrics["auc_unseen_source"].items():
            click.echo(f"  {name:<24} {value:.4f}")
    click.echo(f"metrics and pictures: {out / 'metrics.html'}")


@command.command("score")
@click.argument("documents", type=_FILES)
@click.option("--model", required=True, type=_FILES, help="Folder of a model.")
@click.option(
    "--out", required=True, type=_FILES, help="JSON lines of `id` and `score`, in the order of DOCUMENTS."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def score(documents: Path, model: Path, out: Path, as_json: bool) -> None:
    """Score the JSON lines DOCUMENTS, 0 to 1; documents without text are scored too."""
    from pipeline.classifier_score import score_file

    number = score_file(documents, model, out)
    click.echo(
        json.dumps({"documents": number, "out": str(out)})
        if as_json
        else f"scored {number:,} documents into {out}"
    )

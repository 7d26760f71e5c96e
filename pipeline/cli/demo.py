"""`crawlmix demo`: build the embedded sample, end to end."""

import json
from pathlib import Path

import click


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("crawlmix-demo"))
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes; default: one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(folder: Path, workers: int | None, as_json: bool) -> None:
    """Make a small crawl in FOLDER (default crawlmix-demo) and build it: no network, no cloud, under a minute."""
    from pipeline.build import build
    from pipeline.cores import usable_cores
    from pipeline.demo.start import demo_recipe, demo_summary
    from pipeline.progress import Progress

    recipe = demo_recipe(folder)
    workspace = str(folder / "workspace")
    progress = Progress(quiet=as_json)
    progress.say(f"building {recipe.file} into {workspace}")
    outcome = build(recipe, workspace, workers=workers or usable_cores(), progress=progress)
    if as_json:
        told = {"workspace": workspace, "dataset_digest": outcome.dataset_digest, "ledger": outcome.ledger}
        click.echo(json.dumps(told, indent=1))
    else:
        click.echo(demo_summary(folder, outcome))

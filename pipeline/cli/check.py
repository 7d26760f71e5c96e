"""`crawlmix check`: find everything that can be wrong before work starts."""

import json
from pathlib import Path

import click


@click.command("check")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--workspace", "-w", help="Also check that the build fits on this disk.")
@click.option("--lid-model", help="Another fastText language model than lid.176.ftz.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(recipe: Path, workspace: str | None, lid_model: str | None, as_json: bool) -> None:
    """Check RECIPE, its files, models, tokenizer and weights, and print what a build would do."""
    from pipeline.check import check
    from pipeline.recipe import load_recipe

    plan = check(load_recipe(recipe).with_language_model(lid_model), workspace)
    click.echo(json.dumps(plan.to_dict(), indent=1) if as_json else plan.to_text() + "\nready to build")

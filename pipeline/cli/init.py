"""`crawlmix init`: write a commented recipe to start from."""

from pathlib import Path

import click


@click.command("init")
@click.argument("file", type=click.Path(path_type=Path), default=Path("recipe.yaml"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(file: Path, as_json: bool) -> None:
    """Write a commented recipe to FILE (default recipe.yaml), with a small example crawl beside it to try it on."""
    import json

    from pipeline.demo.start import write_recipe

    sample = write_recipe(file)
    if as_json:
        click.echo(json.dumps({"recipe": str(file), "sample": str(sample)}))
    else:
        click.echo(f"wrote {file}, and an example crawl in {sample}\nnext: crawlmix check {file}")

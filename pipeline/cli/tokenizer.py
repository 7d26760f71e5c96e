"""`crawlmix tokenizer`: train a tokenizer on a build's own text."""

import json
from pathlib import Path

import click


@click.group("tokenizer")
def command() -> None:
    """Train tokenizers."""


@command.command("train")
@click.argument("recipe_or_workspace", type=click.Path(path_type=Path))
@click.option("--workspace", "-w", help="With a recipe: the folder that its build fills.")
@click.option("--vocabulary-size", required=True, help="Ids in all, such as 32k or 50_257.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The tokenizer.json to write.",
)
@click.option(
    "--mixture", help="Mixture of the recipe whose weights the sample follows; default: the only one."
)
@click.option("--sample", default="1GB", show_default=True, help="Text to train on.")
@click.option(
    "--min-frequency",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Of a pair that is merged.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=None, help="With a recipe: processes of its build."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def train(
    recipe_or_workspace: Path,
    workspace: str | None,
    vocabulary_size: str,
    out: Path,
    mixture: str | None,
    sample: str,
    min_frequency: int,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a byte-level BPE as GPT-2's on the texts that survive in RECIPE_OR_WORKSPACE.

    A recipe is built first, up to the point where it is known which documents stay. Write the result's path as
    `tokenizer:` into the recipe and build on. The same texts give the same tokenizer.
    """
    from pipeline.cores import usable_cores
    from pipeline.errors import UsageError
    from pipeline.tokenizer_training import train_on_workspace
    from pipeline.units import parse_bytes, parse_count
    from pipeline.workspace import Workspace

    try:
        size = parse_count(vocabulary_size)
    except ValueError as error:
        raise UsageError(f"--vocabulary-size: {error}") from None
    try:
        budget = parse_bytes(sample)
    except ValueError as error:
        raise UsageError(f"--sample: {error}") from None
    if recipe_or_workspace.is_file():
        from pipeline.build import build
        from pipeline.progress import Progress
        from pipeline.recipe import load_recipe

        if workspace is None:
            raise UsageError(
                f"{recipe_or_workspace}: a recipe needs --workspace, the folder that its build fills"
            )
        recipe, place = load_recipe(recipe_or_workspace), Workspace(workspace)
        build(
            recipe,
            workspace,
            until="decontaminate",
            workers=workers or usable_cores(),
            progress=Progress(quiet=quiet),
        )
    else:
        from pipeline.workspace_recipe import workspace_recipe

        place = Workspace(workspace or str(recipe_or_workspace))
        recipe = workspace_recipe(place)
    trained = train_on_workspace(
        recipe,
        place,
        out,
        vocabulary_size=size,
        mixture=mixture,
        sample_bytes=budget,
        min_frequency=min_frequency,
    )
    told = {
        "tokenizer": str(out),
        "vocabulary_size": trained.tokenizer.vocabulary_size,
        "fingerprint": trained.tokenizer.fingerprint,
        "sample": {
            name: {"documents": one.documents, "bytes": one.bytes} for name, one in trained.sample.items()
        },
    }
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    for name, one in trained.sample.items():
        click.echo(f"{name:<16} {one.documents:>10,} documents {one.bytes:>15,} bytes")
    click.echo(
        f"{out}: {trained.tokenizer.vocabulary_size:,} ids, fingerprint {trained.tokenizer.fingerprint[:12]}"
    )

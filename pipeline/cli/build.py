"""`crawlmix build`: build a recipe into a workspace, or continue a build that stopped."""

import json
from pathlib import Path

import click

STAGES = ["extract", "annotate", "dedup", "repeats", "decontaminate", "tokenize", "mix"]


@click.command(
    "build",
    context_settings={"ignore_unknown_options": False},
    help="""Build RECIPE into a workspace, or continue a build that stopped there.

What is done already and not affected by a changed recipe stays. BEAM_OPTIONS after `--` go to Beam, for example
`-- --runner=SparkRunner --spark_master_url=spark://HOST:7077`.""",
)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED)
@click.option("--workspace", "-w", required=True, help="Folder (or s3://, gs://) that the build fills.")
@click.option("--until", type=click.Choice(STAGES), help="Last stage to run.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=None,
    help="Processes of the direct engine; default: one a core.",
)
@click.option("--lid-model", help="Another fastText language model than lid.176.ftz.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def command(
    recipe: Path,
    beam_options: tuple[str, ...],
    workspace: str,
    until: str | None,
    workers: int | None,
    lid_model: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Build a recipe; the help text above is what users read."""
    from pipeline.build import build
    from pipeline.cores import usable_cores
    from pipeline.progress import Progress
    from pipeline.recipe import load_recipe
    from pipeline.report.summary import summary

    outcome = build(
        load_recipe(recipe).with_language_model(lid_model),
        workspace,
        until=until,
        workers=workers or usable_cores(),
        beam_options=beam_options,
        progress=Progress(quiet=quiet),
    )
    if as_json:
        told = {
            "made": outcome.made,
            "dataset_digest": outcome.dataset_digest,
            "stages": outcome.stages,
            "ledger": outcome.ledger,
        }
        click.echo(json.dumps(told, indent=1))
    else:
        click.echo(summary(workspace, outcome))

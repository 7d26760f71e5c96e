"""`crawlmix mixture`: plan and verify mixtures."""

import json
from pathlib import Path

import click

from pipeline.cli.mixture_file import MIXTURE_FILE


@click.group("mixture")
def command() -> None:
    """Plan and verify mixtures."""


@command.command("plan")
@click.argument("mixture", required=False)
@click.option(
    "--workspace", "-w", help="With a recipe: the folder of its build, whose shards have the sizes."
)
@click.option("--name", help="The one mixture to plan, of several.")
@click.option("--tokens", help="Size of the run instead of the stated one, such as 300B.")
@click.option("--weight", "weights", multiple=True, metavar="SOURCE=W", help="Try this weight of a source.")
@click.option("--epochs", multiple=True, metavar="SOURCE=E", help="Try these passes over a source.")
@click.option("--batch", type=click.IntRange(min=1), default=1, help="Samples of the largest training step.")
@click.option(
    "--repeat-limit",
    type=click.FloatRange(min=0, min_open=True),
    help="Epochs above which a source is warned about; default 4.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def plan(
    mixture: str | None,
    workspace: str | None,
    name: str | None,
    tokens: str | None,
    weights: tuple[str, ...],
    epochs: tuple[str, ...],
    batch: int,
    repeat_limit: float | None,
    as_json: bool,
) -> None:
    """Show tokens, weight, realised epochs and samples of every source; reads no data.

    MIXTURE is a mixture file (mixtures/NAME.json), the workspace it lies in, a recipe with --workspace, or YAML with
    sources and their sizes; GPT-3's own table when none is given.
    """
    from pipeline.errors import UsageError
    from pipeline.plan_mixtures import plan_all
    from pipeline.units import parse_count

    try:
        size = None if tokens is None else parse_count(tokens)
    except ValueError as error:
        raise UsageError(f"--tokens: {error}") from None
    plans = plan_all(
        mixture,
        workspace=workspace,
        name=name,
        changes={"weight": _pairs("--weight", weights), "epochs": _pairs("--epochs", epochs)},
        tokens=size,
        batch=batch,
        repeat_limit=repeat_limit,
    )
    if as_json:
        told = [one.to_dict() for one in plans]
        click.echo(json.dumps(told[0] if len(told) == 1 else told, indent=1))
    else:
        click.echo("\n\n".join(one.to_text() for one in plans))


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    from pipeline.errors import UsageError

    pairs = {}
    for pair in given:
        source, equals, value = pair.partition("=")
        if not (source and equals and value):
            raise UsageError(f"{option} {pair}: expected SOURCE=NUMBER, such as books=2.5")
        pairs[source] = value
    return pairs


@command.command("verify")
@click.argument("mixture", type=MIXTURE_FILE)
@click.option("--no-checksums", is_flag=True, help="Do not read the shards to compare their SHA-256.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def verify(mixture: Path, no_checksums: bool, as_json: bool) -> None:
    """Prove on the real files what MIXTURE promises; exits 1 if a promise is broken."""
    from mixtures.verify import verify_mixture
    from pipeline.errors import CrawlmixError

    checks = verify_mixture(mixture, checksums=not no_checksums)
    if as_json:
        click.echo(
            json.dumps([{"promise": c.promise, "held": c.held, "found": c.found} for c in checks], indent=1)
        )
    else:
        for check in checks:
            click.echo(f"{'holds ' if check.held else 'BROKEN'}  {check.promise}: {check.found}")
    broken = sum(not check.held for check in checks)
    if broken:
        raise CrawlmixError(
            f"{mixture}: {broken} of {len(checks)} promises are broken; build the workspace again"
        )

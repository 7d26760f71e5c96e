"""`crawlmix mixture`: plan and verify mixtures."""

import json
import sys
from pathlib import Path
from typing import Any

import click

_FILE = click.Path(path_type=Path)


@click.group("mixture")
def command() -> None:
    """Plan and verify mixtures."""


@command.command("plan")
@click.argument("mixture", type=_FILE, required=False)
@click.option("--batch", type=click.IntRange(min=1), default=1, help="Samples of the largest training step.")
@click.option(
    "--repeat-limit",
    type=float,
    default=4.0,
    show_default=True,
    help="Epochs above which a source is warned about.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def plan(mixture: Path | None, batch: int, repeat_limit: float, as_json: bool) -> None:
    """Show tokens, weight, realised epochs and samples of every source; reads no data.

    MIXTURE is a mixture file of a build (mixtures/NAME.json), or YAML with sources and their sizes; GPT-3's own
    table when none is given.
    """
    from mixtures.mixture import Mixture
    from mixtures.plan import plan_mixture, plan_spec

    if mixture is not None and mixture.suffix == ".json":
        told = plan_mixture(Mixture.read(mixture), batch=batch, repeat_limit=repeat_limit)
    else:
        told = plan_spec(_read_spec(mixture), batch=batch)
    click.echo(json.dumps(told.to_dict(), indent=1) if as_json else told.to_text())


def _read_spec(path: Path | None) -> dict[str, Any]:
    from importlib.resources import files

    import yaml

    from pipeline.errors import UsageError

    try:
        text = (path or files("mixtures").joinpath("gpt3.yaml")).read_text(encoding="utf-8")
        spec = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(spec, dict):
        raise UsageError(f"{path}: expected `tokens` and `sources`, as in mixtures/gpt3.yaml")
    return spec


@command.command("verify")
@click.argument("mixture", type=_FILE)
@click.option("--no-checksums", is_flag=True, help="Do not read the shards to compare their SHA-256.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def verify(mixture: Path, no_checksums: bool, as_json: bool) -> None:
    """Prove on the real files what MIXTURE promises; exits 1 if a promise is broken."""
    from mixtures.verify import verify_mixture

    checks = verify_mixture(mixture, checksums=not no_checksums)
    if as_json:
        click.echo(
            json.dumps([{"promise": c.promise, "held": c.held, "found": c.found} for c in checks], indent=1)
        )
    else:
        for check in checks:
            click.echo(f"{'holds ' if check.held else 'BROKEN'}  {check.promise}: {check.found}")
    if not all(check.held for check in checks):
        sys.exit(1)

"""`crawlmix exclude`: take pages out of a workspace."""

import json
from pathlib import Path

import click

_FILE = click.Path(path_type=Path)


@click.command("exclude")
@click.argument("workspace")
@click.option("--urls", type=_FILE, multiple=True, help="List of URLs, one a line.")
@click.option("--domains", type=_FILE, multiple=True, help="List of domains; all hosts below them are meant.")
@click.option("--ids", type=_FILE, multiple=True, help="List of document ids.")
@click.option("--undo", is_flag=True, help="Let these documents back in.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Processes of the direct engine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def command(
    workspace: str,
    urls: tuple[Path, ...],
    domains: tuple[Path, ...],
    ids: tuple[Path, ...],
    undo: bool,
    workers: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take documents out of WORKSPACE; redoes only the shards and mixtures that held them.

    They stay out in every later build of the workspace (excluded.json). URLs are compared in their canonical spelling.
    Exactly the documents named go; copies that dedup removed earlier stay removed, and are told.
    """
    from pipeline.exclude import exclude, wanted_from
    from pipeline.progress import Progress

    outcome = exclude(
        workspace,
        wanted_from(urls, domains, ids),
        undo=undo,
        workers=workers,
        progress=Progress(quiet=quiet),
    )
    click.echo(json.dumps(outcome.to_dict(), indent=1, ensure_ascii=False) if as_json else outcome.to_text())

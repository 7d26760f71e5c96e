"""`crawlmix status`: show what a workspace holds."""

import json

import click


@click.command("status")
@click.argument("workspace")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(workspace: str, as_json: bool) -> None:
    """Show what WORKSPACE holds: stages, records by fate, shards, mixtures."""
    from pipeline.report.status import read_status, status_text

    status = read_status(workspace)
    click.echo(json.dumps(status, indent=1) if as_json else status_text(status))

"""`crawlmix explain`: show what became of one page."""

import json

import click


@click.command("explain")
@click.argument("workspace")
@click.argument("url_or_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(workspace: str, url_or_id: str, as_json: bool) -> None:
    """Show what became of a page of WORKSPACE at every stage, and why; URL_OR_ID is its URL or document id."""
    from pipeline.report.explain import explain
    from pipeline.report.explain_text import explanation_text

    found = explain(workspace, url_or_id)
    click.echo(json.dumps(found, indent=1, ensure_ascii=False) if as_json else explanation_text(found))

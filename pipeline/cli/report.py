"""`crawlmix report`: write the report and the dataset card of a workspace."""

import json

import click


@click.command("report")
@click.argument("workspace")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(workspace: str, open_page: bool, as_json: bool) -> None:
    """Write report.html and README.md of WORKSPACE anew, also of a build that is not finished."""
    from pipeline.report_stage import write_report

    page, card = write_report(workspace)
    click.echo(json.dumps({"report": page, "card": card}) if as_json else f"{page}\n{card}")
    if open_page:
        click.launch(page)

"""`crawlmix dedup-report`: what the search for copies found."""

import json

import click


@click.command("dedup-report")
@click.argument("workspace")
@click.option(
    "--sample",
    default=10_000,
    show_default=True,
    type=click.IntRange(1),
    help="Documents compared exactly, for the recall.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts; no page is written.")
def command(workspace: str, sample: int, as_json: bool) -> None:
    """Write dedup-report.html of WORKSPACE: clusters with samples, similarities, recall of the bands, drops by source."""
    from pipeline.report.dedup_facts import dedup_facts
    from pipeline.report.dedup_page import dedup_page
    from pipeline.storage.paths import join
    from pipeline.storage.publish import write_text

    facts = dedup_facts(workspace, sample=sample)
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    path = join(workspace, "dedup-report.html")
    write_text(path, dedup_page(facts))
    click.echo(path)

"""`crawlmix trace`: the documents behind a training sample."""

import json

import click


@click.command("trace")
@click.argument("workspace")
@click.argument("mixture")
@click.argument("sample", type=click.IntRange(min=0))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(workspace: str, mixture: str, sample: int, as_json: bool) -> None:
    """Show the documents, URLs and archive offsets behind training sample number SAMPLE of MIXTURE in WORKSPACE."""
    from pipeline.report.trace import trace_sample, trace_text

    found = trace_sample(workspace, mixture, sample)
    click.echo(json.dumps(found, indent=1, ensure_ascii=False) if as_json else trace_text(found))

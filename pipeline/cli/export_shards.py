"""`crawlmix export-shards`: token shards in the forms that other trainers read."""

import json
from pathlib import Path

import click


@click.command("export-shards")
@click.argument("shards")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
@click.option("--format", "form", required=True, type=click.Choice(["parquet", "arrow", "llmc", "datatrove"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(shards: str, out: Path, form: str, as_json: bool) -> None:
    """Write the token shards of a source (WORKSPACE/shards/SOURCE, local, s3:// or gs://) in another form."""
    from typing import cast

    from pipeline.storage.cache import local_folder
    from pipeline.tokenize.export import Form, export_shards

    files = export_shards(local_folder(shards), out, cast("Form", form))
    click.echo(
        json.dumps([str(file) for file in files]) if as_json else "\n".join(str(file) for file in files)
    )

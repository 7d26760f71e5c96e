"""`crawlmix schema`: print the JSON Schema of recipes."""

import json

import click


@click.command("schema")
@click.option("--json", "as_json", is_flag=True, help="Accepted for symmetry; the schema always is JSON.")
def command(as_json: bool) -> None:  # noqa: ARG001
    """Print the JSON Schema of recipes, for editors that complete and check YAML."""
    from pipeline.sections.root import Root

    schema = Root.model_json_schema(by_alias=True)
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1))

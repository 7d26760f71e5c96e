"""`crawlmix webtext`: links that people shared, out of Reddit's submission dumps."""

import json
from collections.abc import Iterator
from pathlib import Path

import click


@click.group("webtext")
def command() -> None:
    """Build a WebText source: pages that people linked to."""


@command.command("links")
@click.argument("dumps", nargs=-1, required=True, metavar="DUMP...")
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Parquet file to write.",
)
@click.option(
    "--min-score", default=3, show_default=True, help="Least score of a submission whose link counts."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def links(dumps: tuple[str, ...], out: Path, min_score: int, as_json: bool) -> None:
    """Write the links of DUMPs (JSON lines; .zst, .bz2, .gz, .xz or plain), each once with its best score.

    Self posts, pictures and film, and links to shorteners and to Reddit itself are left out; the counts say how many.
    """
    from pipeline.sources.reddit import count_lines, read_links
    from pipeline.sources.stored import StoredBytes
    from pipeline.sources.webtext import write_links
    from pipeline.storage.paths import shown
    from pipeline.storage.publish import publish
    from pipeline.storage.reading import open_input, size

    def opened() -> "Iterator[tuple[str, StoredBytes]]":
        for dump in dumps:
            with open_input(dump) as stream:
                yield shown(dump), StoredBytes(stream, size(dump))

    table, counts = read_links(opened(), min_score=min_score)
    with publish(str(out)) as temporary:
        write_links(table, temporary)
    for lost in counts.skipped:
        click.echo(
            f"crawlmix: {lost['file']}: {lost['length']} bytes at {lost['offset']} skipped: {lost['reason']}",
            err=True,
        )
    click.echo(json.dumps(counts.to_dict(), indent=1) if as_json else "\n".join(count_lines(counts)))

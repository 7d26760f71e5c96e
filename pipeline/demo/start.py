"""A recipe to start from, and the example crawl that it runs on."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.demo.sample import make_sample
from pipeline.errors import CrawlmixError, UsageError
from pipeline.recipe import Recipe, load_recipe
from pipeline.report.summary import ledger_table

if TYPE_CHECKING:
    from pipeline.build import Outcome

SAMPLE_FOLDER = "crawlmix-sample"


def write_recipe(file: Path) -> Path:
    """Write the commented recipe to `file`, and the example crawl into a folder beside it; returns that folder.

    Raises:
        UsageError: `file` exists already.
        CrawlmixError: the folder cannot be written.
    """
    if file.exists():
        raise UsageError(f"{file}: exists already; name another file, or remove this one")
    folder = file.parent / SAMPLE_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_sample(folder)
        file.write_text(starter_text(), encoding="utf-8")
    except OSError as error:
        raise CrawlmixError(
            f"{error.filename or file}: cannot write ({error.strerror}); choose another folder"
        ) from error
    return folder


def starter_text() -> str:
    """Read the commented recipe that ships with the package, its paths led to the example crawl beside it."""
    text = files("recipes").joinpath("demo.yaml").read_text(encoding="utf-8")
    for key in ("paths", "benchmarks"):
        text = text.replace(f"{key}: [", f"{key}: [{SAMPLE_FOLDER}/")
    return text


def demo_recipe(folder: Path) -> Recipe:
    """Make the example crawl and its recipe in `folder`, or find those of an earlier call."""
    file = folder / "recipe.yaml"
    if not file.exists():
        write_recipe(file)
    return load_recipe(file)


def demo_summary(folder: Path, outcome: "Outcome") -> str:
    """Tell a newcomer what went in, what became of it, where the result lies and what to do next."""
    workspace = folder / "workspace"
    return f"""
What went in: {SAMPLE_FOLDER}/, a small crawl made for this demo (web pages as WARC files, and samples of
WebText, books and Wikipedia), with the things that go wrong in a large one: spam, near-copies, odd charsets, a
page with a benchmark question in it, a damaged record.

What became of it, record by record:
{ledger_table(outcome.ledger)}

Where it is: {workspace}/shards holds the tokens, {workspace}/mixtures/gpt3.json says how training draws from
them. Dataset digest {outcome.dataset_digest}: the same on every machine.

The report, a page to open in a browser, shows all of this with reasons, examples and thresholds:
  {workspace}/report.html

What to run next:
  crawlmix status {workspace}
  crawlmix explain {workspace} https://example.org/         any URL of the sample, what became of it and why
  crawlmix build {folder}/recipe.yaml --workspace {workspace}     after you changed the recipe: redoes what it affects
"""

"""A recipe to start from, and the example crawl that it runs on."""

from importlib.resources import files
from pathlib import Path

from pipeline.demo.sample import make_sample
from pipeline.errors import CrawlmixError, UsageError

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
    """Read the commented recipe that ships with the package."""
    return files("recipes").joinpath("demo.yaml").read_text(encoding="utf-8")

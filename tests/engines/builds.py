"""The build that every engine makes: all stages, over real crawl pages where they are at hand."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.engines.clusters import ROOT
from tests.engines.processes import run
from tests.pipeline.builds import RECIPE, sample
from tests.shared_data import SHARED

BUILD_SECONDS = 600
TABLES = ("documents", "annotations", "duplicates", "repeats", "contamination", "shards", "mixtures")


def inputs(folder: Path) -> Path:
    """Make a folder of inputs with its recipe: the embedded sample, and a shard of a real crawl cut into parts."""
    sample(folder)
    real = SHARED / "crawl" / "small" / "small-00000.warc.gz"
    text = RECIPE.replace("dedup: {", "dedup: {repeats: {unit: line, max_documents: 3}, ")
    if real.exists():
        text = text.replace(
            "  webtext2:",
            f"  real: {{format: warc, paths: [{real}], filter: web, part_bytes: 512KiB}}\n  webtext2:",
        )
        text = text.replace("weights: {crawl: 60", "weights: {real: 30, crawl: 30").replace(
            "books, crawl]", "books, crawl, real]"
        )
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


def build(
    recipe: Path, workspace: Path, options: Sequence[str], *more: str
) -> subprocess.CompletedProcess[str]:
    """Build with the command that users type, within a limit of time."""
    command = [sys.executable, "-m", "pipeline.cli.main", "build", str(recipe), "-w", str(workspace), *more]
    return run([*command, "--", *options] if options else command, ROOT, BUILD_SECONDS)


def digest(workspace: Path) -> str:
    """Return what a finished build is known by."""
    return str(json.loads((workspace / "build.json").read_text())["dataset_digest"])


def ledger(workspace: Path) -> dict[str, object]:
    """Return the counts of a finished build."""
    found: dict[str, object] = json.loads((workspace / "ledger.json").read_text())
    return found


def files(workspace: Path) -> dict[str, bytes]:
    """Return all that a build wrote into its tables, by path."""
    return {
        str(path.relative_to(workspace)): path.read_bytes()
        for table in TABLES
        for path in sorted((workspace / table).rglob("*"))
        if path.is_file()
    }

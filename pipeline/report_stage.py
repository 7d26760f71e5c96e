"""The report stage: the page and the dataset card of a workspace, written when what they tell has changed."""

import re
import time
from typing import Any

from pipeline.context import Context, StageRecord
from pipeline.report.card import dataset_card
from pipeline.report.facts import read_facts
from pipeline.report.figures import read_figures
from pipeline.report.html_page import VERSION, report_page
from pipeline.storage.publish import write_text
from pipeline.storage.reading import exists, open_input
from pipeline.workspace import Workspace

PAGE, CARD = "report.html", "README.md"
_HEAD_BYTES = 1 << 16  # of either file; the mark stands in it
_MARK = re.compile(rb"crawlmix-report[\" ]+(?:content=\")?([0-9a-f]{32})")


def run(context: Context, build: dict[str, Any], ledger: dict[str, Any]) -> None:
    """Bring `report.html` and `README.md` up to date.

    Args:
        context: of the build, all other stages of which are done.
        build: what build.json is about to say.
        ledger: what ledger.json says.
    """
    record, start = context.begin("report")
    begun = time.process_time()
    _write(context.workspace, record, build, ledger, context.recipe.to_yaml())
    record.cpu_seconds = time.process_time() - begun
    record.seconds = time.monotonic() - start


def write_report(root: str) -> tuple[str, str]:
    """Write the page and the card of a workspace anew; returns their paths.

    Raises:
        UsageError: no workspace, or nothing done in it yet.
    """
    workspace = Workspace(root)
    _write(workspace, StageRecord("report"), None, None, None, anew=True)
    return workspace.path(PAGE), workspace.path(CARD)


def _write(
    workspace: Workspace,
    record: StageRecord,
    build: dict[str, Any] | None,
    ledger: dict[str, Any] | None,
    recipe: str | None,
    *,
    anew: bool = False,
) -> None:
    facts = read_facts(workspace, build, ledger, recipe)
    record.parts, record.fingerprint = 1, facts.digest(VERSION)
    if not anew and all(_mark(workspace.path(name)) == record.fingerprint for name in (PAGE, CARD)):
        return
    figures = read_figures(workspace, facts)
    write_text(workspace.path(CARD), dataset_card(facts, figures, record.fingerprint))
    write_text(workspace.path(PAGE), report_page(facts, figures, record.fingerprint))
    record.done = 1


def _mark(path: str) -> str | None:
    """The fingerprint that a written report carries."""
    if not exists(path):
        return None
    with open_input(path) as stream:
        found = _MARK.search(stream.read(_HEAD_BYTES))
    return found[1].decode() if found else None

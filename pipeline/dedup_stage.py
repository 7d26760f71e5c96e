"""The dedup stage: which copies go, and one `duplicates` file beside each part of `documents`.

A *generation* is what one search decided: all parts, or, with `increments`, those that came since. `summary.json` is
written last and names the generations that count, so a search that was killed leaves nothing that is believed.
"""

import time
from collections.abc import Sequence
from typing import Any

from pipeline.context import Context
from pipeline.dedup.reference import MANIFEST
from pipeline.dedup.settings import source_order
from pipeline.dedup_generations import (
    Generation,
    drop_generations,
    open_references,
    read_generations,
    store_keys,
)
from pipeline.dedup_summary import make_summary, warnings_of
from pipeline.report.ledger import add_up
from pipeline.runner import import_beam
from pipeline.sections.dedup import Dedup
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.publish import write_json
from pipeline.tasks import Task
from pipeline.worker_files import worker_folder
from pipeline.workspace import PartState, fingerprint, read_state

VERSION = 3
_NO_MATTER = {
    "max_edges",
    "increments",
    "priority",
    "protected",
    "repeats",
}  # in which decisions already made may stand

States = dict[str, list[PartState]]


def run(context: Context, annotations: States) -> States:
    """Find copies in all sources and write `duplicates/`; returns the states of the parts by source.

    Raises:
        UsageError: the workspace of `against` holds no keys, or keys made in another way.
    """
    record, start = context.begin("dedup")
    settings = context.recipe.root.dedup
    order = source_order(context.recipe.root, annotations)
    tasks = _tasks(context, annotations, settings, order)
    record.parts = len(tasks)
    against = open_references(context.recipe, context.workspace.root)
    # What `against` holds counts, wherever it lies.
    told = settings.model_dump(mode="json", exclude=_NO_MATTER) | {"against": None}
    basis = fingerprint(VERSION, told, [reference.fingerprint for reference in against])
    ranks = fingerprint(order, sorted(settings.protected))
    kept, pending = _plan(context, tasks, basis, None if settings.increments else ranks)
    parts = {f"{task['source']}/{task['index']}": task["input"] for task in pending}
    own = fingerprint(basis, ranks, parts, [generation.fingerprint for generation in kept])
    _clean(context, annotations)
    record.fingerprint = kept[-1].fingerprint if kept and not pending else own
    if pending or not kept:
        begun = time.process_time()
        context.progress.begin("dedup", len(pending))
        for task in pending:
            task["fingerprint"] = own
        generation = Generation(f"{len(kept):03d}", own, basis, ranks, parts)
        folders = [worker_folder(context.workspace, reference.folder, MANIFEST) for reference in against]
        _search(context, kept, generation, pending, folders, order)
        context.progress.end()
        record.done = len(pending)
        record.cpu_seconds = time.process_time() - begun
    by_source: States = {name: [] for name in annotations}
    for task in tasks:
        state = read_state(task["output"])
        if state is None:
            raise RuntimeError(f"dedup: {task['output']} was made and is not there")
        by_source[task["source"]].append(state)
    formats = {name: source.format for name, source in context.recipe.root.sources.items()}
    for line in warnings_of({name: add_up(parts) for name, parts in by_source.items()}, formats):
        context.progress.say(f"warning: {line}")
    record.seconds = time.monotonic() - start
    return by_source


def _search(
    context: Context,
    kept: Sequence[Generation],
    generation: Generation,
    pending: Sequence[Task],
    against: Sequence[str],
    order: Sequence[str],
) -> None:
    import_beam()
    from pipeline.dedup_files import empty
    from pipeline.dedup_jobs import search

    workspace = context.workspace
    if not kept:
        remove(workspace.path("duplicates", "summary.json"))
    drop_generations(workspace, keep=[earlier.name for earlier in kept])
    held = [*against, *(earlier.keys_folder(workspace) for earlier in kept)]
    documents = sum(task["living"] for task in pending)
    findings = search(context, pending, documents, sources=order, references=held)
    if context.recipe.root.dedup.keep_reference:
        store_keys(context, workspace.work("dedup", "keys"), generation)
    generation.write(workspace)
    numbers = {task["number"]: task["output"] for task in pending}
    summary = make_summary(workspace, [*kept, generation], findings, numbers)
    write_json(workspace.path("duplicates", "summary.json"), summary)
    empty(workspace.work("dedup"))


def _plan(
    context: Context, tasks: Sequence[Task], basis: str, ranks: str | None
) -> tuple[list[Generation], list[Task]]:
    """Say which generations stand, and which parts are still to be decided.

    With `ranks` all parts are decided together or none is; without (increments), what stands stays.
    """
    stored = read_generations(context.workspace)
    by_key = {f"{task['source']}/{task['index']}": task for task in tasks}
    covered: dict[str, str] = {}
    for generation in stored:
        fits = (
            generation.basis == basis
            and ranks in {None, generation.ranks}
            and all(
                key in by_key
                and by_key[key]["input"] == told
                and (state := read_state(by_key[key]["output"])) is not None
                and state.fingerprint == generation.fingerprint
                for key, told in generation.parts.items()
            )
        )
        if not fits:
            return [], list(tasks)
        covered |= generation.parts
    pending = [task for key, task in by_key.items() if key not in covered]
    if not stored or (ranks is not None and (pending or len(stored) > 1)):
        return [], list(tasks)
    return stored, pending


def _tasks(context: Context, annotations: States, settings: Dedup, order: Sequence[str]) -> list[Task]:
    tasks: list[Task] = []
    for name, states in annotations.items():
        for index, state in enumerate(states):
            tasks.append(
                {
                    "source": name,
                    "index": index,
                    "number": len(tasks),
                    "group": 0 if settings.scope == "global" else list(annotations).index(name),
                    "source_rank": order.index(name),
                    "protected": name in settings.protected,
                    "living": state.kept,
                    "documents": context.workspace.part("documents", name, index),
                    "annotations": context.workspace.part("annotations", name, index),
                    "output": context.workspace.part("duplicates", name, index),
                    "input": state.fingerprint,
                }
            )
    return tasks


def _clean(context: Context, annotations: States) -> None:
    """Remove the parts that the recipe does not have any more."""
    workspace = context.workspace
    known: dict[str, Any] = {
        name: {f"part-{index:05d}.parquet" for index in range(len(states))}
        for name, states in annotations.items()
    }
    for folder in list_dir(workspace.path("duplicates")):
        if folder.startswith("_") or folder == "summary.json":
            continue
        for name in list_dir(workspace.path("duplicates", folder)):
            if name not in known.get(folder, ()):
                remove(workspace.path("duplicates", folder, name))

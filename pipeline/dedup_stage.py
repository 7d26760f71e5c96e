"""The dedup stage: which copies go, and one `duplicates` file beside each part of `documents`."""

import time

from pipeline.context import Context
from pipeline.runner import import_beam
from pipeline.sections import Dedup
from pipeline.tasks import Task
from pipeline.workspace import PartState, fingerprint, read_state

VERSION = 1

States = dict[str, list[PartState]]


def run(context: Context, annotations: States) -> States:
    """Find copies in all sources and write `duplicates/`; returns the states of the parts by source."""
    record, start = context.begin("dedup")
    settings = context.recipe.root.dedup
    tasks = _tasks(context, annotations, settings)
    record.parts = len(tasks)
    own = fingerprint(
        VERSION, settings.model_dump(mode="json"), [(task["source"], task["input"], task["source_rank"]) for task in tasks]
    )
    record.fingerprint = own
    for task in tasks:
        task["fingerprint"] = own
    context.clean("duplicates", {name: len(states) for name, states in annotations.items()})
    states = [read_state(task["output"]) for task in tasks]
    if any(state is None or state.fingerprint != own for state in states):
        begun = time.process_time()
        context.progress.begin("dedup", len(tasks))
        import_beam()
        from pipeline.dedup_jobs import search

        search(context, tasks, sum(state.kept for parts in annotations.values() for state in parts))
        context.progress.end()
        record.done = len(tasks)
        record.cpu_seconds = time.process_time() - begun
        states = [read_state(task["output"]) for task in tasks]
    by_source: States = {name: [] for name in annotations}
    for task, state in zip(tasks, states, strict=True):
        if state is None or state.fingerprint != own:
            raise RuntimeError(f"dedup: {task['output']} was made and is not there")
        by_source[task["source"]].append(state)
    record.seconds = time.monotonic() - start
    return by_source


def _tasks(context: Context, annotations: States, settings: Dedup) -> list[Task]:
    names = list(annotations)
    order = [*(settings.priority or []), *(name for name in names if name not in (settings.priority or []))]
    tasks: list[Task] = []
    for name, states in annotations.items():
        for index, state in enumerate(states):
            tasks.append(
                {
                    "source": name,
                    "number": len(tasks),
                    "group": 0 if settings.scope == "global" else names.index(name),
                    "source_rank": order.index(name),
                    "protected": name in settings.protected,
                    "documents": context.workspace.part("documents", name, index),
                    "annotations": context.workspace.part("annotations", name, index),
                    "output": context.workspace.part("duplicates", name, index),
                    "input": state.fingerprint,
                }
            )
    return tasks

"""The extract stage: which parts the sources have, and their `documents` files."""

import math
import time
from itertools import pairwise
from typing import Any

from pipeline.context import Context, PartPlan
from pipeline.errors import UsageError
from pipeline.extract.html import extractor_version
from pipeline.input_files import list_files
from pipeline.pool import Job
from pipeline.recipe import Recipe
from pipeline.sections.source import Index
from pipeline.storage.listing import remove
from pipeline.storage.paths import is_remote
from pipeline.tasks import Task
from pipeline.workspace import PartState, Workspace, fingerprint

VERSION = 1
_SLICE_BYTES = 4 << 20  # a worker's turn on a local file
_WEB_FORMATS = {"warc", "arc", "wet"}
_MAX_TEXT_BYTES = 256 << 20  # of one document that needs no extraction


def plan_parts(recipe: Recipe, workspace: Workspace, name: str) -> list[Task]:
    """Cut the files of a source into parts: one task each, in file order."""
    source, extract = recipe.root.sources[name], recipe.root.extract
    reading = {
        "format": source.format,
        "reader": {"text": source.text, "id": source.id, "url": source.url},
        "statuses": sorted(extract.statuses),
        "media_types": sorted(extract.media_types),
        "max_bytes": extract.max_bytes if source.format in _WEB_FORMATS else _MAX_TEXT_BYTES,
        "guard": {
            "extractor": extract.engine,
            "max_bytes": extract.max_bytes if source.format in _WEB_FORMATS else _MAX_TEXT_BYTES,
            "max_depth": extract.max_depth,
            "max_tags": extract.max_tags,
            "max_cpu_seconds": extract.max_cpu_seconds,
            "max_memory": extract.max_memory,
        },
    }
    stage = fingerprint(VERSION, reading, extractor_version(extract.engine), name)
    if source.index is not None:
        return _selected(recipe, workspace, name, source.index, reading, stage)
    tasks: list[Task] = []
    for file in list_files(recipe, source, slice_bytes=_SLICE_BYTES):
        in_slices = file.splittable and not is_remote(file.url)
        for start, end in _ranges(0, file.size, source.part_bytes if file.splittable else file.size):
            index = len(tasks)
            pieces = _ranges(start, end, _SLICE_BYTES if in_slices else file.size)
            own = fingerprint(stage, file.shown, file.identity, start, end)
            place = {"file": file.url, "shown": file.shown, "size": file.size, "start": start, "end": end}
            tasks.append({**_task(workspace, name, index, own, pieces), **place, **reading})
    return tasks


def _task(workspace: Workspace, name: str, index: int, own: str, pieces: list[tuple[int, int]]) -> Task:
    return {
        "kind": "extract_part",
        "name": f"{name} part {index}",
        "source": name,
        "exact": False,
        "output": workspace.part("documents", name, index),
        "fingerprint": own,
        "slice_fingerprint": own,
        "slices": [
            {
                "start": a,
                "end": b,
                "slice_file": workspace.work("slices", name, f"part-{index:05d}-{number:04d}.arrow"),
            }
            for number, (a, b) in enumerate(pieces)
        ],
    }


def _selected(
    recipe: Recipe, workspace: Workspace, name: str, index: Index, reading: Task, stage: str
) -> list[Task]:
    """Parts of a source that reads only what an index selects."""
    from pipeline.selected_parts import selected_captures

    tasks = []
    for number, part in enumerate(selected_captures(recipe, workspace, name, index)):
        own = fingerprint(stage, part["fingerprint"])
        place = {"file": part["file"], "shown": part["file"], "size": 1, "start": 0, "end": 1}
        chosen = {"captures": part["captures"], "base_url": part["base_url"]}
        tasks.append({**_task(workspace, name, number, own, [(0, 1)]), **place, **chosen, **reading})
    return tasks


def _linked_pages(context: Context, name: str, pages: list[Task], states: list[PartState]) -> list[PartPlan]:
    """Parts of a source made of another source's pages."""
    from pipeline.selected_parts import links_file

    links = context.recipe.root.sources[name].links
    assert links is not None
    table = links_file(context.recipe, context.workspace, links)
    plans = []
    for number, (page, state) in enumerate(zip(pages, states, strict=True)):
        own = fingerprint(VERSION, name, state.fingerprint, table.rpartition("/")[2])
        task: Task = {
            "kind": "linked_pages_part",
            "name": f"{name} part {number}",
            "shown": page["shown"],
            "documents": page["output"],
            "links": table,
            "output": context.workspace.part("documents", name, number),
            "fingerprint": own,
        }
        plans.append(PartPlan(name, number, task["output"], own, Job(task)))
    return plans


def _ranges(start: int, end: int, most: int) -> list[tuple[int, int]]:
    number = max(1, math.ceil((end - start) / max(most, 1)))
    cuts = [start + (end - start) * i // number for i in range(number + 1)]
    return list(pairwise(cuts))


def run(context: Context) -> dict[str, list[PartState]]:
    """Read every source into `documents/`; returns the states of the parts by source."""
    record, start = context.begin("extract")
    sources = context.recipe.root.sources
    tasks = _plan_sources(context)
    everything = [task for parts in tasks.values() for task in parts]
    states = context.make_parts("extract", [_plan(task) for task in everything], record)
    states = _stitch(context, everything, states, record)
    by_source: dict[str, list[PartState]] = {name: [] for name in sources}
    for task, state in zip(everything, states, strict=True):
        by_source[task["source"]].append(state)
    linked = [
        plan
        for name, source in sources.items()
        if source.pages_of is not None
        for plan in _linked_pages(context, name, tasks[source.pages_of], by_source[source.pages_of])
    ]
    if linked:
        for plan, state in zip(linked, context.make_parts("links", linked, record), strict=True):
            by_source[plan.source].append(state)
        record.parts = len(everything) + len(linked)
    record.fingerprint = fingerprint([state.fingerprint for parts in by_source.values() for state in parts])
    context.clean("documents", {name: len(parts) for name, parts in by_source.items()})
    record.seconds = time.monotonic() - start
    return by_source


def _plan_sources(context: Context) -> dict[str, list[Task]]:
    """Plan the parts of every source that has files of its own; tell all that is wrong with any of them at once."""
    tasks: dict[str, list[Task]] = {}
    problems = []
    for name, source in context.recipe.root.sources.items():
        if source.pages_of is None:
            try:
                tasks[name] = plan_parts(context.recipe, context.workspace, name)
            except UsageError as error:
                problems.append(f"{context.recipe.place('sources', name)}: {error}")
    if problems:
        raise UsageError("\n".join(problems))
    return tasks


def _plan(task: Task) -> PartPlan:
    steps: list[Task] = []
    if len(task["slices"]) > 1:
        shared = {key: value for key, value in task.items() if key not in {"slices", "output"}}
        steps = [
            {**shared, **piece, "kind": "extract_slice", "exact": number == 0 and task["exact"]}
            for number, piece in enumerate(task["slices"])
        ]
    index = int(task["output"].rpartition("part-")[2].split(".")[0])
    return PartPlan(
        task["source"],
        index,
        task["output"],
        task["fingerprint"],
        Job(task, steps),
        task["end"] - task["start"],
    )


def _stitch(context: Context, tasks: list[Task], states: list[PartState], record: Any) -> list[PartState]:
    """Check that each part of a file begins where the one before it ended; read again those that do not.

    A reader that starts in the middle of a file may find bytes that look like a record inside another record's
    payload (an archive within the archive). Only the part before it knows.
    """
    following = 0
    for i, task in enumerate(tasks):
        if task["start"] == 0:
            following = 0
        elif states[i].more["first_offset"] not in {None, following}:
            begin = min(max(following, task["start"]), task["end"])
            whole = {**task["slices"][0], "start": begin, "end": task["end"]}
            remove(task["output"])
            again = {**task, "exact": True, "start": begin, "slices": [whole]}
            states[i] = context.make_parts("extract", [_plan(again)], record)[0]
        following = max(following, states[i].more["next_offset"])
    return states

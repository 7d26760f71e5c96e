"""The repeats stage: which lines or runs of sentences go out of texts, and one `repeats` file beside each part of `documents`.

Texts are read once, by part; counts meet in a shuffle of hashes; then each part's file is made without text. A file is
made again only if something in it changes, so another limit, or another part, redoes what it affects. Decontamination and
tokenization read texts without the cut ranges (`annotate/trained_text.py`).
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate.trained_text import TextEdits, text_edits
from pipeline.context import Context, PartPlan
from pipeline.dedup.settings import source_order
from pipeline.pool import Job
from pipeline.runner import import_beam
from pipeline.sections.dedup import Repeats
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.publish import write_json
from pipeline.storage.reading import exists, open_input
from pipeline.tasks import Task
from pipeline.workspace import PartState, fingerprint

VERSION = 1
_LARGEST = 20  # spans that are named

States = dict[str, list[PartState]]


def run(context: Context, survivors: States, tables: Sequence[str]) -> States:
    """Cut what several of the surviving documents hold; returns the states of the parts by source.

    Args:
        context: of the build.
        survivors: states of the stage before, by source.
        tables: whose `fate` must be `kept`, `documents` first.
    """
    settings = context.recipe.root.dedup.repeats
    assert settings is not None
    record, start = context.begin("repeats")
    for table in ("repeats", ".work/repeats/parts"):
        context.clean(table, {name: len(parts) for name, parts in survivors.items()})
    scans = _scans(context, survivors, tables, settings)
    context.make_files("repeats-scan", scans, record)
    notes = [_read_json(plan.output) for plan in scans]
    counted = _count(context, scans, notes, settings)
    plans = _cuts(context, scans)
    states = context.make_parts("repeats", plans, record)
    record.parts, record.done = len(plans), min(record.done, len(plans))
    record.fingerprint = fingerprint([plan.fingerprint for plan in plans])
    by_source = context.by_source(plans, states)
    of = fingerprint(record.fingerprint, counted["fingerprint"])
    if (context.workspace.read_json("repeats", "summary.json") or {}).get("of") != of:
        summary = _summary(counted, plans, notes, by_source, settings)
        write_json(context.workspace.path("repeats", "summary.json"), {"of": of, **summary})
    record.seconds = time.monotonic() - start
    return by_source


def remove_files(context: Context) -> None:
    """Remove what an earlier recipe of this workspace left, when the level is off."""
    workspace = context.workspace
    if list_dir(workspace.path("repeats")):
        context.clean("repeats", {})
        remove(workspace.path("repeats", "summary.json"))


def _scans(context: Context, survivors: States, tables: Sequence[str], settings: Repeats) -> list[PartPlan]:
    root, workspace = context.recipe.root, context.workspace
    order = source_order(root, survivors)
    plans: list[PartPlan] = []
    for name, parts in survivors.items():
        edits = asdict(TextEdits(spans=text_edits(root, name).spans))
        for index, part in enumerate(parts):
            own = fingerprint(VERSION, part.fingerprint, edits, settings.unit)
            stem = workspace.work("repeats", "parts", name, f"part-{index:05d}")
            task: Task = {
                "kind": "repeats_scan_part",
                "name": f"lines of {name} part {index}",
                "number": len(plans),
                "group": 0 if root.dedup.scope == "global" else list(survivors).index(name),
                "source_rank": order.index(name),
                "protected": name in root.dedup.protected,
                "tables": [workspace.part(table, name, index) for table in tables],
                "edits": edits,
                "unit": settings.unit,
                "pieces": f"{stem}.arrow",
                "repeated": f"{stem}.repeated.npy",
                "output": f"{stem}.json",
                "fingerprint": own,
            }
            plans.append(PartPlan(name, index, task["output"], own, Job(task)))
    return plans


def _count(
    context: Context, scans: Sequence[PartPlan], notes: Sequence[Mapping[str, Any]], settings: Repeats
) -> dict[str, Any]:
    """Find out which spans of each part are cut; returns the note that says so, written last."""
    folder = context.workspace.work("repeats")
    told = settings.model_dump(mode="json")
    ranks = [[plan.job.whole[key] for key in ("group", "source_rank", "protected")] for plan in scans]
    own = fingerprint(VERSION, told, ranks, [[plan.source, plan.index, plan.fingerprint] for plan in scans])
    there = f"{folder}/counted.json"
    note: dict[str, Any] | None = _read_json(there) if exists(there) else None
    if note is not None and note["fingerprint"] == own:
        return note
    remove(there)  # what it speaks of is about to change
    import_beam(context.beam_options)
    from pipeline.dedup_repeats_job import count_repeats

    tasks = [plan.job.whole for plan in scans]
    spans = sum(note["pieces"] for note in notes)
    totals = count_repeats(tasks, spans, folder, settings, context.beam_options)
    largest = sorted(
        (span for found in totals for span in found.largest), key=lambda span: (-span[0], span[1])
    )
    note = {
        "fingerprint": own,
        "distinct": sum(found.distinct for found in totals),
        "repeated": sum(found.repeated for found in totals),
        "largest": [list(span) for span in largest[:_LARGEST]],
    }
    write_json(there, note)
    return note


def _cuts(context: Context, scans: Sequence[PartPlan]) -> list[PartPlan]:
    plans = []
    for plan in scans:
        task = plan.job.whole
        digest = _read_json(f"{task['repeated']}.json")["digest"]
        own = fingerprint(VERSION, plan.fingerprint, digest, task["source_rank"], task["protected"])
        output = context.workspace.part("repeats", plan.source, plan.index)
        cut = {**task, "kind": "repeats_part", "name": f"repeats {plan.source} part {plan.index}"}
        cut |= {"output": output, "fingerprint": own}
        plans.append(PartPlan(plan.source, plan.index, output, own, Job(cut)))
    return plans


def _summary(
    counted: Mapping[str, Any],
    plans: Sequence[PartPlan],
    notes: Sequence[Mapping[str, Any]],
    states: Mapping[str, Sequence[PartState]],
    settings: Repeats,
) -> dict[str, Any]:
    sources: dict[str, dict[str, int]] = {
        name: {
            **dict.fromkeys(("documents", "bytes"), 0),
            **{
                key: sum(part.more[key] for part in parts)
                for key in ("documents_cut", "spans_cut", "bytes_cut")
            },
            "documents_removed": sum(sum(part.removed.values()) for part in parts),
        }
        for name, parts in states.items()
    }
    for plan, note in zip(plans, notes, strict=True):
        for key in ("documents", "bytes"):
            sources[plan.source][key] += note[key]
    return {
        **settings.model_dump(mode="json"),
        "distinct": counted["distinct"],
        "repeated": counted["repeated"],
        "sources": sources,
        "largest": _places(counted["largest"], plans),
    }


def _places(largest: Sequence[Sequence[int]], plans: Sequence[PartPlan]) -> list[list[Any]]:
    """Say where a person can read the most frequent spans: documents, source, part, row, first and last + 1 byte."""
    from pipeline.dedup.repeats_part import read_spans

    wanted = {span: documents for documents, span in largest}
    places: dict[int, list[Any]] = {}
    for plan in plans:
        if len(places) == len(wanted):
            break
        own = read_spans(plan.job.whole)
        missing = pa.array([span for span in wanted if span not in places], pa.uint64())
        found = pc.index_in(missing, pa.array(own.spans.hashes)).to_pylist()
        for span, at in zip(missing.to_pylist(), found, strict=True):
            if at is not None:
                row = int(own.rows[own.spans.rows[at]])
                begin = int(own.pieces.starts[own.spans.first[at]])
                end = int(own.pieces.ends[own.spans.last[at]])
                places[span] = [wanted[span], plan.source, plan.index, row, begin, end]
    return [places[span] for _, span in largest]


def _read_json(path: str) -> Any:
    with open_input(path) as stream:
        return json.loads(stream.read())

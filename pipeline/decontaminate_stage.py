"""The decontaminate stage: one `contamination` file beside each part of `documents`, and the report by benchmark."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.annotate.trained_text import text_edits
from pipeline.context import Context, PartPlan
from pipeline.decontaminate.benchmarks import BenchmarkFiles, find_benchmarks
from pipeline.decontaminate.build_index import ensure_index
from pipeline.decontaminate.counts import add_counts, common_grams
from pipeline.decontaminate.documents import DocumentWriter
from pipeline.decontaminate.html_page import report_page
from pipeline.decontaminate.index import Index
from pipeline.decontaminate.part import read_counts
from pipeline.decontaminate.report import make_report
from pipeline.decontaminate.settings import BenchmarkSettings, FilterSettings, preset
from pipeline.decontaminate.statistics import Statistics, merge_statistics
from pipeline.pool import Job
from pipeline.recipe import Recipe
from pipeline.sections.decontaminate import Decontaminate
from pipeline.storage.publish import publish, write_json, write_text
from pipeline.storage.reading import exists, open_input
from pipeline.tasks import Task
from pipeline.workspace import PartState, fingerprint

VERSION = 1

States = dict[str, list[PartState]]


def filter_settings(wanted: Decontaminate) -> FilterSettings:
    """Turn a recipe's section into the settings of the filter."""
    numbers = {
        name: getattr(wanted, name)
        for name in ("ngram", "window_chars", "min_piece_chars", "max_pieces", "max_documents", "min_ratio")
    }
    return preset(wanted.preset, **numbers)


def benchmark_files(recipe: Recipe, wanted: Decontaminate) -> list[BenchmarkFiles]:
    """Find the benchmarks of a recipe.

    Raises:
        UsageError: a path leads to nothing, a setting is wrong.
    """
    place = f"{recipe.file}: decontaminate.settings"
    settings = {
        name: BenchmarkSettings.from_dict(values, f"{place}.{name}")
        for name, values in wanted.settings.items()
    }
    default = BenchmarkSettings(template=wanted.template)
    return find_benchmarks(wanted.benchmarks, str(recipe.base), settings, default)


def run(context: Context, survivors: States, tables: tuple[str, ...]) -> States:
    """Find and cut benchmark text in what is left; returns the states of the parts by source."""
    wanted = context.recipe.root.decontaminate
    assert wanted is not None
    record, start = context.begin("decontaminate")
    settings = filter_settings(wanted)
    folder = context.workspace.work("decontaminate")
    index = ensure_index(benchmark_files(context.recipe, wanted), settings, f"{folder}/index")
    index_folder = f"{folder}/index/{index.fingerprint[:16]}"
    context.clean("contamination", {name: len(parts) for name, parts in survivors.items()})
    scans = _scans(context, survivors, tables, index, index_folder)
    context.make_files("decontaminate-scan", scans, record)
    counts = add_counts(read_counts(plan.job.whole["hits"]) for plan in scans)
    common = common_grams(counts, settings.max_documents)
    ignored = fingerprint(common.tolist())
    common_file = f"{folder}/common-{ignored}.npy"
    if not exists(common_file):
        with publish(common_file) as temporary, temporary.open("wb") as stream:
            np.save(stream, common, allow_pickle=False)
    decisions = []
    for plan in scans:
        own = fingerprint(VERSION, plan.fingerprint, asdict(settings), ignored)
        task = {
            **plan.job.whole,
            "kind": "decontaminate_part",
            "settings": asdict(settings),
            "common": common_file,
            "statistics": plan.output.replace(".json", ".statistics.npz"),
            "output": context.workspace.part("contamination", plan.source, plan.index),
            "fingerprint": own,
        }
        decisions.append(PartPlan(plan.source, plan.index, task["output"], own, Job(task)))
    states = context.make_parts("decontaminate", decisions, record)
    record.parts, record.done = len(decisions), min(record.done, len(decisions))
    record.fingerprint = fingerprint([plan.fingerprint for plan in decisions])
    told = context.workspace.read_json("contamination", "benchmarks.json")
    if told is None or told.get("fingerprint") != record.fingerprint:
        statistics = merge_statistics(_statistics(plan.job.whole["statistics"]) for plan in decisions)
        _write_report(
            context,
            make_report(statistics, counts, index, settings, preset=wanted.preset),
            record.fingerprint,
        )
    for warning in (context.workspace.read_json("contamination", "benchmarks.json") or {}).get(
        "warnings", []
    ):
        context.progress.say(f"warning: {warning}")
    record.seconds = time.monotonic() - start
    return context.by_source(decisions, states)


def _scans(
    context: Context, survivors: States, tables: tuple[str, ...], index: Index, index_folder: str
) -> list[PartPlan]:
    plans = []
    for name, parts in survivors.items():
        edits = asdict(text_edits(context.recipe.root, name))
        for number, part in enumerate(parts):
            own = fingerprint(VERSION, part.fingerprint, index.fingerprint, edits)
            stem = context.workspace.work("decontaminate", "parts", name, f"part-{number:05d}")
            task: Task = {
                "kind": "scan_part",
                "name": f"scan {name} part {number}",
                "tables": [context.workspace.part(table, name, number) for table in tables],
                "edits": edits,
                "index": index_folder,
                "hits": f"{stem}.npz",
                "output": f"{stem}.json",
                "fingerprint": own,
            }
            plans.append(PartPlan(name, number, task["output"], own, Job(task)))
    return plans


def _statistics(path: str) -> Statistics:
    with open_input(path) as stream:
        return Statistics.from_bytes(stream.read())


def _write_report(context: Context, report: Any, own: str) -> None:
    place = context.workspace
    with (
        publish(place.path("contamination", "examples.jsonl.gz")) as temporary,
        temporary.open("wb") as stream,
    ):
        writer = DocumentWriter(stream)
        for example in report.examples:
            writer.write(example)
        writer.close()
    write_json(place.path("contamination", "clean_ids.json"), report.clean_ids)
    write_text(place.path("contamination", "report.html"), report_page(report.benchmarks))
    write_json(place.path("contamination", "benchmarks.json"), {**report.benchmarks, "fingerprint": own})

"""The tokenize stage: token files part by part, and shards cut from them source by source."""

import time
from dataclasses import asdict
from pathlib import Path

from pipeline.annotate.trained_text import text_edits
from pipeline.context import Context, PartPlan, StageRecord
from pipeline.pool import Job
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import local_path
from pipeline.storage.reading import exists
from pipeline.tasks import Task
from pipeline.tokenize.assemble import assemble, plan_shards
from pipeline.tokenize.tokenizer import Tokenizer, load_tokenizer
from pipeline.workspace import PartState, fingerprint

VERSION = 2

States = dict[str, list[PartState]]


def run(context: Context, survivors: States, tables: tuple[str, ...]) -> None:
    """Tokenize what is left, and write the shards of every source.

    Args:
        context: of the build.
        survivors: states of the last stage that removes documents, by source.
        tables: whose `fate` must be `kept`, `documents` first.
    """
    record, start = context.begin("tokenize")
    tokenizer = load_tokenizer(context.recipe.tokenizer)
    plans = []
    for name, parts in survivors.items():
        edits = asdict(text_edits(context.recipe.root, name))
        for index, part in enumerate(parts):
            own = fingerprint(VERSION, part.fingerprint, tokenizer.fingerprint, edits)
            stem = context.workspace.work("tokens", name, f"part-{index:05d}")
            task: Task = {
                "kind": "tokenize_part",
                "name": f"tokenize {name} part {index}",
                "tables": [context.workspace.part(table, name, index) for table in tables],
                "edits": edits,
                "contamination": context.workspace.part("contamination", name, index)
                if "contamination" in tables
                else None,
                "stem": stem,
                "output": f"{stem}.json",
                "tokenizer": context.recipe.tokenizer,
                "fingerprint": own,
            }
            plans.append(PartPlan(name, index, task["output"], own, Job(task)))
    record.fingerprint = fingerprint([plan.fingerprint for plan in plans], context.recipe.root.shards.tokens)
    context.clean(".work/tokens", {name: len(parts) for name, parts in survivors.items()})
    _clean_sources(context, survivors)
    context.make_files("tokenize", plans, record)
    for name, parts in survivors.items():
        stems = [
            local_path(context.workspace.work("tokens", name, f"part-{i:05d}")) for i in range(len(parts))
        ]
        _write_shards(context, name, stems, tokenizer, record)
    record.seconds = time.monotonic() - start


def _write_shards(
    context: Context, name: str, stems: list[Path], tokenizer: Tokenizer, record: StageRecord
) -> None:
    folder = context.workspace.path("shards", name)
    plan = plan_shards(
        name,
        local_path(folder),
        stems,
        tokenizer,
        shard_tokens=context.recipe.root.shards.tokens,
        seed=context.recipe.root.seed,
    )
    told = context.workspace.read_json("shards", name, "manifest.json")
    if told is not None and told["inputs"] == plan.inputs and _all_there(folder, told):
        return
    begun = time.process_time()
    assemble(plan)
    record.done = max(record.done, 1)
    record.cpu_seconds += time.process_time() - begun


def _all_there(folder: str, manifest: dict[str, list[dict[str, str]]]) -> bool:
    return all(exists(f"{folder}/{shard['file']}") for shard in manifest["shards"])


def _clean_sources(context: Context, survivors: States) -> None:
    for name in list_dir(context.workspace.path("shards")):
        if name not in survivors:
            for file in list_dir(context.workspace.path("shards", name)):
                remove(context.workspace.path("shards", name, file))

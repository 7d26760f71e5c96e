"""The tokenize stage: token files part by part, and shards cut from them source by source."""

import time
from dataclasses import asdict

from mixtures.mixture import VALIDATION
from pipeline.annotate.trained_text import text_edits
from pipeline.context import Context, PartPlan, StageRecord
from pipeline.exclusions import Exclusions
from pipeline.pool import Job
from pipeline.storage.listing import list_dir, remove
from pipeline.tasks import Task
from pipeline.tokenize.assemble import assemble
from pipeline.tokenize.shard_plan import ShardTask, plan_shards
from pipeline.tokenize.tokenizer import Tokenizer, load_tokenizer
from pipeline.worker_files import worker_file
from pipeline.workspace import PartState, fingerprint
from pipeline.workspace_tokenizer import keep_tokenizer

VERSION = 2

States = dict[str, list[PartState]]


def run(
    context: Context,
    survivors: States,
    tables: tuple[str, ...],
    exclusions: Exclusions,
    *,
    tokenizer: str | None = None,
) -> None:
    """Tokenize what is left, and write the shards of every source.

    Args:
        context: of the build.
        survivors: states of the last stage that removes documents, by source.
        tables: whose `fate` must be `kept`, `documents` first.
        exclusions: documents to leave out of the shards; they are tokenized, so that letting them back in is cheap.
        tokenizer: `gpt2` or a path, instead of the recipe's.

    Raises:
        CrawlmixError: a part could not be made.
        UsageError: the tokenizer cannot be used.
    """
    record, start = context.begin("tokenize")
    tokenizer = tokenizer or context.recipe.tokenizer
    loaded = load_tokenizer(tokenizer)
    everywhere = tokenizer if tokenizer == "gpt2" else worker_file(context.workspace, tokenizer)
    plans = []
    for name, parts in survivors.items():
        edits = asdict(text_edits(context.recipe.root, name))
        for index, part in enumerate(parts):
            own = fingerprint(VERSION, part.fingerprint, loaded.fingerprint, edits)
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
                "tokenizer": everywhere,
                "fingerprint": own,
            }
            plans.append(PartPlan(name, index, task["output"], own, Job(task)))
    record.fingerprint = fingerprint(
        [plan.fingerprint for plan in plans],
        context.recipe.root.shards.model_dump(mode="json"),
        exclusions.fingerprint,
    )
    context.clean(".work/tokens", {name: len(parts) for name, parts in survivors.items()})
    _clean_sources(context, survivors)
    context.make_files("tokenize", plans, record)
    keep_tokenizer(context.workspace, tokenizer)
    _write_shards(
        context, {name: len(parts) for name, parts in survivors.items()}, loaded, record, exclusions
    )
    record.seconds = time.monotonic() - start


def _write_shards(
    context: Context,
    parts: dict[str, int],
    tokenizer: Tokenizer,
    record: StageRecord,
    exclusions: Exclusions,
) -> None:
    begun = (
        time.thread_time()
    )  # of this thread: some engines have their workers in this process, and count them
    settings = context.recipe.root.shards
    plans = [
        plan_shards(
            name,
            context.workspace.path("shards", name),
            [context.workspace.work("tokens", name, f"part-{i:05d}") for i in range(number)],
            tokenizer,
            shard_tokens=settings.tokens,
            seed=context.recipe.root.seed,
            validation=settings.validation,
            excluded=exclusions.ids(name),
        )
        for name, number in parts.items()
    ]

    def write(shards: list[ShardTask]) -> None:
        tasks: list[Task] = [
            {
                "kind": "shard",
                "name": f"{shard.split} shard {shard.index}",
                "output": shard.folder,
                "shard": asdict(shard),
            }
            for shard in shards
        ]
        context.run_jobs("shards", [Job(task) for task in tasks], record)

    if any(assembled.changed for assembled in assemble(plans, write)):
        record.done = max(record.done, 1)
        record.cpu_seconds += time.thread_time() - begun


def _clean_sources(context: Context, survivors: States) -> None:
    for name in list_dir(context.workspace.path("shards")):
        if name not in survivors:
            for place in (("shards", name, VALIDATION), ("shards", name)):
                for file in list_dir(context.workspace.path(*place)):
                    if file != VALIDATION:
                        remove(context.workspace.path(*place, file))

"""A recipe's stages in order, from archives to a mixture; what is done already stays as it is."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from pipeline import dataflow, extract_stage
from pipeline.claim import check_claim, check_root, claim
from pipeline.context import Context
from pipeline.digest import dataset_digest
from pipeline.errors import CrawlmixError, UsageError, as_user_error
from pipeline.pool import WorkerPool
from pipeline.progress import Progress
from pipeline.recipe import Recipe
from pipeline.report.ledger import Ledger, make_ledger
from pipeline.runner import check_runner, runner_name
from pipeline.storage.listing import remove
from pipeline.storage.lock import lock
from pipeline.storage.paths import is_remote
from pipeline.storage.publish import clean_temp, write_json, write_text
from pipeline.workspace import PartState, Workspace

STAGES = ("extract", "annotate", "dedup", "repeats", "decontaminate", "tokenize", "mix")
_LIBRARIES = (
    "apache-beam",
    "deflate",
    "fastwarc",
    "resiliparse",
    "fasttext-community",
    "numpy",
    "pyarrow",
    "tokenizers",
    "tiktoken",
)

States = dict[str, list[PartState]]


@dataclass(frozen=True)
class Outcome:
    """What a call of `build` came to."""

    ledger: Ledger
    dataset_digest: str | None  # None when the build stopped before `mix`
    made: int  # parts made by this call; 0 when everything was there
    stages: list[dict[str, Any]]


def build(
    recipe: Recipe,
    root: str,
    *,
    until: str | None = None,
    workers: int = 1,
    beam_options: Sequence[str] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Build a recipe into the workspace `root`, or continue a build that stopped.

    Args:
        recipe: what to build.
        root: folder (or s3://, gs://) that the build fills.
        until: last stage to run; None for all.
        workers: processes of the direct engine.
        beam_options: Beam's own options; `--runner=...` chooses another engine.
        progress: where to report; silent when None.

    Raises:
        UsageError: recipe and workspace do not belong together, an input is missing, an engine is refused.
        CrawlmixError: a part could not be made, or more records failed than the recipe allows.
    """
    progress = progress or Progress(quiet=True)
    if workers < 1:
        raise UsageError(f"--workers {workers}: at least one is needed")
    if runner_name(beam_options).lower() == dataflow.RUNNER:
        dataflow.check_dataflow(beam_options, root)
    check_runner(beam_options)
    check_root(root)
    workspace = Workspace(root)
    check_claim(workspace, recipe)  # before the lock leaves its mark in a folder of something else
    with lock(root):
        claim(workspace, recipe)
        _clean(root)
        pool = WorkerPool(workers)
        try:
            with pool:
                outcome = _build(
                    Context(recipe, workspace, pool, progress, beam_options), until or STAGES[-1]
                )
        finally:
            if pool.killed or runner_name(beam_options) != "direct":
                _clean(root)  # what workers that died had begun to write; other engines do not tell
        if outcome.made:
            failures = _share_failed(outcome.ledger)
            limit = recipe.root.limits.max_failed
            if failures > limit:
                raise CrawlmixError(
                    f"{failures:.1%} of the records failed, and the recipe allows {limit:.1%} (`limits.max_failed`);"
                    f" `crawlmix status {root}` shows the errors"
                )
        return outcome


def _clean(root: str) -> None:
    if not is_remote(root):
        clean_temp(root)


def _build(context: Context, last: str) -> Outcome:
    if last != "extract":
        context.language_model_digest = _language_model_digest(context.recipe)
    try:
        return _run_stages(context, last)
    except OSError as error:
        if error.filename is None and (told := as_user_error(error)) is not None:
            raise CrawlmixError(f"{context.workspace.root}: {told}") from error
        raise


def _language_model_digest(recipe: Recipe) -> str:
    from classifiers.language import LanguageModel
    from pipeline.storage.cache import local_copy

    path = recipe.language_model
    file = None if path is None else local_copy(path)
    return LanguageModel.load(file, engine=recipe.root.language_engine).fingerprint


def _run_stages(context: Context, last: str) -> Outcome:
    stages: dict[str, States] = {}
    wanted = STAGES[: STAGES.index(last) + 1]

    def note(name: str, run: Callable[[], States]) -> States:
        return _note(context, stages, name, run)

    documents = note("extract", lambda: extract_stage.run(context))
    # Each stage is imported when its turn comes: together they bring a second of imports (scipy, fastText, ...).
    if "annotate" in wanted:
        from pipeline import annotate_stage, classifier_stage

        models = classifier_stage.run(context, documents)
        if models:
            context.progress.say(_plain_summary(context))
        annotations = note("annotate", lambda: annotate_stage.run(context, documents, models))
    if "dedup" in wanted:
        from pipeline import dedup_stage

        survivors = duplicates = note("dedup", lambda: dedup_stage.run(context, annotations))
    tables: tuple[str, ...] = ("documents", "annotations", "duplicates")
    if "repeats" in wanted:
        from pipeline import dedup_repeats

        if context.recipe.root.dedup.repeats is None:
            dedup_repeats.remove_files(context)
        else:
            given = tables
            survivors = note("repeats", lambda: dedup_repeats.run(context, duplicates, given))
            tables = (*tables, "repeats")
    if "decontaminate" in wanted and context.recipe.root.decontaminate is not None:
        from pipeline import decontaminate_stage

        before, seen = survivors, tables
        survivors = note("decontaminate", lambda: decontaminate_stage.run(context, before, seen))
        tables = (*tables, "contamination")
    if "tokenize" in wanted:
        return finish(context, stages, survivors, tables, mix="mix" in wanted)
    return _end(context, _ledger(context, stages), None)


def finish(
    context: Context,
    stages: dict[str, States],
    survivors: States,
    tables: tuple[str, ...],
    *,
    mix: bool = True,
    tokenizer: str | None = None,
) -> Outcome:
    """Do what follows when it is known which documents stay: shards, without those taken out by hand, and mixtures.

    Args:
        context: of the build.
        stages: states of the earlier stages, in order, for the ledger.
        survivors: states of the last of them.
        tables: row-aligned tables whose `fate` must be `kept`, `documents` first.
        mix: go on to mixtures and the dataset digest.
        tokenizer: instead of the recipe's.
    """
    from pipeline import exclude_stage, tokenize_stage
    from pipeline.exclusions import Exclusions

    exclusions = Exclusions.read(context.workspace)
    if exclusions.documents:
        _note(
            context,
            stages,
            exclude_stage.NAME,
            lambda: exclude_stage.run(context, survivors, tables, exclusions),
        )
    tokenize_stage.run(context, survivors, tables, exclusions, tokenizer=tokenizer)
    context.progress.say(_plain_summary(context))
    if context.records[-1].done:
        _write_state(context, _ledger(context, stages), None)  # as in `_note`
    digest = None
    if mix:
        from pipeline import mix_stage

        mix_stage.run(context)
        context.progress.say(_plain_summary(context))
        digest = dataset_digest(context.workspace)
        _drop_work(context)
    return _end(context, _ledger(context, stages), digest)


def _note(context: Context, stages: dict[str, States], name: str, run: Callable[[], States]) -> States:
    stages[name] = run()
    ledger = _ledger(context, stages)
    context.progress.say(_summary(context, ledger["stages"][name]))
    if context.records[-1].done:
        _write_state(context, ledger, None)  # the dataset of an earlier build is not this one's
    return stages[name]


def _ledger(context: Context, stages: dict[str, States]) -> Ledger:
    """Count fates, and beside them what came before records (captures, links) and what dedup says of clusters."""
    ledger = make_ledger(stages)
    if "dedup" in stages:
        ledger["dedup"] = context.workspace.read_json("duplicates", "summary.json")
    if "repeats" in stages:
        ledger["repeats"] = context.workspace.read_json("repeats", "summary.json")
    for name, source in context.recipe.root.sources.items():
        if source.index is not None or source.links is not None:
            from pipeline.selected_parts import selection_counts

            ledger["sources"][name]["selection"] = selection_counts(context.recipe, context.workspace, name)
    return ledger


def _end(context: Context, ledger: Ledger, digest: str | None) -> Outcome:
    if digest is not None:
        from pipeline import report_stage

        report_stage.run(context, _state(context, digest), ledger)
        context.progress.say(_plain_summary(context))
    _write_state(context, ledger, digest)
    return Outcome(
        ledger, digest, sum(record.done for record in context.records), [asdict(r) for r in context.records]
    )


def _drop_work(context: Context) -> None:
    for stage in STAGES:
        remove(context.workspace.work(f"{stage}.jobs.jsonl"))


def _summary(context: Context, sums: dict[str, Any]) -> str:
    removed, failed = sum(sums["removed"].values()), sum(sums["failed"].values())
    return f"{_plain_summary(context)}  {sums['in']:,} records: {sums['kept']:,} kept, {removed:,} removed, {failed:,} failed"


def _plain_summary(context: Context) -> str:
    record = context.records[-1]
    there = record.parts - record.done
    how = f"{record.done} made" + (f", {there} there already" if there > 0 else "")
    if not record.done:
        how = "nothing to do, all there"
    return f"{record.name:<10} {record.parts:>4} part{'s' if record.parts != 1 else ' '} ({how}), {record.seconds:.1f} s"


def _share_failed(ledger: Ledger) -> float:
    records = sum(source["records"] for source in ledger["sources"].values())
    failed = sum(sum(source["failed"].values()) for source in ledger["sources"].values())
    return failed / records if records else 0.0


def _write_state(context: Context, ledger: Ledger, digest: str | None) -> None:
    workspace, recipe = context.workspace, context.recipe
    state = _state(context, digest)
    if state != workspace.read_json("build.json"):
        write_json(workspace.path("build.json"), state)
    if workspace.read_json("ledger.json") != ledger:
        write_json(workspace.path("ledger.json"), ledger)
    written = recipe.to_yaml()
    if workspace.read_text("recipe.yaml") != written:
        write_text(workspace.path("recipe.yaml"), written)


def _state(context: Context, digest: str | None) -> dict[str, Any]:
    """What build.json says of this build."""
    recipe = context.recipe
    before = context.workspace.read_json("build.json") or {}
    old = {stage["name"]: stage for stage in before.get("stages", [])}
    stages = []
    for record in context.records:
        told = asdict(record)
        previous = old.get(record.name)
        if not record.done and previous and previous["fingerprint"] == record.fingerprint:
            told = previous  # what making it took, not what finding it took
        stages.append(told)
    return {
        "name": recipe.root.name,
        "dataset_digest": digest,
        "recipe_digest": recipe.digest,
        "seed": recipe.root.seed,
        "versions": {
            "crawlmix": version("crawlmix"),
            "python": platform.python_version(),
            **{n: version(n) for n in _LIBRARIES},
        },
        "stages": stages,
    }

"""Everything that can be wrong with a build before it starts, and what it would do."""

import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classifiers.language import LanguageModel
from classifiers.model_file import load_model
from pipeline.annotate.judge import check_rules
from pipeline.classifier_stage import training_sources, used_classifiers
from pipeline.decontaminate_stage import benchmark_files, filter_settings
from pipeline.dedup.settings import describe_dedup
from pipeline.dedup_generations import open_references
from pipeline.errors import CrawlmixError, UsageError, as_user_error
from pipeline.extract.html import check_extractor, extractor_version
from pipeline.extract_stage import plan_parts
from pipeline.recipe import Recipe
from pipeline.storage.cache import local_copy, local_folder
from pipeline.storage.globs import expand
from pipeline.storage.paths import is_remote, local_path
from pipeline.tasks import Task
from pipeline.tokenize.tokenizer import load_tokenizer
from pipeline.units import format_bytes
from pipeline.workspace import Workspace

_DISK_FACTOR = 2.0  # measured on real crawls: documents, annotations and shards for each byte of warc.gz


@dataclass(frozen=True)
class SourcePlan:
    """What a source comes to."""

    name: str
    format: str
    files: int
    parts: int
    bytes: int


@dataclass(frozen=True)
class Plan:
    """What a build would do."""

    name: str
    sources: list[SourcePlan]
    tokenizer: str
    vocabulary: int
    extractor: str
    language_model: str
    dedup: str
    mixtures: dict[str, dict[str, Any]]
    disk_needed: int
    disk_free: int | None

    def to_dict(self) -> dict[str, Any]:
        """Give the plan as JSON-like values."""
        return asdict(self)

    def to_text(self) -> str:
        """Show the plan to a person."""
        lines = [f"{'source':<16} {'format':<10} {'files':>7} {'parts':>7} {'size':>10}"]
        lines += [
            f"{source.name:<16} {source.format:<10} {source.files:>7,} {source.parts:>7,} {format_bytes(source.bytes):>10}"
            for source in self.sources
        ]
        lines.append(f"extractor      {self.extractor}")
        lines.append(f"language       {self.language_model}")
        lines.append(f"dedup          {self.dedup}")
        lines.append(f"tokenizer      {self.tokenizer}, {self.vocabulary:,} ids")
        for name, mixture in self.mixtures.items():
            wanted = [f"{source} weight {weight}" for source, weight in mixture["weights"].items()]
            wanted += [f"{source} {epochs} epochs" for source, epochs in mixture["epochs"].items()]
            size = (
                "as many tokens as follow" if mixture["tokens"] is None else f"{mixture['tokens']:,} tokens"
            )
            lines.append(
                f"mixture        {name}: {', '.join(wanted)}; {size} in samples of {mixture['sequence_length']:,}"
            )
        free = "" if self.disk_free is None else f", {format_bytes(self.disk_free)} free"
        lines.append(f"disk           about {format_bytes(self.disk_needed)} needed{free}")
        return "\n".join(lines)


def check(recipe: Recipe, workspace: str | None = None) -> Plan:
    """Look at all that a build needs.

    Raises:
        UsageError: one line for each finding.
    """
    problems: list[str] = []

    def attempt(place: str, look: Any) -> Any:
        try:
            return look()
        except (ValueError, CrawlmixError) as error:
            told = as_user_error(error)
            if told is None:
                raise
            problems.append(f"{recipe.file}: {place}: {told}")
            return None

    root = recipe.root
    sources = []
    for name, source in root.sources.items():
        if source.pages_of is not None:
            assert source.links is not None
            dumps = source.links.dumps
            attempt(f"sources.{name}.links.dumps", lambda dumps=dumps: expand(dumps, str(recipe.base)))
            continue
        tasks = attempt(f"sources.{name}", lambda name=name: _plan_parts(recipe, name))
        if tasks is not None:
            files = {task["file"]: task["size"] for task in tasks}
            sources.append(SourcePlan(name, source.format, len(files), len(tasks), sum(files.values())))
    engine = root.language_engine
    model = attempt(
        "language_model", lambda: LanguageModel.load(_local(recipe.language_model), engine=engine)
    )
    for name, rules in root.filters.items():
        attempt(f"filters.{name}", lambda rules=rules: check_rules(rules))
    for name in used_classifiers(root):
        attempt(f"classifiers.{name}", lambda name=name: _check_classifier(recipe, name))
    if root.decontaminate is not None:
        wanted = root.decontaminate
        attempt("decontaminate", lambda: (filter_settings(wanted), benchmark_files(recipe, wanted)))
    attempt("dedup", lambda: open_references(recipe, workspace))
    tokenizer = attempt("tokenizer", lambda: load_tokenizer(recipe.tokenizer))
    attempt("extract.engine", lambda: check_extractor(root.extract.engine))
    extractor = extractor_version(root.extract.engine) if not problems else ""
    mixtures = {name: mixture.model_dump(mode="json") for name, mixture in root.mixtures.items()}
    needed = round(_DISK_FACTOR * sum(source.bytes for source in sources))
    free = None
    if workspace is not None and not is_remote(workspace):
        folder = local_path(workspace).absolute()
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if free < needed:
            problems.append(
                f"{workspace}: about {format_bytes(needed)} needed, {format_bytes(free)} free; choose another disk"
            )
    if problems:
        raise UsageError("\n".join(problems))
    return Plan(
        root.name,
        sources,
        tokenizer.name,
        tokenizer.vocabulary_size,
        extractor,
        model.fingerprint[:12],
        describe_dedup(root.dedup),
        mixtures,
        needed,
        free,
    )


def _plan_parts(recipe: Recipe, name: str) -> list[Task]:
    """Plan the parts of a source; what an index selects is written to a folder of its own, and forgotten."""
    with tempfile.TemporaryDirectory() as folder:
        return plan_parts(recipe, Workspace(folder), name)


def _check_classifier(recipe: Recipe, name: str) -> None:
    path = recipe.root.classifiers[name].path
    if path is None:
        training_sources(recipe.root, name)
    else:
        load_model(local_folder(recipe.located(path)))


def _local(path: str | None) -> Path | None:
    return None if path is None else local_copy(path)

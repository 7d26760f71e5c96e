"""Trains a tokenizer on what survives in a workspace, sampled by the weights of a mixture."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mixtures.mixture import solve_weights
from mixtures.split import is_validation
from mixtures.weights import Number
from pipeline.annotate.trained_text import surviving, text_edits
from pipeline.errors import UsageError
from pipeline.exclusions import Exclusions
from pipeline.find_documents import part_paths
from pipeline.recipe import Recipe
from pipeline.sections.mixture import Mixture
from pipeline.storage.reading import open_input
from pipeline.tasks import Task
from pipeline.tokenize.part import survivors
from pipeline.tokenize.tokenizer import Tokenizer
from pipeline.tokenize.train import draw, sampling_rates, train_tokenizer
from pipeline.workspace import Workspace

_TOKEN_BYTES = 4  # of English text for one token, to compare a mixture's `tokens` with bytes of text


@dataclass
class Sample:
    """What was read of one source."""

    documents: int = 0
    bytes: int = 0  # UTF-8


@dataclass(frozen=True)
class Trained:
    """A tokenizer and what it was trained on."""

    tokenizer: Tokenizer
    sample: dict[str, Sample]


def train_on_workspace(
    recipe: Recipe,
    workspace: Workspace,
    out: Path,
    *,
    vocabulary_size: int,
    mixture: str | None = None,
    sample_bytes: int = 1 << 30,
    min_frequency: int = 2,
) -> Trained:
    """Train a byte-level BPE on the texts that training will see, held-out and excluded documents left out.

    The same workspace gives the same file: documents are drawn by a hash of their id, and read in order.

    Args:
        recipe: of the workspace.
        workspace: built at least to `dedup`.
        out: path of the tokenizer.json to write.
        vocabulary_size: ids in all.
        mixture: of the recipe, whose weights the sample follows. Default: the only one; without any, all sources alike.
        sample_bytes: of text to train on, about.
        min_frequency: of a pair that is merged.

    Raises:
        UsageError: the workspace is not built so far, the mixture is unknown, or there is nothing to learn from.
    """
    chosen = _mixture(recipe, mixture)
    names = list(recipe.root.sources) if chosen is None else sorted(chosen.sources)
    tasks = {name: _tasks(recipe, workspace, name) for name in names}
    sizes = {name: _text_bytes(tasks[name]) for name in names}
    weights = _weights(chosen, sizes)
    rates = sampling_rates(sizes, weights, budget_bytes=sample_bytes)
    sample = {name: Sample() for name in rates}
    seed, held = recipe.root.seed, recipe.root.shards.validation
    exclusions = Exclusions.read(workspace)

    def texts() -> Iterator[str]:
        for name in sorted(rates):
            out_ids = exclusions.ids(name)
            for task in tasks[name]:
                documents = _documents(task, seed=seed, held=held, excluded=out_ids)
                for text in draw(documents, rate=rates[name], seed=seed):
                    sample[name].documents += 1
                    sample[name].bytes += len(text.encode())
                    yield text

    tokenizer = train_tokenizer(texts(), out, vocabulary_size=vocabulary_size, min_frequency=min_frequency)
    return Trained(tokenizer, sample)


def _mixture(recipe: Recipe, name: str | None) -> Mixture | None:
    mixtures = recipe.root.mixtures
    if name is None:
        if len(mixtures) > 1:
            raise UsageError(
                f"{recipe.file}: has several mixtures; choose one with --mixture: {', '.join(mixtures)}"
            )
        return next(iter(mixtures.values()), None)
    if name not in mixtures:
        raise UsageError(f"{recipe.file}: no mixture `{name}`; there are {', '.join(mixtures) or 'none'}")
    return mixtures[name]


def _weights(mixture: Mixture | None, sizes: Mapping[str, int]) -> dict[str, Number]:
    """Shares of the sample: those of the mixture, with bytes of text in place of tokens."""
    filled = {name: max(size, 1) for name, size in sizes.items()}
    if mixture is None:
        return dict(filled)
    run = None if mixture.tokens is None else mixture.tokens * _TOKEN_BYTES
    return dict(solve_weights(mixture.weights, mixture.epochs, filled, samples=run).weights)


def _tasks(recipe: Recipe, workspace: Workspace, source: str) -> list[Task]:
    names = ["documents", "annotations", "duplicates"]
    if recipe.root.dedup.repeats is not None:
        names.append("repeats")
    if recipe.root.decontaminate is not None:
        names.append("contamination")
    paths = {name: part_paths(workspace, name, source) for name in names}
    if not paths["documents"] or len({len(found) for found in paths.values()}) != 1:
        raise UsageError(
            f"{workspace.root}: source `{source}` is not built so far; run `crawlmix build` with --until decontaminate"
        )
    edits = asdict(text_edits(recipe.root, source))
    return [
        {
            "tables": list(tables),
            "edits": edits,
            "contamination": paths["contamination"][index] if "contamination" in paths else None,
        }
        for index, tables in enumerate(zip(*(paths[name] for name in names), strict=True))
    ]


def _text_bytes(tasks: list[Task]) -> int:
    """Bytes of the surviving texts as extracted; what training sees is a little less."""
    total = 0
    for task in tasks:
        kept = surviving(task["tables"])
        with open_input(task["tables"][0]) as stream:
            file, first = pq.ParquetFile(pa.PythonFile(stream)), 0
            for group in range(file.num_row_groups):
                lengths = pc.binary_length(
                    file.read_row_group(group, columns=["text"])["text"].combine_chunks()
                )
                total += pc.sum(lengths.filter(kept.slice(first, len(lengths)))).as_py() or 0
                first += len(lengths)
    return total


def _documents(task: Task, *, seed: int, held: float, excluded: frozenset[str]) -> Iterator[tuple[str, str]]:
    for batch in survivors(task, lambda _records, _bytes: None):
        ids = batch.column("document_id").to_pylist()
        out = is_validation(ids, seed=seed, fraction=held) if held else np.zeros(len(ids), dtype=bool)
        for name, text, away in zip(ids, batch.column("text").to_pylist(), out, strict=True):
            if text and not away and name not in excluded:
                yield name, text

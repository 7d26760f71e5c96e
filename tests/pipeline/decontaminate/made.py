"""Indexes and documents that the tests make."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.decontaminate.benchmarks import Benchmark
from pipeline.decontaminate.build_index import write_index
from pipeline.decontaminate.counts import common_grams, count_documents
from pipeline.decontaminate.decide import Decision, decide
from pipeline.decontaminate.index import Index, open_index
from pipeline.decontaminate.run import text_lengths
from pipeline.decontaminate.scan import Hits, scan
from pipeline.decontaminate.settings import BenchmarkSettings, FilterSettings

CONSONANTS, VOWELS = "bcdfghklmnprstvz", "aeiou"


def made_words(count: int, seed: int = 0) -> list[str]:
    """Distinct-looking words of two to four syllables; the same seed gives the same."""
    random = np.random.default_rng(seed)
    return [
        "".join(
            CONSONANTS[random.integers(len(CONSONANTS))] + VOWELS[random.integers(5)]
            for _ in range(random.integers(2, 5))
        )
        for _ in range(count)
    ]


def prose(count: int, seed: int = 0) -> str:
    """Return words with a full stop after every twelve and a line end after every sixty."""
    words = made_words(count, seed)
    return "".join(
        word + ("\n\n" if i % 60 == 59 else ". " if i % 12 == 11 else " ") for i, word in enumerate(words)
    ).strip()


def make_index(
    folder: Path,
    examples: Mapping[str, Sequence[str]],
    settings: FilterSettings | None = None,
    by_name: Mapping[str, BenchmarkSettings] | None = None,
) -> Index:
    """Index benchmarks by name; ids are 0, 1, ..."""
    listed = [
        Benchmark(
            name,
            (by_name or {}).get(name, BenchmarkSettings()),
            [str(number) for number in range(len(texts))],
            pa.array(texts, pa.large_string()),
        )
        for name, texts in examples.items()
    ]
    write_index(listed, settings or FilterSettings(), str(folder), "made")
    return open_index(str(folder))


def judged(texts: Sequence[str], index: Index, settings: FilterSettings) -> tuple[Hits, Decision]:
    """Run the filter over some documents, which are all there are."""
    array = pa.array(texts, pa.large_string())
    hits = scan(array, index)
    common = common_grams(count_documents(hits, index), settings.max_documents)
    return hits, decide(hits, text_lengths(array), common, index, settings)


def results(texts: Sequence[str], decision: Decision) -> list[list[str] | None]:
    """Texts that stay of each document, as the reference gives them."""
    found: list[list[str] | None] = [
        None if gone else [text] for gone, text in zip(decision.removed, texts, strict=True)
    ]
    for row in sorted(set(decision.pieces.row.tolist())):
        found[row] = []
    for row, start, end in zip(*(column.tolist() for column in decision.pieces), strict=True):
        found[row].append(texts[row][start:end])
    return found

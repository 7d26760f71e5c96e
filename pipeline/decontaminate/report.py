"""The report: for each benchmark what was found, what was cut, and which examples are clean."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.decontaminate.counts import DocumentCounts, common_grams
from pipeline.decontaminate.index import Flags, Index, Numbers
from pipeline.decontaminate.settings import FilterSettings
from pipeline.decontaminate.statistics import PER_BENCHMARK, Statistics

_SHOWN = 10  # n-grams and examples that the report shows for each benchmark
_SHOWN_IGNORED = 100
_MANY = 0.5  # share of documents with matches above which a benchmark looks like training data
_ENOUGH_DOCUMENTS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """What is written about a filter run."""

    benchmarks: dict[str, Any]  # benchmarks.json
    clean_ids: dict[str, list[str]]  # by benchmark: examples of which nothing is left in what stays
    examples: list[dict[str, Any]]  # every example that was dirty before, one object each


def make_report(
    statistics: Statistics,
    counts: DocumentCounts,
    index: Index,
    settings: FilterSettings,
    *,
    preset: str = "",
) -> Report:
    """Put the report together.

    An example is dirty if one of its n-grams, n by the benchmark's `analysis_n`, is in some document: before the
    filter in any, after it in what stays. Clean are those that are long enough for one n-gram and not dirty after.

    Args:
        statistics: of all parts, merged.
        counts: documents of each n-gram of the filter, over all parts.
        index: that was scanned with.
        settings: of the filter.
        preset: its name, for the reader.
    """
    words = np.diff(index.example_words)
    number = index.example_benchmark
    before_share = _found_share(statistics.before, index)
    after_share = _found_share(statistics.after, index)
    dirty_before, dirty_after = before_share > 0, after_share > 0
    overlap = np.zeros(len(words), np.int64)
    overlap[statistics.overlaps.example] = statistics.overlaps.words
    judged = words >= np.array([item.analysis_n for item in index.benchmarks], np.int64)[number]
    protected = words >= np.array([item.n for item in index.benchmarks], np.int64)[number]
    ids = index.example_ids()
    common = common_grams(counts, settings.max_documents)
    frequent = _frequent(counts, index)

    described: dict[str, Any] = {}
    clean_ids: dict[str, list[str]] = {}
    for place, item in enumerate(index.benchmarks):
        mine = np.flatnonzero(number == place)
        clean = mine[judged[mine] & ~dirty_after[mine]]
        longest = mine[np.lexsort((mine, -overlap[mine]))][:_SHOWN]
        sums = dict.fromkeys(PER_BENCHMARK, 0)
        if len(statistics.by_benchmark):
            sums = dict(zip(PER_BENCHMARK, statistics.by_benchmark[place].tolist(), strict=True))
        described[item.name] = {
            "examples": item.examples,
            "n": item.n,
            "analysis_n": item.analysis_n,
            "unprotected": int(np.count_nonzero(~protected[mine])),
            "too_short_to_judge": int(np.count_nonzero(~judged[mine])),
            "dirty_before": int(np.count_nonzero(dirty_before[mine])),
            "dirty_after": int(np.count_nonzero(dirty_after[mine])),
            "clean": len(clean),
            "clean_percent": _percent(len(clean), int(np.count_nonzero(judged[mine]))),
            "documents_with_matches": sums["hit"],
            "documents_touched": sums["touched"],
            "documents_split": sums["split"],
            "documents_removed": sums["removed"],
            "characters_removed": sums["characters_removed"],
            "frequent_ngrams": frequent.get(place, []),
            "longest_overlaps": [
                {"id": ids[example], "words": int(overlap[example]), "of": int(words[example])}
                for example in longest.tolist()
                if overlap[example]
            ],
            "warnings": _warnings(item.name, item.warnings, sums["hit"], statistics.documents),
        }
        clean_ids[item.name] = [ids[example] for example in clean.tolist()]
    examples = [
        {
            "benchmark": index.benchmarks[number[example]].name,
            "id": ids[example],
            "words": int(words[example]),
            "longest_overlap": int(overlap[example]),
            "share_found": round(float(before_share[example]), 4),
            "share_left": round(float(after_share[example]), 4),
        }
        for example in np.flatnonzero(dirty_before).tolist()
    ]
    warnings = []
    if statistics.documents and not statistics.by_benchmark[:, 0].any():
        warnings.append(
            f"no n-gram of any benchmark was found in {statistics.documents:,} documents; check that documents and"
            " benchmarks are what you meant"
        )
    summary = {
        "preset": preset,
        "settings": settings.to_dict(),
        "index": index.fingerprint,
        "documents": _documents(statistics),
        "characters": {
            "in": statistics.characters,
            "removed": statistics.characters_removed,
            "out": statistics.characters - statistics.characters_removed,
        },
        "benchmarks": described,
        "ignored_ngrams": {
            "count": len(common),
            "most_frequent": [
                {"ngram": index.gram_text(gram), "documents": documents}
                for gram, documents in _top(counts, common, _SHOWN_IGNORED)
            ],
        },
        "warnings": warnings,
    }
    return Report(summary, clean_ids, examples)


def _documents(statistics: Statistics) -> dict[str, Any]:
    removed = sum(statistics.removed.values())
    untouched = statistics.untouched + statistics.tagged
    return {
        "in": statistics.documents,
        "kept": untouched,
        "tagged": statistics.tagged,
        "split": statistics.split,
        "removed": removed,
        "removed_by_rule": statistics.removed,
        "pieces": statistics.pieces,
        "out": untouched + statistics.pieces,
    }


def _found_share(grams: Numbers, index: Index) -> np.ndarray:
    """Share of each example's n-grams, n of the analysis, that are among these: (examples,)."""
    place, words = index.postings(grams)
    example = index.examples_at(words)
    n = np.array([item.analysis_n for item in index.benchmarks], np.int64)[index.example_benchmark]
    own: Flags = index.sizes(grams)[place] == n[example]
    found = np.bincount(example[own], minlength=len(n))
    possible = np.maximum(np.diff(index.example_words) - n + 1, 1)
    return found / possible


def _frequent(counts: DocumentCounts, index: Index) -> dict[int, list[dict[str, Any]]]:
    """For each benchmark the n-grams of the filter that most documents hold."""
    order = np.lexsort((counts.grams, -counts.documents))
    found: dict[int, list[dict[str, Any]]] = {}
    left = Counter(dict.fromkeys(range(len(index.benchmarks)), _SHOWN))
    for begin in range(0, len(order), 1024):
        if not any(left.values()):
            break
        some = order[begin : begin + 1024]
        place, words = index.postings(counts.grams[some])
        benchmark = index.example_benchmark[index.examples_at(words)]
        acted = (
            np.array([item.n for item in index.benchmarks])[benchmark]
            == index.sizes(counts.grams[some])[place]
        )
        pairs = sorted(set(zip(place[acted].tolist(), benchmark[acted].tolist(), strict=True)))
        for row, number in pairs:
            if left[number]:
                left[number] -= 1
                gram = int(counts.grams[some[row]])
                documents = int(counts.documents[some[row]])
                found.setdefault(number, []).append({"ngram": index.gram_text(gram), "documents": documents})
    return found


def _top(counts: DocumentCounts, chosen: Numbers, number: int) -> list[tuple[int, int]]:
    rows = np.searchsorted(counts.grams, chosen)
    order = np.lexsort((chosen, -counts.documents[rows]))[:number]
    return list(zip(chosen[order].tolist(), counts.documents[rows][order].tolist(), strict=True))


def _warnings(name: str, known: list[str], hit: int, documents: int) -> list[str]:
    found = list(known)
    if documents >= _ENOUGH_DOCUMENTS and hit > _MANY * documents:
        found.append(
            f"{hit:,} of {documents:,} documents hold n-grams of {name}: is it training data, or text that the"
            " documents share?"
        )
    return found


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None

"""What becomes of the documents of a part: spans that are cut, pieces that stay, fates."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.decontaminate.cut import Cut, Spans, cut, merged
from pipeline.decontaminate.index import Flags, Index, Numbers
from pipeline.decontaminate.scan import NO_HITS, Hits
from pipeline.decontaminate.settings import FilterSettings
from text.distinct import distinct

SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64())])
CONTAMINATION = pa.schema(
    [
        (
            "spans",
            pa.list_(SPAN),
        ),  # characters that are cut; in modes that do not cut, the matches; null without any
        (
            "pieces",
            pa.list_(SPAN),
        ),  # characters that stay, in order; none where removed, null where the text stays whole
        ("benchmarks", pa.list_(pa.string())),  # whose n-grams were found, sorted; null without any
        ("fate", pa.string()),  # `kept` or `removed`
        ("rule", pa.string()),  # `contaminated`, `too_many_pieces` or `no_piece_left`; null where kept
        ("detail", pa.string()),
    ]
)


class Decision(NamedTuple):
    """What becomes of n documents."""

    hits: Hits  # those that count: n-grams of the filter that are not common
    touched: Flags  # (n,)
    removed: Flags  # (n,)
    rules: list[str | None]  # n
    spans: Spans  # as the column `spans`
    pieces: Spans  # of documents that were cut and not removed


def decide(hits: Hits, lengths: Numbers, common: Numbers, index: Index, settings: FilterSettings) -> Decision:
    """Judge n documents.

    Args:
        hits: all hits of a scan of these documents.
        lengths: (n,) characters of each.
        common: n-grams to ignore, rising, from `common_grams` over everything that is scanned.
        index: that was scanned with.
        settings: the rule.
    """
    counted = hits.take(index.is_filtered(hits.gram) & ~_is_in(hits.gram, common))
    if settings.mode == "ratio":
        counted = _much_of_an_example(counted, index, settings.min_ratio)
    found = cut(
        counted,
        lengths,
        window_chars=settings.window_chars,
        min_piece_chars=settings.min_piece_chars,
        max_pieces=settings.max_pieces,
    )
    if settings.mode == "split":
        return _split(counted, found)
    return _whole(counted, found.touched, removes=settings.mode != "tag")


def contamination_columns(decision: Decision, index: Index) -> pa.RecordBatch:
    """Return n rows of `CONTAMINATION`."""
    rows = len(decision.touched)
    names = benchmarks_of(decision.hits, index)
    changed = decision.removed | _has(decision.pieces, rows)
    columns = [
        _lists(decision.spans, rows, shown=decision.touched),
        _lists(decision.pieces, rows, shown=changed),
        pa.array([names.get(row) for row in range(rows)], pa.list_(pa.string())),
        pa.array(["removed" if gone else "kept" for gone in decision.removed.tolist()], pa.string()),
        pa.array(decision.rules, pa.string()),
        pa.array(_details(decision, rows), pa.string()),
    ]
    return pa.record_batch(columns, schema=CONTAMINATION)


def benchmarks_of(hits: Hits, index: Index) -> dict[int, list[str]]:
    """Names of the benchmarks whose n-grams each row holds; rows without any are left out."""
    rows, numbers = row_benchmarks(hits, index)
    found: dict[int, list[str]] = {}
    for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
        found.setdefault(row, []).append(index.benchmarks[number].name)
    return {row: sorted(names) for row, names in found.items()}


def row_benchmarks(hits: Hits, index: Index) -> tuple[Numbers, Numbers]:
    """Distinct pairs of a row and the number of a benchmark that it holds n-grams of: (p,), (p,)."""
    grams = distinct(hits.gram)
    place, words = index.postings(grams)
    benchmark = index.example_benchmark[index.examples_at(words)]
    count = len(index.benchmarks)
    known = distinct(place * count + benchmark)  # pairs of n-gram and benchmark
    begins = np.searchsorted(known, np.arange(len(grams) + 1) * count)
    which = np.searchsorted(grams, hits.gram)
    sizes = begins[which + 1] - begins[which]
    inner = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = known[np.repeat(begins[which], sizes) + inner] % count
    pairs = distinct(np.repeat(hits.row, sizes) * count + found)
    return pairs // count, pairs % count


def _split(hits: Hits, found: Cut) -> Decision:
    rows = len(found.touched)
    nothing_left = found.touched & ~found.too_many & ~_has(found.pieces, rows)
    rules: list[str | None] = [None] * rows
    for row in np.flatnonzero(found.too_many).tolist():
        rules[row] = "too_many_pieces"
    for row in np.flatnonzero(nothing_left).tolist():
        rules[row] = "no_piece_left"
    return Decision(hits, found.touched, found.too_many | nothing_left, rules, found.windows, found.pieces)


def _whole(hits: Hits, touched: Flags, *, removes: bool) -> Decision:
    rules: list[str | None] = ["contaminated" if removes and one else None for one in touched.tolist()]
    removed = touched if removes else np.zeros_like(touched)
    none = np.zeros(0, np.int64)
    return Decision(
        hits, touched, removed, rules, merged(hits.row, hits.start, hits.end), Spans(none, none, none)
    )


def _much_of_an_example(hits: Hits, index: Index, min_ratio: float) -> Hits:
    """Hits on examples of which one document holds at least this share of the distinct n-grams."""
    if not len(hits.row):
        return NO_HITS
    chosen = []
    begins = np.concatenate([[0], np.flatnonzero(hits.row[1:] != hits.row[:-1]) + 1, [len(hits.row)]])
    for begin, stop in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
        grams = distinct(hits.gram[begin:stop])
        place, words = index.postings(grams)
        example = index.examples_at(words)
        n = index.sizes(grams)[place]
        own = np.array([item.n for item in index.benchmarks])[index.example_benchmark[example]] == n
        place, words, example, n = place[own], words[own], example[own], n[own]
        possible = index.example_words[example + 1] - index.example_words[example] - n + 1
        numbers, first = np.unique(example, return_index=True)
        # Repeated n-grams of an example count at each of their places, on both sides of the share.
        share = np.bincount(np.searchsorted(numbers, example)) / possible[first]
        enough = np.isin(example, numbers[share >= min_ratio])
        wanted = distinct(grams[place[enough]])
        chosen.append(begin + np.flatnonzero(_is_in(hits.gram[begin:stop], wanted)))
    return hits.take(np.concatenate(chosen))


def _details(decision: Decision, rows: int) -> list[str | None]:
    spans = np.bincount(decision.spans.row, minlength=rows)
    characters = np.bincount(decision.spans.row, weights=decision.spans.sizes, minlength=rows).astype(
        np.int64
    )
    pieces = np.bincount(decision.pieces.row, minlength=rows)
    found: list[str | None] = [None] * rows
    for row in np.flatnonzero(decision.touched).tolist():
        found[row] = f"{spans[row]} spans of {characters[row]} characters"
        if pieces[row]:
            found[row] = f"{found[row]} cut, {pieces[row]} pieces stay"
    return found


def _lists(spans: Spans, rows: int, *, shown: Flags) -> pa.ListArray:
    counts = np.bincount(spans.row, minlength=rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    values = pa.StructArray.from_arrays([pa.array(spans.start), pa.array(spans.end)], fields=list(SPAN))
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(~shown))


def _has(spans: Spans, rows: int) -> Flags:
    found = np.zeros(rows, bool)
    found[spans.row] = True
    return found


def _is_in(values: Numbers, sorted_set: Numbers) -> Flags:
    if not len(sorted_set):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(sorted_set, values), len(sorted_set) - 1)
    found: Flags = sorted_set[place] == values
    return found

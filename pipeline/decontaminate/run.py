"""`crawlmix decontaminate` without a recipe: two passes over documents of one's own.

The first pass scans, and spills the hits; the second reads the documents again and cuts. Between them it is known in
how many documents each n-gram was found. Memory holds one batch of documents and the index.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decontaminate.benchmarks import find_benchmarks
from pipeline.decontaminate.build_index import ensure_index
from pipeline.decontaminate.counts import add_counts, common_grams, count_documents
from pipeline.decontaminate.decide import Decision, benchmarks_of, decide
from pipeline.decontaminate.documents import Batch, DocumentWriter, Failures, read_batches
from pipeline.decontaminate.harness_tasks import export_tasks
from pipeline.decontaminate.html_page import report_page
from pipeline.decontaminate.index import Index, Numbers
from pipeline.decontaminate.report import make_report
from pipeline.decontaminate.scan import Hits, scan
from pipeline.decontaminate.settings import BenchmarkSettings, FilterSettings
from pipeline.decontaminate.statistics import Statistics, merge_statistics, part_statistics
from pipeline.errors import CrawlmixError
from pipeline.progress import Progress
from pipeline.storage.globs import expand
from pipeline.storage.paths import join
from pipeline.storage.publish import publish, write_json, write_text

_MERGED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What the command is asked to do."""

    documents: tuple[str, ...]
    benchmarks: tuple[str, ...]
    out: str
    base: str  # relative paths start here
    settings: FilterSettings
    preset: str
    benchmark_settings: dict[str, BenchmarkSettings]
    template: str | None = None  # of benchmarks that `benchmark_settings` does not name
    text_field: str = "text"
    index: str | None = None  # folder of indexes; None: in `out`
    tasks: tuple[str, ...] = ()  # names in lm-evaluation-harness, beside `benchmarks`


def decontaminate(request: Request, progress: Progress) -> dict[str, Any]:
    """Write `documents.jsonl.gz`, `benchmarks.json`, `clean_ids.json`, `examples.jsonl.gz` and `report.html`.

    Returns:
        The contents of `benchmarks.json`.

    Raises:
        UsageError: paths, settings or a benchmark are wrong.
        CrawlmixError: no document could be read.
    """
    files = expand(request.documents, request.base)
    kept = request.index or join(request.out, "index")
    exported = export_tasks(request.tasks, join(kept, "tasks")) if request.tasks else []
    default = BenchmarkSettings(template=request.template)
    found = find_benchmarks(
        [*request.benchmarks, *exported], request.base, request.benchmark_settings, default
    )
    index = ensure_index(found, request.settings, kept)
    progress.say(f"{len(index.benchmarks)} benchmarks, {index.grams:,} n-grams")

    failures = Failures()
    with tempfile.TemporaryFile() as spilled:
        counts = add_counts(_scanned(files, request, index, failures, spilled, progress))
        if failures.count:
            progress.say(f"{failures.count:,} rows are no documents; the first: {failures.first[0]}")
        common = common_grams(counts, request.settings.max_documents)
        spilled.seek(0)
        with publish(join(request.out, "documents.jsonl.gz")) as temporary, temporary.open("wb") as stream:
            writer = DocumentWriter(stream)
            statistics = _merged(_written(files, request, index, common, spilled, writer, progress))
            writer.close()
            if not statistics.documents:
                first = (
                    f"; the first of {failures.count:,} failures: {failures.first[0]}"
                    if failures.first
                    else ""
                )
                raise CrawlmixError(f"{', '.join(request.documents)}: no document could be read{first}")
    progress.end()
    report = make_report(statistics, counts, index, request.settings, preset=request.preset)
    summary = report.benchmarks
    summary["documents"]["in"] += failures.count
    summary["documents"]["failed"] = failures.count
    if failures.count:
        summary["warnings"].append(f"{failures.count:,} rows are no documents")
    if failures.replaced:
        summary["warnings"].append(f"{failures.replaced:,} documents held invalid UTF-8, now U+FFFD")
    summary["failures"] = failures.first
    with publish(join(request.out, "examples.jsonl.gz")) as temporary, temporary.open("wb") as stream:
        writer = DocumentWriter(stream)
        for example in report.examples:
            writer.write(example)
        writer.close()
    write_json(join(request.out, "clean_ids.json"), report.clean_ids)
    write_text(join(request.out, "report.html"), report_page(summary))
    write_json(join(request.out, "benchmarks.json"), summary)
    return summary


def pieces_of(
    batch: Batch, decision: Decision, names: dict[int, list[str]], *, tag: bool
) -> Iterator[dict[str, Any]]:
    """Yield what stays of a batch: `id`, `parent`, `text`, then the fields that the documents brought.

    A document that stays whole is its own parent. Pieces are numbered from 0 in their order, among those that stay.
    """
    spans = _by_row(decision.pieces.row, decision.pieces.start, decision.pieces.end)
    matches = _by_row(decision.spans.row, decision.spans.start, decision.spans.end)
    texts = batch.texts.to_pylist()
    for row, (document, text, others) in enumerate(zip(batch.ids, texts, batch.others, strict=True)):
        if decision.removed[row]:
            continue
        if row in spans:
            for number, (start, end) in enumerate(spans[row]):
                yield {"id": f"{document}#{number}", "parent": document, "text": text[start:end], **others}
            continue
        whole = {"id": document, "parent": document, "text": text, **others}
        if tag and row in matches:
            whole["contamination"] = {
                "benchmarks": names.get(row, []),
                "spans": [{"start": start, "end": end} for start, end in matches[row]],
            }
        yield whole


def text_lengths(texts: pa.Array) -> Numbers:
    """Characters of each text: (n,); null has none."""
    lengths: Numbers = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _scanned(
    files: Sequence[str],
    request: Request,
    index: Index,
    failures: Failures,
    spilled: IO[bytes],
    progress: Progress,
) -> Iterator[Any]:
    progress.begin("scan", 1)
    for batch in read_batches(files, request.text_field, failures):
        progress.add(len(batch.ids), batch.texts.nbytes)
        hits = scan(batch.texts, index)
        np.save(spilled, np.stack(hits), allow_pickle=False)
        yield count_documents(hits, index)


def _written(
    files: Sequence[str],
    request: Request,
    index: Index,
    common: Numbers,
    spilled: IO[bytes],
    writer: DocumentWriter,
    progress: Progress,
) -> Iterator[Statistics]:
    tag = request.settings.mode == "tag"
    progress.begin("cut", 1)
    for batch in read_batches(files, request.text_field, Failures()):
        progress.add(len(batch.ids), batch.texts.nbytes)
        hits = Hits(*np.load(spilled, allow_pickle=False))
        lengths = text_lengths(batch.texts)
        if len(hits.end) and (hits.row.max() >= len(lengths) or np.any(hits.end > lengths[hits.row])):
            raise CrawlmixError("the documents changed while they were read; start again")
        decision = decide(hits, lengths, common, index, request.settings)
        names = benchmarks_of(decision.hits, index) if tag else {}
        for document in pieces_of(batch, decision, names, tag=tag):
            writer.write(document)
        yield part_statistics(hits, lengths, decision, index)


def _merged(parts: Iterator[Statistics]) -> Statistics:
    """Merge as they come, so that memory does not grow with the number of batches."""
    held: list[Statistics] = []
    for part in parts:
        held.append(part)
        if len(held) == _MERGED_AT_ONCE:
            held = [merge_statistics(held)]
    return merge_statistics(held)


def _by_row(rows: Numbers, starts: Numbers, ends: Numbers) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        found.setdefault(row, []).append((start, end))
    return found

"""Making an index of benchmark n-grams: words, hashes, postings, bitmaps, written once per fingerprint."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decontaminate.benchmarks import Benchmark, BenchmarkFiles, files_digest, read_benchmark
from pipeline.decontaminate.bitmap import make_bitmap
from pipeline.decontaminate.fold import FOLD_VERSION, fold
from pipeline.decontaminate.index import (
    EXAMPLES,
    INDEX_VERSION,
    Index,
    IndexedBenchmark,
    Numbers,
    bucket_bits,
    group_sizes,
    open_index,
)
from pipeline.decontaminate.settings import FilterSettings
from pipeline.errors import UsageError
from pipeline.storage.paths import join
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import exists
from text.buffers import Bytes, Hashes, text_buffer
from text.distinct import distinct, run_starts
from text.hashes import HASH_VERSION, gram_hashes
from text.words import WordRule, Words, word_batches

_FOLD_BYTES = 1 << 22
_HASHED_WORDS = 1 << 20
_LARGEST_ANALYSIS_N, _SMALLEST_ANALYSIS_N, _SMALLEST_SYNTHETIC_N = 13, 8, 2
_SMALL = np.array([byte + 32 if 65 <= byte <= 90 else byte for byte in range(256)], np.uint8)


@dataclass(frozen=True, slots=True)
class Example:
    """Words of all examples of all benchmarks, one after the other."""

    text: Bytes
    word_starts: Numbers  # (words + 1,)
    example_words: Numbers  # (examples + 1,)


def ensure_index(benchmarks: Sequence[BenchmarkFiles], settings: FilterSettings, folder: str) -> Index:
    """Open the index of these benchmarks, after building it if it is not there.

    Args:
        benchmarks: from `find_benchmarks`.
        settings: of which n, analysis and what a word is matter here.
        folder: holds one folder for each fingerprint.

    Raises:
        UsageError: a benchmark cannot be read, or none of them has an example.
    """
    fingerprint = index_fingerprint(files_digest(benchmarks), settings)
    place = join(folder, fingerprint[:16])
    if not exists(join(place, "index.json")):
        write_index([read_benchmark(item) for item in benchmarks], settings, place, fingerprint)
    return open_index(place)


def index_fingerprint(digest: str, settings: FilterSettings) -> str:
    """Hash what an index depends on: benchmarks, n, and the versions of everything that makes the keys."""
    parts = [digest, settings.ngram, settings.analysis, settings.characters]
    versions = [INDEX_VERSION, HASH_VERSION, FOLD_VERSION]
    return sha256(repr((parts, versions)).encode()).hexdigest()


def analysis_n(words: Numbers, *, synthetic: bool) -> int:
    """Return N of the overlap analysis: the 5th percentile of example words, clipped to 8..13 (2..13 if synthetic).

    Source: Brown et al. 2020, appendix C. An empty set gives the lower end.
    """
    low = _SMALLEST_SYNTHETIC_N if synthetic else _SMALLEST_ANALYSIS_N
    if not len(words):
        return low
    return int(np.clip(np.floor(np.percentile(words, 5)), low, _LARGEST_ANALYSIS_N))


def write_index(
    benchmarks: Sequence[Benchmark], settings: FilterSettings, folder: str, fingerprint: str
) -> None:
    """Write an index; `index.json` comes last, so a folder that has it is whole.

    Raises:
        UsageError: there is no example at all.
    """
    if not any(len(benchmark.ids) for benchmark in benchmarks):
        names = ", ".join(benchmark.name for benchmark in benchmarks)
        raise UsageError(f"benchmarks: none of {names} has an example")
    rule = WordRule(underscore=False, characters=settings.characters)
    examples = _examples([benchmark.texts for benchmark in benchmarks], rule)
    counts = np.diff(examples.example_words)
    numbers = np.repeat(np.arange(len(benchmarks)), [len(benchmark.ids) for benchmark in benchmarks])
    described = [
        _described(benchmark, counts[numbers == number], settings)
        for number, benchmark in enumerate(benchmarks)
    ]
    filter_n = np.array([item.n for item in described])[numbers]
    other_n = np.array([item.analysis_n for item in described])[numbers] if settings.analysis else filter_n
    sizes = sorted({int(n) for n in np.concatenate([filter_n, other_n])})

    _save(folder, "text.npy", examples.text)
    _save(folder, "word_starts.npy", examples.word_starts)
    _save(folder, "example_words.npy", examples.example_words)
    ids = [item for benchmark in benchmarks for item in benchmark.ids]
    with publish(join(folder, "examples.parquet")) as temporary:
        pq.write_table(pa.table([pa.array(numbers, pa.int32()), ids, counts], schema=EXAMPLES), temporary)
    grams = 0
    for anchor, members in group_sizes(sizes).items():
        anchors = []
        for n in members:
            used = (filter_n == n) | (other_n == n)
            keys, starts, postings = _table(examples, used, n)
            posted = np.searchsorted(examples.example_words, postings, side="right") - 1
            acted = (filter_n == n)[posted].astype(np.uint8)
            _save(folder, f"keys-{n}.npy", keys)
            _save(folder, f"buckets-{n}.npy", _buckets(keys))
            _save(folder, f"first-{n}.npy", starts)
            _save(folder, f"postings-{n}.npy", postings)
            _save(folder, f"filter-{n}.npy", np.maximum.reduceat(acted, starts[:-1]) if len(keys) else acted)
            grams += len(keys)
            anchors.append(keys if n == anchor else _anchors(examples, postings, anchor))
        _save(folder, f"bitmap-{anchor}.npy", make_bitmap(np.concatenate(anchors)))
    metadata = {
        "version": INDEX_VERSION,
        "fingerprint": fingerprint,
        "hashes": HASH_VERSION,
        "form": FOLD_VERSION,
        "characters": settings.characters,
        "tables": sizes,
        "grams": grams,
        "benchmarks": [asdict(item) for item in described],
    }
    write_json(join(folder, "index.json"), metadata)


def _described(benchmark: Benchmark, words: Numbers, settings: FilterSettings) -> IndexedBenchmark:
    given = benchmark.settings
    n = given.n or settings.ngram
    warnings = list(benchmark.warnings)
    if wordless := int(np.count_nonzero(words == 0)):
        warnings.append(f"{wordless:,} of {len(words):,} examples have no words")
    return IndexedBenchmark(
        name=benchmark.name,
        examples=len(benchmark.ids),
        words=int(words.sum()),
        n=n,
        analysis_n=given.analysis_n or analysis_n(words, synthetic=given.synthetic)
        if settings.analysis
        else n,
        synthetic=given.synthetic,
        warnings=warnings,
    )


def _examples(texts: Iterable[pa.Array], rule: WordRule) -> Example:
    """Fold all texts and write their words down, in small letters, each with a space after it."""
    pieces: list[Bytes] = []
    sizes: list[Numbers] = []
    counts: list[Numbers] = []
    for array in texts:
        for part in _parts(array):
            folded = fold(text_buffer(part)).texts
            found = np.zeros(folded.rows, np.int64)
            for batch in word_batches(folded, overlap=0, rule=rule):
                words = batch.words
                found[batch.first_row : batch.first_row + len(words.counts)] += words.counts
                lengths = words.ends - words.starts
                pieces.append(_written(words, lengths))
                sizes.append(lengths + 1)
            counts.append(found)
    none = np.zeros(0, np.int64)
    return Example(
        np.concatenate([np.zeros(0, np.uint8), *pieces]),
        np.concatenate([[0], np.cumsum(np.concatenate([none, *sizes]))]),
        np.concatenate([[0], np.cumsum(np.concatenate([none, *counts]))]),
    )


def _written(words: Words, lengths: Numbers) -> Bytes:
    """Words one after the other, a space after each."""
    total = int(lengths.sum()) + len(lengths)
    written = np.full(total, 0x20, np.uint8)
    begins = np.cumsum(lengths + 1) - (lengths + 1)
    inner = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    written[np.repeat(begins, lengths) + inner] = _SMALL[words.data[np.repeat(words.starts, lengths) + inner]]
    return written


def _parts(texts: pa.Array) -> Iterator[pa.Array]:
    """Slices of a few MiB: folding copies."""
    ends = text_buffer(texts).ends
    row = 0
    while row < len(texts):
        before = int(ends[row - 1]) if row else 0
        stop = max(row + 1, int(np.searchsorted(ends, before + _FOLD_BYTES, side="right")))
        yield texts.slice(row, stop - row)
        row = stop


def _table(examples: Example, used: np.ndarray, n: int) -> tuple[Hashes, Numbers, Numbers]:
    """Keys, where their postings begin, and the postings of the n-grams of the examples in use."""
    hashes: list[Hashes] = [np.zeros(0, np.uint64)]
    places: list[Numbers] = [np.zeros(0, np.int64)]
    borders = examples.example_words
    first = 0
    while first < len(used):
        stop = max(first + 1, int(np.searchsorted(borders, borders[first] + _HASHED_WORDS, side="right")) - 1)
        stop = min(stop, len(used))
        begin, end = int(borders[first]), int(borders[stop])
        starts = examples.word_starts[begin : end + 1]
        words = Words(examples.text, starts[:-1], starts[1:] - 1, borders[first : stop + 1] - begin)
        grams = gram_hashes(words, n, whole_if_shorter=False)
        wanted = np.repeat(used[first:stop], np.diff(grams.borders))
        hashes.append(grams.hashes[wanted])
        places.append(grams.first_words[wanted] + begin)
        first = stop
    all_hashes, all_places = np.concatenate(hashes), np.concatenate(places)
    del hashes, places
    order = np.argsort(all_hashes, kind="stable")
    all_hashes = all_hashes[order]
    begins = run_starts(all_hashes)
    return all_hashes[begins], np.append(begins, len(order)), all_places[order]


def _buckets(keys: Hashes) -> Any:
    bits = bucket_bits(len(keys))
    if len(keys) >= 1 << 32:
        raise UsageError(f"benchmarks: {len(keys):,} n-grams; an index holds fewer than {1 << 32:,}")
    borders = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    begins = np.concatenate([[0], np.searchsorted(keys, borders), [len(keys)]])
    return begins.astype(np.uint32)


def _anchors(examples: Example, postings: Numbers, anchor: int) -> Hashes:
    """Hashes of the first `anchor` words of n-grams that begin at these words."""
    found: list[Hashes] = [np.zeros(0, np.uint64)]
    places = distinct(postings)
    for begin in range(0, len(places), _HASHED_WORDS):
        some = places[begin : begin + _HASHED_WORDS]
        first, stop = int(some[0]), int(some[-1]) + anchor
        starts = examples.word_starts[first : stop + 1]
        words = Words(examples.text, starts[:-1], starts[1:] - 1, np.array([0, stop - first]))
        found.append(gram_hashes(words, anchor).hashes[some - first])
    return np.concatenate(found)


def _save(folder: str, name: str, array: Any) -> None:
    with publish(join(folder, name)) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)

"""The index of benchmark n-grams: what a scan looks words up in.

A folder of plain arrays, memory-mapped, named after its fingerprint, with `index.json` written last:

- `text.npy`: the words of all examples in common form, in small letters, each followed by a space (uint8);
  `word_starts.npy`: (words + 1,) where each begins; `example_words.npy`: (examples + 1,) each example's first word;
- `examples.parquet`: benchmark (a number) and id of each example;
- for each n in use `keys-n.npy`: sorted distinct hashes (uint64); `postings-n.npy`: for each key the words at which
  it begins, `first-n.npy`: (keys + 1,) where the key's postings begin; `filter-n.npy`: whether the filter acts on it;
  `buckets-n.npy`: where the keys with each value of their top bits begin;
- for each group of n `bitmap-m.npy`: the hashes of the first m words of the group's n-grams, m its smallest n. A
  text is looked up once for the whole group: what matches n words also matches their first m.

An n-gram's number is its place among the keys of its n plus the number of keys of all smaller n.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decontaminate.bitmap import Bitmap
from pipeline.errors import CrawlmixError
from pipeline.storage.cache import local_folder
from pipeline.storage.paths import join, local_path
from pipeline.storage.reading import open_input, read_bytes
from text.buffers import Bytes, Hashes
from text.words import WordRule

INDEX_VERSION = 2
MAX_METADATA_BYTES = 64 << 20
SMALLEST_SHARED_N = (
    8  # n-grams of so many words and more share one look-up; shorter ones would let everything through
)

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class IndexedBenchmark:
    """A benchmark as the index knows it."""

    name: str
    examples: int
    words: int
    n: int  # of the filter
    analysis_n: int  # of the report
    synthetic: bool
    warnings: list[str]


@dataclass(frozen=True)
class Table:
    """The n-grams of one n."""

    n: int
    offset: int  # the number of the first
    keys: Hashes  # (k,) sorted
    first: Numbers  # (k + 1,) into `postings`
    postings: Numbers  # words
    filtered: npt.NDArray[np.uint8]  # (k,) 1 where the filter acts on the n-gram
    buckets: npt.NDArray[np.uint32]  # (2^b + 1,) where the keys of each value of their top b bits begin

    def find(self, hashes: Hashes) -> tuple[Numbers, Numbers]:
        """Look hashes up: places of those that are keys, rising, and where among the keys each stands.

        A key's top bits lead to a bucket of about one key, at a quarter of the time of a search through all.
        """
        bucket = (hashes >> np.uint64(64 - bucket_bits(len(self.keys)))).astype(np.int64)
        place = self.buckets[bucket].astype(np.int64)
        left = np.flatnonzero(place < self.buckets[bucket + 1])
        known, found = [], []
        while len(left):
            key = self.keys[place[left]]
            equal = key == hashes[left]
            known.append(left[equal])
            found.append(place[left[equal]])
            left = left[key < hashes[left]]
            place[left] += 1
            left = left[place[left] < self.buckets[bucket[left] + 1]]
        none = np.zeros(0, np.int64)
        rows, keys = np.concatenate([none, *known]), np.concatenate([none, *found])
        order = np.argsort(rows)
        return rows[order], keys[order]


@dataclass(frozen=True)
class Group:
    """Tables that one look-up serves."""

    anchor: int  # words
    bitmap: Bitmap
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Index:
    """An open index; arrays are memory-mapped, of a remote folder in a copy."""

    folder: str
    fingerprint: str
    benchmarks: tuple[IndexedBenchmark, ...]
    characters: bool  # each character of a script without spaces is a word
    groups: tuple[Group, ...]
    text: Bytes
    word_starts: Numbers  # (words + 1,)
    example_words: Numbers  # (examples + 1,)
    example_benchmark: Numbers  # (examples,)

    @property
    def tables(self) -> list[Table]:
        """All tables by n."""
        return sorted((table for group in self.groups for table in group.tables), key=lambda table: table.n)

    @property
    def grams(self) -> int:
        """How many distinct n-grams there are, over all n."""
        return sum(len(table.keys) for table in self.tables)

    @property
    def rule(self) -> WordRule:
        """What a word is."""
        return WordRule(underscore=False, characters=self.characters)

    @cached_property
    def _offsets(self) -> Numbers:
        return np.array([table.offset for table in self.tables], np.int64)

    def table_of(self, grams: Numbers) -> Numbers:
        """Which of `tables` holds each n-gram: (k,)."""
        return np.searchsorted(self._offsets, grams, side="right") - 1

    def sizes(self, grams: Numbers) -> Numbers:
        """Words of each n-gram: (k,)."""
        return np.array([table.n for table in self.tables], np.int64)[self.table_of(grams)]

    def is_filtered(self, grams: Numbers) -> Flags:
        """Whether the filter acts on each n-gram: (k,)."""
        found = np.zeros(len(grams), bool)
        for rows, table in self._by_table(grams):
            found[rows] = table.filtered[grams[rows] - table.offset] != 0
        return found

    def postings(self, grams: Numbers) -> tuple[Numbers, Numbers]:
        """All places of each n-gram: rows of `grams`, and the words of the examples at which it begins.

        Both are (total,); rows need not rise.
        """
        rows_found, words_found = [], []
        for rows, table in self._by_table(grams):
            key = grams[rows] - table.offset
            first, counts = table.first[key], table.first[key + 1] - table.first[key]
            inner = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            rows_found.append(np.repeat(rows, counts))
            words_found.append(np.asarray(table.postings[np.repeat(first, counts) + inner]))
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *rows_found]), np.concatenate([none, *words_found])

    def first_words(self, grams: Numbers) -> Numbers:
        """One place of each n-gram: the words at which it begins, (k,)."""
        found = np.zeros(len(grams), np.int64)
        for rows, table in self._by_table(grams):
            found[rows] = table.postings[table.first[grams[rows] - table.offset]]
        return found

    def examples_at(self, words: Numbers) -> Numbers:
        """Numbers of the examples that hold these words: (k,)."""
        return np.searchsorted(self.example_words, words, side="right") - 1

    def gram_text(self, gram: int) -> str:
        """Return the words of an n-gram, one space between them."""
        grams = np.array([gram])
        word, n = int(self.first_words(grams)[0]), int(self.sizes(grams)[0])
        span = self.text[self.word_starts[word] : self.word_starts[word + n] - 1]
        return span.tobytes().decode("utf-8", "replace")

    def example_ids(self) -> list[str]:
        """Ids of all examples, in their order."""
        with open_input(join(self.folder, "examples.parquet")) as stream:
            ids: list[str] = pq.read_table(stream, columns=["id"])["id"].to_pylist()
        return ids

    def _by_table(self, grams: Numbers) -> list[tuple[Numbers, Table]]:
        which = self.table_of(grams)
        return [
            (rows, table)
            for number, table in enumerate(self.tables)
            if len(rows := np.flatnonzero(which == number))
        ]


def open_index(folder: str) -> Index:
    """Open a folder that `build_index` wrote; a remote one is copied to this machine once.

    Raises:
        CrawlmixError: it is no index, of another version, or damaged.
    """
    folder = str(local_folder(folder))
    place = join(folder, "index.json")
    try:
        metadata: dict[str, Any] = json.loads(read_bytes(place, MAX_METADATA_BYTES))
    except ValueError as error:
        raise CrawlmixError(
            f"{place}: is damaged ({error}); delete the folder and it is built again"
        ) from error
    if metadata.get("version") != INDEX_VERSION:
        found = metadata.get("version")
        raise CrawlmixError(
            f"{place}: is of version {found}, expected {INDEX_VERSION}; delete the folder and it is built again"
        )
    offset = 0
    tables: dict[int, Table] = {}
    for n in sorted(metadata["tables"]):
        keys = _load(folder, f"keys-{n}.npy")
        first, postings = _load(folder, f"first-{n}.npy"), _load(folder, f"postings-{n}.npy")
        tables[n] = Table(
            n,
            offset,
            keys,
            first,
            postings,
            _load(folder, f"filter-{n}.npy"),
            _load(folder, f"buckets-{n}.npy"),
        )
        offset += len(keys)
    groups = tuple(
        Group(anchor, _load(folder, f"bitmap-{anchor}.npy"), tuple(tables[n] for n in members))
        for anchor, members in group_sizes(list(tables)).items()
    )
    with open_input(join(folder, "examples.parquet")) as stream:
        numbers = pq.read_table(stream, columns=["benchmark"])["benchmark"].to_numpy().astype(np.int64)
    return Index(
        folder=folder,
        fingerprint=metadata["fingerprint"],
        benchmarks=tuple(IndexedBenchmark(**item) for item in metadata["benchmarks"]),
        characters=metadata["characters"],
        groups=groups,
        text=_load(folder, "text.npy"),
        word_starts=_load(folder, "word_starts.npy"),
        example_words=_load(folder, "example_words.npy"),
        example_benchmark=numbers,
    )


def bucket_bits(keys: int) -> int:
    """Return how many top bits name a bucket, for about one or two keys in each."""
    return min(max((keys // 2).bit_length(), 1), 24)


def group_sizes(sizes: list[int]) -> dict[int, list[int]]:
    """Put sizes of n-grams into groups, each named by its smallest."""
    shared = sorted(n for n in sizes if n >= SMALLEST_SHARED_N)
    groups = {n: [n] for n in sorted(sizes) if n < SMALLEST_SHARED_N}
    if shared:
        groups[shared[0]] = shared
    return groups


def _load(folder: str, name: str) -> Any:
    place = join(folder, name)
    try:
        mapped = np.load(local_path(place), mmap_mode="r", allow_pickle=False)
        return mapped.view(np.ndarray)  # subclasses cost microseconds at each slice
    except (ValueError, OSError, EOFError) as error:
        raise CrawlmixError(
            f"{place}: is damaged ({error}); delete the folder and it is built again"
        ) from error


EXAMPLES = pa.schema([("benchmark", pa.int32()), ("id", pa.string()), ("words", pa.int64())])

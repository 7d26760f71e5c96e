"""Near-duplicates of a crawl: what each preset finds, against the exact Jaccard similarity of all pairs.

    python -m benchmarks.dedup_agreement [--data DIR] [--files N]

Main content of the pages of the data folder's dev shards, documents of 20 words or more. Exact pairs come from an
inverted index of all shingles, made without hashing. Recall counts pairs in one cluster; precision the pairs of a
dropped document and the kept one.
"""

import argparse
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding

from pipeline.dedup.bands import PRESETS, Bands, band_keys
from pipeline.dedup.buckets import bucket_edges
from pipeline.dedup.choose import choose
from pipeline.dedup.components import components
from pipeline.dedup.partition import pack, unpack
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import signatures
from text.buffers import text_buffer
from text.normalise import normalise
from text.words import find_words

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MIN_WORDS = 20
Pairs = dict[tuple[int, int], float]


def load(folder: Path, files: int) -> list[str]:
    texts = []
    for path in sorted(folder.glob("crawl/dev/*.warc.gz"))[:files]:
        for record in ArchiveIterator(str(path), record_types=WarcRecordType.response):
            if "html" not in (record.http_content_type or ""):
                continue
            body = record.reader.read()
            text = extract_plain_text(bytes_to_str(body, detect_encoding(body)), main_content=True)
            if len(text.split()) >= MIN_WORDS:
                texts.append(text)
    return texts


def shingle_sets(texts: list[str], scheme: Scheme) -> list[set[tuple[str, ...]]]:
    """The words the product sees, in runs that are not hashed."""
    words = find_words(text_buffer(normalise(pa.array(texts))), scheme.word_rule)
    spelt = [words.data[a:b].tobytes().decode() for a, b in zip(words.starts, words.ends, strict=True)]
    sets = []
    for a, b in zip(words.borders[:-1], words.borders[1:], strict=True):
        own = spelt[a:b]
        sets.append({tuple(own[i : i + scheme.ngram]) for i in range(max(1, len(own) - scheme.ngram + 1))})
    return sets


def exact_pairs(sets: list[set[tuple[str, ...]]]) -> Pairs:
    """All pairs that share a shingle, with their similarity."""
    holders = defaultdict(list)
    for number, members in enumerate(sets):
        for shingle in members:
            holders[shingle].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in holders.values():
        shared.update(combinations(numbers, 2))
    return {(a, b): count / (len(sets[a]) + len(sets[b]) - count) for (a, b), count in shared.items()}


def judge(name: str, bands: Bands, texts: list[str], exact: Pairs) -> None:
    signed = signatures(pa.array(texts), Scheme(num_hashes=bands.num_hashes))
    numbers = np.arange(len(texts), dtype=np.uint64)
    packed = pack(band_keys(signed.minima, bands)[signed.valid], numbers[signed.valid], 1)
    edges = np.concatenate([bucket_edges(*unpack([element])).edges for _, *element in packed])
    found = components(edges)
    nodes = found.nodes.astype(np.int64)
    choice = choose(found.labels, nodes, signed.minima[nodes], verify=bands.verify)
    label = dict(zip(nodes.tolist(), found.labels.tolist(), strict=True))
    drops = [(int(nodes[choice.duplicate_of[i]]), int(nodes[i])) for i in np.flatnonzero(~choice.kept)]
    true = [exact.get((min(pair), max(pair)), 0.0) for pair in drops]
    candidates = {tuple(pair) for pair in np.sort(edges, axis=1).astype(np.int64).tolist()}
    line = [
        f"{name:8} {len(candidates):6} edges, {len(drops):4} dropped, {choice.rescued:3} rescued from chains"
    ]
    for level in (0.7, 0.8):
        similar = [pair for pair, value in exact.items() if value >= level]
        together = sum(label.get(a, -1) == label.get(b, -2) for a, b in similar)
        line.append(
            f"recall of the {len(similar)} pairs at J >= {level}: {together / max(1, len(similar)):.3f}"
        )
    line += [f"drops with J >= {level}: {np.mean(np.array(true) >= level):.3f}" for level in (0.5, 0.6, 0.7)]
    print("\n  ".join(line))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--files", type=int, default=7)
    arguments = parser.parse_args()
    texts = load(arguments.data, arguments.files)
    if not texts:
        print(f"no pages below {arguments.data}/crawl/dev: nothing to compare")
        return
    exact = exact_pairs(shingle_sets(texts, Scheme()))
    print(f"{len(texts)} documents, {len(exact)} pairs that share a shingle")
    for name, bands in PRESETS.items():
        judge(name, bands, texts, exact)


if __name__ == "__main__":
    main()

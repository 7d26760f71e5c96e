"""Near-duplicate removal: signatures against datasketch and datatrove, grouping and components, growth, bytes.

    python -m benchmarks.dedup [--data DIR] [--texts N] [--documents N] [--rounds N]

With `--texts 0` grouping alone is timed: what partitions and the reducer of components do.

Texts are real ones of 2,000 to 8,000 characters from the data folder, or made up where it is absent. Every method
goes from text to signature over shingles of five words; the rounds are interleaved and the fastest counts, in
CPU time of one process. Peers that are not installed are named and left out.
"""

import argparse
import gzip
import json
import re
import resource
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasketch import MinHash

from pipeline.dedup.bands import PRESETS, band_keys
from pipeline.dedup.buckets import bucket_edges, unique_edges
from pipeline.dedup.components import components, components_by_labels
from pipeline.dedup.partition import pack, partitions_per_band
from pipeline.dedup.row_gaps import pack_rows, unpack_keys
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import signatures
from text.normalise import text_hashes

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PART = 50_000  # documents
WORD = re.compile(r"\w+")


def load(folder: Path, count: int) -> list[str]:
    """Real texts where there are any, else made-up ones of about 4,000 characters."""
    texts: list[str] = []
    for path in sorted(folder.glob("ref/*/*.jsonl.gz")):
        if path.parent.name == "benchmarks":
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [text for line in lines if 2000 <= len(text := json.loads(line).get("text", "")) <= 8000]
    if not texts:
        generator = np.random.default_rng(0)
        words = [f"word{number}" for number in range(20_000)]
        texts = [" ".join(words[i] for i in generator.integers(0, 20_000, 450)) for _ in range(count)]
    step = max(1, len(texts) // count)
    return texts[::step][:count]


def shingles(text: str) -> list[bytes]:
    words = WORD.findall(text.lower())
    return [gram.encode() for gram in {" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))}]


def datasketch_bulk(texts: list[str], **options: object) -> None:
    MinHash.bulk([shingles(text) for text in texts], num_perm=128, **options)


def datatrove_signatures(texts: list[str]) -> None:
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    stage = MinhashDedupSignature(output_folder="memory://signatures", config=MinhashConfig())
    for number, text in enumerate(texts):
        stage.get_signature(stage.get_shingles(Document(text=text, id=str(number)).text))


def fastest(methods: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """CPU seconds of each method: the least of its rounds."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, method in methods.items():
            begin = time.process_time()
            method()
            best[name] = min(best.get(name, float("inf")), time.process_time() - begin)
    return best


def compare_signatures(texts: list[str], rounds: int) -> None:
    array = pa.array(texts)
    few = texts[: max(1, len(texts) // 4)]  # peers are slower; rates are per document
    methods: dict[str, Callable[[], object]] = {
        "crawlmix K=112": lambda: signatures(array, Scheme(num_hashes=112)),
        "crawlmix K=128": lambda: signatures(array, Scheme(num_hashes=128)),
        "crawlmix exact hash, 128 bits": lambda: text_hashes(array),
        "datasketch bulk, sha1, K=128": lambda: datasketch_bulk(few),
    }
    if find_spec("xxhash"):
        import xxhash

        methods["datasketch bulk, xxh32, K=128"] = lambda: datasketch_bulk(
            few, hashfunc=xxhash.xxh32_intdigest, scheme="affine32"
        )
    if find_spec("datatrove"):
        methods["datatrove signature stage, K=112"] = lambda: datatrove_signatures(few[:50])
    seconds = fastest(methods, rounds)
    counts = {name: len(texts) for name in seconds if name.startswith("crawlmix")}
    counts |= {name: len(few) for name in seconds if name.startswith("datasketch")}
    rates = {name: counts.get(name, min(50, len(few))) / seconds[name] for name in seconds}
    mean = sum(map(len, texts)) / len(texts)
    print(f"signatures: {len(texts)} texts of {mean:.0f} characters")
    for name, rate in rates.items():
        print(
            f"  {name:34} {rate:10,.0f} documents/s {rates['crawlmix K=128'] / rate:8.1f} x slower than K=128"
        )
    for peer in ("xxhash", "datatrove"):
        if not find_spec(peer):
            print(f"  {peer} is not installed: not compared")


def planted(count: int, seed: int = 0) -> np.ndarray:
    """Band keys of `count` documents of which a fifth share about a third of their bands with an earlier one."""
    generator = np.random.default_rng(seed)
    bands = PRESETS["fineweb"].bands
    keys = generator.integers(0, 1 << 64, (count, bands), dtype=np.uint64)
    copies = generator.choice(count, count // 5, replace=False)
    originals = generator.integers(0, count, len(copies))
    for band in range(bands):
        shares = generator.random(len(copies)) < 0.35
        keys[copies[shares], band] = keys[originals[shares], band]
    return keys


def group(count: int) -> dict[str, float]:
    """Seconds of each step for `count` documents, with the number of edges and clusters."""
    keys = planted(count)
    marks = [time.process_time()]
    shuffled: dict[int, list[tuple[bytes, bytes]]] = {}
    for part, begin in enumerate(range(0, count, PART)):  # as parts come; the rest is the shuffle's work
        own = keys[begin : begin + PART]
        rows = np.arange(len(own), dtype=np.uint64)
        for partition, packed_keys, chosen in pack(own, rows, partitions_per_band(count)):
            packed_rows = pack_rows(part, np.frombuffer(chosen, "<i8"))
            shuffled.setdefault(partition, []).append((packed_keys, packed_rows))
    marks.append(time.process_time())
    stars = [unique_edges(bucket_edges(*unpack_keys(elements)).edges) for elements in shuffled.values()]
    edges = np.concatenate(stars)
    marks.append(time.process_time())
    found = components(edges)
    marks.append(time.process_time())
    components_by_labels(edges)
    marks.append(time.process_time())
    steps = dict(zip(("pack", "buckets", "scipy", "numpy"), np.diff(marks).tolist(), strict=True))
    sizes = {"edges": len(edges), "clusters": len(np.unique(found.labels))}
    size = sum(len(a) + len(b) for elements in shuffled.values() for a, b in elements)
    return steps | sizes | {"bytes": size / count}


def compare_growth(documents: int, rounds: int) -> None:
    print("grouping: 14 bands, a fifth near-duplicates; CPU seconds")
    totals = {}
    for count in (documents // 10, documents):
        runs = [group(count) for _ in range(rounds)]
        found = {key: min(run[key] for run in runs) for key in runs[0]}
        totals[count] = found["pack"] + found["buckets"] + found["scipy"]
        print(
            f"  {count:9,} documents: pack {found['pack']:.3f}, buckets {found['buckets']:.3f}, components"
            f" {found['scipy']:.3f} (numpy alone {found['numpy']:.3f}); {found['edges']:,.0f} edges,"
            f" {found['clusters']:,.0f} clusters, {found['bytes']:.0f} bytes shuffled a document;"
            f" reducer alone {found['buckets'] + found['scipy']:.2f} s"
        )
    print(
        f"  ten times the documents cost {totals[documents] / totals[documents // 10]:.1f} times the seconds"
    )
    begin = time.process_time()
    bucket_edges(np.full(documents, 7, np.uint64), np.arange(documents, dtype=np.uint64))
    print(f"  one bucket of {documents:,} equal keys: {time.process_time() - begin:.3f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this process: {peak:,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for name, bands in PRESETS.items():
        print(f"{name}: {bands.describe()}")
    group(1000)  # imports and first touches of memory belong to no measurement
    compare_growth(arguments.documents, arguments.rounds)
    if arguments.texts == 0:
        return
    texts = load(arguments.data, arguments.texts)
    signed = signatures(pa.array(texts), Scheme())
    print(
        f"band keys: {band_keys(signed.minima, PRESETS['fineweb']).nbytes / len(texts):.0f} bytes a document"
    )
    compare_signatures(texts, arguments.rounds)


if __name__ == "__main__":
    main()

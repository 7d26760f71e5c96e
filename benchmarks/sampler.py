"""Sampler and reader: look-ups, exactness against an independent draw, windows from page cache, many shards.

python -m benchmarks.sampler [--shards N]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mixtures.manifest import MANIFEST, Manifest, ShardEntry, TokenizerId
from mixtures.sampler import Sampler
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet

WEIGHTS = {"common_crawl": 60, "webtext2": 22, "books1": 8, "books2": 8, "wikipedia": 3}
WINDOWS = {
    "common_crawl": 200_195_312, "webtext2": 9_277_343, "books1": 5_859_374, "books2": 26_855_468, "wikipedia": 1_464_843,
}  # fmt: skip
WINDOW = 2049
EOS = 50256


def best(work: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def look_ups() -> None:
    start = time.process_time()
    sampler = Sampler(WEIGHTS, WINDOWS, seed=0)
    print(f"GPT-3's mixture of 146,484,375 samples is ready in {1e3 * (time.process_time() - start):.2f} ms")
    many = np.arange(100_000_000, 101_000_000, dtype=np.uint64)
    step = many[:1536]
    rows = [
        ("1,000,000 at once", best(lambda: sampler.places(many)) / len(many)),
        ("a batch of 1,536", best(lambda: [sampler.places(step) for _ in range(20)]) / 20 / len(step)),
        ("one by one", best(lambda: [sampler.place(n) for n in range(20_000)]) / 20_000),
    ]
    print(f"{'look-ups':<22}{'us a sample':>12}")
    for name, seconds in rows:
        print(f"{name:<22}{1e6 * seconds:>12.2f}")


def drift() -> None:
    order = Sampler(WEIGHTS, WINDOWS, seed=0).order
    samples = 146_484
    shares = np.array(list(WEIGHTS.values())) / 101
    steps = np.arange(1, samples + 1)
    rows = {
        "ours": np.resize(order, samples),
        "independent draw": np.random.default_rng(0).choice(5, samples, p=shares),
    }
    print(f"{'order':<22}{'largest deviation, samples':>28}")
    for name, chosen in rows.items():
        worst = max(np.abs(np.cumsum(chosen == n) - steps * share).max() for n, share in enumerate(shares))
        print(f"{name:<22}{worst:>28.3f}")


def reading(root: Path) -> None:
    draw = np.random.default_rng(0)
    lengths = np.full(50_000, 1_000)
    tokens = draw.integers(0, EOS, int(lengths.sum())).astype(np.uint16)
    tokens[np.cumsum(lengths) - 1] = EOS
    start = time.process_time()
    with ShardWriter(
        root / "web", source="web", tokenizer=TokenizerId("gpt2", "0"), vocabulary_size=50257, eos_id=EOS,
        shard_tokens=10_000_000,
    ) as writer:  # fmt: skip
        writer.add(tokens, lengths)
    print(f"write with SHA-256: {tokens.nbytes / 1e6 / (time.process_time() - start):,.0f} MB/CPU-s")
    shards = ShardSet(root / "web")
    starts = draw.integers(0, len(shards) - WINDOW, 2_000)
    flat = root / "flat.bin"
    tokens.tofile(flat)

    def reopened() -> None:
        for begin in starts.tolist():
            np.memmap(flat, dtype=np.uint16, mode="r")[begin : begin + WINDOW].astype(np.int64)

    view = np.asarray(np.memmap(flat, dtype=np.uint16, mode="r"))
    moved = len(starts) * WINDOW * 2 / 1e6
    rows = [
        ("ours, over 5 shards", best(lambda: shards.gather(starts, WINDOW), 5)),
        ("one fancy index", best(lambda: view[starts[:, None] + np.arange(WINDOW)], 5)),
        ("memmap opened each time", best(reopened, 5)),
    ]
    print(f"{'2,049-token windows':<26}{'MB/CPU-s':>10}{'ratio':>8}")
    for name, seconds in rows:
        print(f"{name:<26}{moved / seconds:>10,.0f}{rows[-1][1] / seconds:>8.1f}")


def many_shards(root: Path, count: int) -> None:
    folder = root / "many"
    folder.mkdir()
    for n in range(count):
        (folder / f"shard-{n:05d}.bin").write_bytes(b"\1\0" * 8)
    entries = tuple(ShardEntry(f"shard-{n:05d}.bin", 8, 1, "0" * 64) for n in range(count))
    manifest = Manifest("web", "uint16", EOS, 50257, TokenizerId("gpt2", "0"), entries)
    (folder / MANIFEST).write_text(manifest.to_json())
    seconds = best(lambda: ShardSet(folder))
    print(f"open {count:,} shards, every size checked: {seconds:.2f} CPU-s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shards", type=int, default=10_000)
    arguments = options.parse_args()
    look_ups()
    drift()
    with tempfile.TemporaryDirectory() as folder:
        reading(Path(folder))
        many_shards(Path(folder), arguments.shards)


if __name__ == "__main__":
    main()

"""Encoding speed and parity: ours, tiktoken and `tokenizers` on the same texts, one thread, one run.

python -m benchmarks.tokenize [--data DIR] [--megabytes N] [--parity]
"""

import argparse
import gzip
import itertools
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tokenize.encoder import Encoder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def corpora(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Texts of each reference corpus; without data, made ones."""
    paths = sorted((data / "ref").rglob("*.jsonl.gz"))
    for path in paths:
        with gzip.open(path, "rt") as lines:
            texts = [row["text"] for row in map(json.loads, lines) if row.get("text")]
        if texts:
            yield str(path.relative_to(data / "ref")), texts
    if not paths:
        draw = np.random.default_rng(0)
        words = ["".join(map(chr, draw.integers(97, 123, n))) for n in draw.integers(1, 10, 50_000)]
        ranks = (draw.zipf(1.2, 2_000_000) - 1) % len(words)
        yield "made", [" ".join(words[n] for n in part) for part in np.array_split(ranks, 3_000)]


def size(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def speed(groups: list[tuple[str, list[str]]], megabytes: float) -> None:
    """Each text is encoded once, in turns of 1 MB, so that a busy machine hits all three alike."""
    texts = list(itertools.chain(*(texts for _, texts in groups)))
    order = np.random.default_rng(0).permutation(len(texts))
    encoder = Encoder.load("gpt2")
    base, plain = encoder.tokenizer.base, encoder._plain
    seconds, done, turn, different = np.zeros(3), 0.0, [], 0
    for n in order:
        turn.append(texts[n])
        if sum(map(len, turn)) < 1 << 20:
            continue
        table = pa.array(turn)
        ours, theirs = [], []
        seconds[0] += cpu(lambda: ours.append(encoder.encode_batch(table)))  # noqa: B023  # run at once
        seconds[1] += cpu(lambda: [plain.encode(text) for text in turn])  # noqa: B023
        seconds[2] += cpu(lambda: theirs.extend(base.encode_batch(turn, add_special_tokens=False)))  # noqa: B023
        expected = itertools.chain(*([*found.ids, 50256] for found in theirs))
        different += not np.array_equal(ours[0].tokens, np.fromiter(expected, dtype=np.int64))
        done += size(turn)
        turn = []
        if done >= megabytes:
            break
    print(f"{done:.0f} MB of mixed text, each seen once; batches that differ from tokenizers: {different}")
    print(f"{'encoder':<28}{'MB/CPU-s':>10}{'ratio':>8}")
    for name, spent in zip(
        ("ours (words + tiktoken)", "tiktoken", "tokenizers.encode_batch"), seconds, strict=True
    ):
        print(f"{name:<28}{done / spent:>10.1f}{seconds[2] / spent:>8.1f}")


def parity(groups: list[tuple[str, list[str]]]) -> None:
    encoder = Encoder.load("gpt2")
    print(f"{'corpus':<52}{'documents':>10}{'tokens':>12}{'different':>11}")
    for name, texts in groups:
        found = encoder.encode_batch(pa.array(texts))
        ends = np.cumsum(found.lengths)
        different = 0
        for first in range(0, len(texts), 256):
            rows = encoder.tokenizer.base.encode_batch(texts[first : first + 256], add_special_tokens=False)
            for n, row in enumerate(rows, first):
                mine = found.tokens[ends[n] - found.lengths[n] : ends[n]]
                different += mine.tolist() != [*row.ids, 50256]
        print(f"{name:<52}{len(texts):>10,}{len(found.tokens):>12,}{different:>11}", flush=True)


def memory(groups: list[tuple[str, list[str]]], megabytes: int) -> None:
    """Peak memory while the same encoder reads much more text than its table holds."""
    texts = list(itertools.chain(*(texts for _, texts in groups)))
    encoder = Encoder.load("gpt2")
    batches = [pa.array(part.tolist()) for part in np.array_split(np.array(texts, dtype=object), 64)]
    print(f"{'MB encoded':>10}{'peak RSS, MB':>14}{'words known':>13}")
    done, step = 0.0, 0
    for n in itertools.count():
        batch = batches[n % len(batches)]
        # A letter that changes with every round makes new words of all of them.
        marked = pc.replace_substring(batch, " ", f" {chr(0x100 + n // len(batches))}")
        encoder.encode_batch(marked)
        done += marked.nbytes / 1e6
        if done >= step:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(f"{done:>10.0f}{peak:>14.0f}{encoder._words.words:>13,}", flush=True)
            step += max(1, megabytes // 8)
        if done >= megabytes:
            return


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--megabytes", type=float, default=25)
    options.add_argument("--parity", action="store_true", help="compare every reference document")
    options.add_argument(
        "--memory", type=int, default=0, metavar="MB", help="encode so much and watch memory"
    )
    arguments = options.parse_args()
    groups = list(corpora(arguments.data))
    if arguments.parity:
        parity(groups)
    elif arguments.memory:
        memory(groups, arguments.memory)
    else:
        speed(groups, arguments.megabytes)


if __name__ == "__main__":
    main()

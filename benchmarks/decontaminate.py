"""Scanning for benchmark n-grams, building their index, and what both need, against plain Python and peers.

    python -m benchmarks.decontaminate [--data DIR] [--rounds N] [--large]

The sets are MMLU, GSM8K, AGIEval, HellaSwag, SQuAD, RACE, ... up to about 2.5 million distinct 13-grams, the texts are
articles with examples put into every twentieth. `--large` also builds an index of ten million n-grams of made-up text
and prints the memory of a scan with it. Peers (lm-evaluation-harness's janitor, datatrove's filter) take part where
they are installed; plain Python is their method in its shortest form: words joined by spaces, a set of strings.
"""

import argparse
import gzip
import importlib.util
import json
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.decontaminate.benchmarks import Benchmark, find_benchmarks
from pipeline.decontaminate.build_index import ensure_index, write_index
from pipeline.decontaminate.index import open_index
from pipeline.decontaminate.scan import scan
from pipeline.decontaminate.settings import BenchmarkSettings, FilterSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "ref"
SETS = [
    "agieval_en",
    "gsm8k_test",
    "hellaswag_val",
    "lambada_test",
    "mmlu_test",
    "piqa_test_unlabelled",
    "piqa_val",
    "race_test",
    "squad_dev_1000",
    "boolq_val",
    "coqa_dev",
    "drop_dev_1000",
    "arc_easy_test",
    "arc_challenge_test",
    "math_test",
]
SLOW_BYTES = 1_500_000  # what plain Python and peers are given of the texts
PEER_EXAMPLES = 3000  # in the index of datatrove, whose words take a minute for all; the speed of its scan hardly depends on it
LARGE_GRAMS = 10_000_000


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


@cache
def vocabulary() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.array(
        ["".join(map(chr, random.integers(97, 123, random.integers(3, 9)))) for _ in range(50_000)]
    )


def made_up(words: int, seed: int) -> str:
    """Text of random words: no n-gram repeats."""
    known = vocabulary()
    return " ".join(known[np.random.default_rng(seed).integers(0, len(known), words)])


def put_in(texts: list[str], examples: list[str]) -> list[str]:
    """Put an example into the middle of every twentieth text."""
    mixed = list(texts)
    for number in range(0, len(mixed), 20):
        text = mixed[number]
        middle = text.find(" ", len(text) // 2)
        mixed[number] = f"{text[:middle]}\n{examples[number * 37 % len(examples)]}\n{text[middle:]}"
    return mixed


def some(texts: list[str], size: int) -> list[str]:
    held = 0
    for count, text in enumerate(texts, 1):
        held += len(text.encode())
        if held > size:
            return texts[:count]
    return texts


_TABLE = str.maketrans(dict.fromkeys(string.punctuation, " "))


def plain_words(text: str) -> list[str]:
    return text.lower().translate(_TABLE).split()


def plain_ngrams(text: str) -> Iterator[str]:
    words = plain_words(text)
    for first in range(len(words) - 12):
        yield " ".join(words[first : first + 13])


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def janitor(examples: list[str]) -> Callable[[list[str]], object] | None:
    if importlib.util.find_spec("lm_eval") is None:
        return None
    from lm_eval.decontamination.janitor import Janitor  # type: ignore[import-not-found]

    cleaner = Janitor()
    for example in examples:
        cleaner.register_contaminant_python(example)
    return lambda texts: [cleaner.clean_python(text) for text in texts]


def datatrove(examples: list[str], folder: Path) -> Callable[[list[str]], object] | None:
    """Give datatrove's filter as shipped, at N = 13; its indexer asks another library for tasks, so its hashes are written here."""
    if importlib.util.find_spec("datatrove") is None:
        return None
    from datatrove.data import Document  # type: ignore[import-not-found]
    from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter  # type: ignore[import-not-found]
    from datatrove.utils.text import ngrams, simplify_text  # type: ignore[import-not-found]

    config = NGramsDecontConfig(n_grams=13)
    folder.mkdir()
    judge = NGramsDecontFilter(str(folder), config)
    hashes = {
        judge.hash_func(" ".join(gram))
        for text in examples
        for gram in ngrams(judge.tokenizer.word_tokenize(simplify_text(text, config.norm_config)), 13)
    }
    np.array(sorted(hashes), config.hash_config.np_descr).tofile(folder / "examples.index.hashes")
    judge.load_index_hashes()
    return lambda texts: [judge.filter(Document(text=text, id="")) for text in texts]


def scan_table(folder: Path, data: Path, rounds: int) -> None:
    files = [str(data / "benchmarks" / f"{name}.jsonl.gz") for name in SETS]
    found = find_benchmarks(files, "/")
    settings = FilterSettings(analysis=False)
    build = cpu_seconds(lambda: ensure_index(found, settings, str(folder)))
    index = ensure_index(found, settings, str(folder))
    size = len(index.text) / 1e6
    print(
        f"index: {index.grams:,} 13-grams of {size:.1f} MB of words in {build:.1f} s of CPU: {size / build:.1f} MB/s"
    )
    analysis = ensure_index(found, FilterSettings(), str(folder))

    examples = [text for file in files for text in lines(Path(file))]
    texts = put_in(
        lines(data / "articles" / "articles.jsonl.gz"), [text for text in examples if len(text) > 200]
    )
    few = some(texts, SLOW_BYTES)
    array, few_bytes = pa.array(texts, pa.large_string()), sum(len(text.encode()) for text in few)
    known = {gram for example in examples for gram in plain_ngrams(example)}
    runs: dict[str, tuple[int, Callable[[], object]]] = {
        "crawlmix, N = 13": (array.nbytes, lambda: scan(array, index)),
        f"crawlmix, with the analysis (N = {', '.join(str(t.n) for t in analysis.tables)})": (
            array.nbytes,
            lambda: scan(array, analysis),
        ),
        "plain Python": (few_bytes, lambda: [gram in known for text in few for gram in plain_ngrams(text)]),
    }
    if (clean := janitor(examples)) is not None:
        runs["lm-evaluation-harness, Python janitor"] = (few_bytes, lambda: clean(few))
    else:
        print("lm_eval is not installed: its janitor takes no part")
    if (judge := datatrove(examples[:PEER_EXAMPLES], folder / "datatrove")) is not None:
        runs["datatrove, NGramsDecontFilter"] = (few_bytes, lambda: judge(few))
    else:
        print("datatrove is not installed: its filter takes no part")
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (_, work) in runs.items():
            seconds[name].append(cpu_seconds(work))
    rates = {name: runs[name][0] / 1e6 / statistics.median(taken) for name, taken in seconds.items()}
    ours = rates["crawlmix, N = 13"]
    print(f"\n{'scan':66}{'MB/s':>8}{'ours is':>10}")
    for name, rate in rates.items():
        print(f"{name:66}{rate:>8.1f}{ours / rate:>9.1f}x")
    hit = set(scan(array, index).row.tolist())
    planted = set(range(0, len(texts), 20))
    print(
        f"\n{len(planted & hit)} of {len(planted)} planted found; {len(hit - planted)} other documents have matches"
    )


def large_table(folder: Path) -> None:
    texts = [made_up(100_000, seed) for seed in range(LARGE_GRAMS // 100_000)]
    benchmark = Benchmark("large", BenchmarkSettings(), [str(i) for i in range(len(texts))], pa.array(texts))
    size = sum(map(len, texts)) / 1e6
    build = cpu_seconds(
        lambda: write_index([benchmark], FilterSettings(analysis=False), str(folder), "large")
    )
    print(
        f"\n{open_index(str(folder)).grams:,} 13-grams of {size:.1f} MB: built at {size / build:.1f} MB/s of CPU"
    )
    child = [sys.executable, "-m", "benchmarks.decontaminate", "--scan-large", str(folder)]
    print(subprocess.run(child, check=True, capture_output=True, text=True).stdout, end="")


def resident() -> dict[str, int]:
    """Resident megabytes of this process: of its own, and of mapped files."""
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    return {name: int(status[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile")}


def scan_large(folder: Path) -> None:
    text = pa.array([made_up(1_000, 1_000_000 + seed) for seed in range(3000)], pa.large_string())
    scan(text.slice(0, 10), open_index_of_one(folder / "warm"))
    before = resident()
    index = open_index(str(folder))
    taken = cpu_seconds(lambda: scan(text, index))
    after = resident()
    grown = {name: after[name] - before[name] for name in after}
    print(f"scan {text.nbytes / 1e6 / taken:.1f} MB/s; memory grew by {sum(grown.values())} MB: {grown}")


def open_index_of_one(folder: Path):  # noqa: ANN201
    example = Benchmark("one", BenchmarkSettings(), ["0"], pa.array([made_up(100, 5)]))
    write_index([example], FilterSettings(analysis=False), str(folder), "one")
    return open_index(str(folder))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--scan-large", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scan_large:
        scan_large(given.scan_large)
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.data.exists():
            scan_table(Path(folder) / "index", given.data, given.rounds)
        else:
            print(f"{given.data} is not there: only made-up text is measured")
        if given.large or not given.data.exists():
            large_table(Path(folder) / "large")


if __name__ == "__main__":
    main()

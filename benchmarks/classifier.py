"""Speed of the quality classifiers beside scikit-learn, and how they rank sources that training has not seen.

Run: python -m benchmarks.classifier [--data DIR] [--rounds N] [--speed-only] [--models NAME ...]
"""

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from classifiers.evaluate import evaluate
from classifiers.fasttext_model import FastTextOptions
from classifiers.hashing import count_matrix
from classifiers.logistic import FEATURES, LogisticWeights, log_odds
from classifiers.model_file import load_model
from classifiers.prose import common_buckets
from classifiers.train import TrainOptions, train
from text.buffers import text_buffer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# Natural text only: brown_tokenised and wikitext2_valid are tokenised, which alone gives them away.
SOURCES = {
    "webtext63": "ref/webtext/webtext63.jsonl.gz",
    "abc": "ref/webtext/abc_news_2006.jsonl.gz",
    "speeches": "ref/webtext/us_speeches.jsonl.gz",
    "articles": "ref/articles/articles.jsonl.gz",
    "books": "ref/books/books.jsonl.gz",
    "wikipedia": "ref/wikipedia/enwiki_plain.jsonl.gz",
}
PIECE_CHARS = (500, 2_000, 8_000)  # books are judged in pieces of these lengths
MAX_TAGS = 60_000  # pages with more are left out, as the extract stage does


def pages(folder: Path, *, main_content: bool) -> Iterator[dict[str, str]]:
    """Text of the crawl's pages: main content, or all of it as WET files hold."""
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                body = record.reader.read(1 << 20)
                if body.count(b"<") > MAX_TAGS:
                    continue
                tree = HTMLTree.parse(bytes_to_str(body, detect_encoding(body)))
                text = extract_plain_text(tree, main_content=main_content)
                if len(text.split()) >= 20:
                    yield {
                        "id": record.record_id,
                        "url": record.headers.get("WARC-Target-URI") or "",
                        "text": text,
                    }


def pieces(row: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Cut a long text into pieces of several document lengths; others stay whole."""
    text = row["text"]
    if len(text) <= 100_000:
        yield {"id": row["id"], "text": text}
        return
    for number, start in enumerate(range(20_000, len(text) - 10_000, max(20_000, len(text) // 20))):
        yield {
            "id": f"{row['id']}@{start}",
            "text": text[start : start + PIECE_CHARS[number % len(PIECE_CHARS)]],
        }


def write(path: Path, rows: Iterator[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def speed(texts: pa.Array, folder: Path, rounds: int) -> None:
    strings = texts.to_pylist()
    buffer = text_buffer(texts)
    megabytes = int(buffer.sizes.sum()) / 1e6
    weights = np.random.default_rng(0).normal(size=1 << 18)
    both = np.concatenate([weights, weights])
    common = common_buckets(count_matrix(buffer), np.ones(buffer.rows))
    vectorizer = HashingVectorizer(n_features=1 << 18, alternate_sign=False, norm=None, token_pattern=r"\S+")
    peer = LogisticRegression()
    peer.classes_, peer.coef_, peer.intercept_ = np.array([0, 1]), weights[None], np.zeros(1)
    contenders: dict[str, Callable[[], object]] = {
        "scikit-learn, HashingVectorizer + predict_proba": lambda: peer.predict_proba(
            vectorizer.transform(strings)
        )
    }
    for features in FEATURES:
        model = LogisticWeights(both if features == "prose" else weights, 0.0, features, common=common)
        contenders[f"crawlmix logistic, {features}"] = lambda model=model: log_odds(model, buffer)
    for name in ("fasttext", "fasttext quantised"):
        if (folder / name / "model.json").exists():
            judge = load_model(folder / name)
            contenders[f"crawlmix {name}"] = lambda judge=judge: judge.score(texts)
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, work in contenders.items():
            best[name] = min(best[name], seconds(work))
    print(f"\nScoring {len(texts):,} pages, {megabytes:.1f} MB, best of {rounds} interleaved rounds")
    print(f"{'scorer':<50}{'MB/CPU-s':>10}{'ratio':>8}")
    first = next(iter(best.values()))
    for name, spent in best.items():
        print(f"{name:<50}{megabytes / spent:>10.1f}{first / spent:>8.2f}")


def unseen(
    folder: Path, sources: dict[str, Path], crawl: dict[str, tuple[Path, Path]], wanted: list[str]
) -> None:
    settings = {
        "prose": TrainOptions(),
        "prose, formatting cues removed": TrainOptions(style="strict"),
        "root": TrainOptions(features="root"),
        "l2": TrainOptions(features="l2"),
        "counts": TrainOptions(features="counts"),
        "fasttext": TrainOptions(kind="fasttext"),
    }
    print("\nAUC on each positive source with that source left out of training; crawl domains are disjoint")
    print(
        f"{'model, text of the crawl':<50}{''.join(f'{name:>11}' for name in sources)}{'mean':>8}{'soft':>7}"
    )
    for text, (for_training, for_test) in crawl.items():
        for name, options in settings.items():
            if wanted and name not in wanted:
                continue
            found, soft = [], []
            for source, path in sources.items():
                others = [other for left, other in sources.items() if left != source]
                train(others, [for_training], folder / "model", options)
                metrics = evaluate(folder / "model", [path], [for_test], folder / "judged")
                found.append(metrics["auc"])
                soft.append(metrics["softness"]["between_05_and_95"])
            row = "".join(f"{value:>11.3f}" for value in found)
            print(f"{f'{name}, {text}':<50}{row}{np.mean(found):>8.3f}{np.mean(soft):>7.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--models", nargs="*", default=[], help="rows of the table of AUC; default: all")
    options = parser.parse_args()
    from classifiers.groups import group_share, registered_domain

    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        folder = Path(name)
        sources = {
            source: write(
                folder / f"{source}.jsonl",
                (piece for row in read(options.data / path) for piece in pieces(row)),
            )
            for source, path in SOURCES.items()
        }
        crawl: dict[str, tuple[Path, Path]] = {}
        for kind in ("all text", "main content"):
            rows = list(pages(options.data / "crawl" / "dev", main_content=kind == "main content"))
            held = [
                group_share(registered_domain(row["url"]) or "", seed=1, purpose="test") < 0.3 for row in rows
            ]
            crawl[kind] = (
                write(folder / "crawl.jsonl", (row for row, out in zip(rows, held, strict=True) if not out)),
                write(folder / "held.jsonl", (row for row, out in zip(rows, held, strict=True) if out)),
            )
            crawl[kind] = tuple(path.rename(folder / f"{kind} {path.name}") for path in crawl[kind])  # type: ignore[assignment]  # two paths stay two
        for kind, quantise in (("fasttext", False), ("fasttext quantised", True)):
            made = TrainOptions(
                kind="fasttext", fasttext=FastTextOptions(quantise=quantise), documents_per_class=3_000
            )
            train(list(sources.values()), [crawl["main content"][0]], folder / kind, made)
        texts = pa.array(
            [json.loads(line)["text"] for line in crawl["main content"][0].open(encoding="utf-8")]
        )
        speed(texts, folder, options.rounds)
        if not options.speed_only:
            unseen(folder, sources, crawl, options.models)


if __name__ == "__main__":
    main()

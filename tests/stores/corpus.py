"""A small corpus and a recipe with every stage, and the stage's helpers: a block list, links, a tokenizer of its own."""

import gzip
import json
import random
import re
from pathlib import Path

from pipeline.demo.prose import TOPICS, bank
from pipeline.recipe import Recipe, parse_recipe
from pipeline.tokenize.train import train_tokenizer
from tests.pipeline.sources.archives import gz, http, warc

RECIPE = """\
name: stores
seed: 3
sources:
  crawl: {format: warc, paths: ["IN/crawl/*.warc.gz"], filter: web, pii: [email], part_bytes: 1MiB}
  webtext2: {format: jsonl, paths: ["IN/webtext2.jsonl.gz"], role: positive}
  linked: {format: pages, pages_of: crawl, links: {dumps: ["IN/RS_2019-04.jsonl.gz"], min_score: 3}}
filters:
  web:
    heuristics: [c4_fineweb]
    min_language_score: 0.2
    urls: {blocked_domains: ["IN/blocked.txt"]}
    quality: {model: good, keep: {threshold: 0.01}}
classifiers:
  good: {documents_per_class: 15}
dedup: {priority: [webtext2, linked, crawl]}
decontaminate: {benchmarks: ["IN/benchmarks/*.jsonl.gz"]}
tokenizer: TOKENIZER
mixtures:
  m: {weights: {crawl: 60, webtext2: 22}, sequence_length: 64, tokens: 10k}
shards: {tokens: 3k, validation: 20%}
"""


def write_corpus(folder: Path) -> None:
    """Write the corpus below `folder`: an archive of 40 pages, 30 texts, links, a block list, a benchmark."""
    passages = [
        re.sub(r"\{([^{}|]*)[^{}]*\}", r"\1", passage)  # the first of what a passage offers
        for topic in TOPICS
        for passage in bank(f"en/{topic}").passages
    ]
    texts = [text(number, passages) for number in range(70)]
    (folder / "crawl").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    records = [_page(number, texts[number]) for number in range(40)]
    records.append(_page(900, texts[3]))  # a copy
    (folder / "crawl/0.warc.gz").write_bytes(b"".join(map(gz, records)))
    _write_lines(folder / "webtext2.jsonl.gz", [{"id": f"t{n}", "text": texts[40 + n]} for n in range(30)])
    links = [
        {"url": f"http://example.org/{n}", "score": 9, "created_utc": 1554076800 + n, "is_self": False}
        for n in range(0, 30, 3)
    ]
    _write_lines(folder / "RS_2019-04.jsonl.gz", links)
    (folder / "blocked.txt").write_text("blocked.example\n")
    asked = " ".join(texts[5].split()[10:40])
    _write_lines(folder / "benchmarks/asked.jsonl.gz", [{"id": "q", "text": asked}])
    train_tokenizer(iter(texts), folder / "tokenizer.json", vocabulary_size=600)


def recipe(folder: Path, place: str) -> Recipe:
    """The recipe with its inputs at `place`; the tokenizer stays on this machine."""
    text = RECIPE.replace("IN/", f"{place}/").replace("TOKENIZER", str(folder / "tokenizer.json"))
    return parse_recipe(text, base=folder, file="recipe.yaml")


def text(number: int, passages: list[str]) -> str:
    """An English text that no other number gives."""
    draw = random.Random(number)
    return f"Note {number} of this collection.\n\n" + "\n\n".join(draw.sample(passages, 4))


def _page(number: int, content: str) -> bytes:
    paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in content.split("\n\n"))
    body = f"<!doctype html><html><head><title>Page {number}</title></head><body><main>{paragraphs}</main></body></html>"
    return warc(http(body.encode()), number=number)


def _write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as stream:
        stream.write("".join(json.dumps(row) + "\n" for row in rows).encode())

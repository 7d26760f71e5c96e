"""A small finished dataset of JSON Lines, whose tokens and mixtures are what a test looks at."""

import json
import random
from pathlib import Path

from pipeline.cli.main import run

RECIPE = """\
name: dataset
seed: 5
sources:
  web: {format: jsonl, paths: [web-*.jsonl], pii: [email]}
  books: {format: jsonl, paths: [books.jsonl]}
dedup: {exact: true, preset: null}
shards: {tokens: 3k, validation: 10%}
mixtures:
  both: {weights: {web: 60, books: 40}, sequence_length: 64, tokens: 20k}
  reading: {epochs: {books: 2}, sequence_length: 64}
"""
WORDS = [
    "the",
    "of",
    "and",
    "crawl",
    "page",
    "naïve",
    "model",
    "weight",
    "token",
    "shard",
    "日本語",
    "text",
    "🙂",
    "mixture",
    "it's",
    "1,000",
    "reader",
]


def text(seed: int) -> str:
    """A text that no other seed gives."""
    draw = random.Random(seed)
    return f"{seed} to someone{seed}@mail.example " + " ".join(draw.choices(WORDS, k=draw.randint(40, 160)))


def write_dataset(folder: Path, recipe: str = RECIPE) -> Path:
    """Write sources and recipe; returns the recipe's path."""
    for number in range(3):
        lines = [
            {"id": f"w{n}", "url": f"https://site{n % 7}.example/page/{n}", "text": text(n)}
            for n in range(50 * number, 50 * number + 50)
        ]
        if number == 2:  # a copy of w3 under another address
            lines.append({"id": "copy", "url": "https://mirror.example.net/3", "text": text(3)})
        (folder / f"web-{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    books = [{"id": f"b{n}", "text": text(1000 + n)} for n in range(60)]
    (folder / "books.jsonl").write_text("".join(json.dumps(line) + "\n" for line in books))
    path = folder / "recipe.yaml"
    path.write_text(recipe)
    return path


def build(recipe: Path, workspace: Path, *more: str) -> int:
    """Build through the command line; returns its exit code."""
    return run(["build", str(recipe), "-w", str(workspace), "--workers", "1", "-q", *more])

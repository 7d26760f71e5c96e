"""Small builds that several tests share."""

from pathlib import Path

from pipeline.build import Outcome, build
from pipeline.demo.sample import make_sample
from pipeline.recipe import parse_recipe

RECIPE = """\
name: small
seed: 3
sources:
  crawl: {format: warc, paths: [crawl/*.warc.gz], filter: web, pii: [email, ip]}
  webtext2: {format: jsonl, paths: [webtext2.jsonl.gz], role: positive}
  books: {format: text, paths: [books/*.txt], role: positive}
filters:
  web:
    languages: [en]
    heuristics: [gopher_repetition, gopher_quality, c4_fineweb]
    quality: {model: good, keep: {threshold: 0.01}}
classifiers:
  good: {documents_per_class: 100}
dedup: {priority: [webtext2, books, crawl]}
decontaminate: {benchmarks: [benchmarks/*.jsonl.gz]}
mixtures:
  m: {weights: {crawl: 60, webtext2: 22, books: 16}, sequence_length: 128, tokens: 50k}
shards: {tokens: 20k}
"""


def sample(folder: Path) -> Path:
    """Make the embedded sample in `folder`."""
    make_sample(folder)
    return folder


def run(folder: Path, workspace: Path, text: str = RECIPE, **options: object) -> Outcome:
    """Build a recipe over the sample in `folder`."""
    return build(parse_recipe(text, base=folder, file="recipe.yaml"), str(workspace), **options)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

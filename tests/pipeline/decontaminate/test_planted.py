"""Real examples planted in real documents, in every dress, are found; nothing else is touched."""

import gzip
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.decontaminate.benchmarks import find_benchmarks
from pipeline.decontaminate.build_index import ensure_index
from pipeline.decontaminate.index import Index
from pipeline.decontaminate.scan import scan
from pipeline.decontaminate.settings import FilterSettings
from tests.shared_data import shared

SETS = ("gsm8k_test", "mmlu_test", "hellaswag_val", "squad_dev_1000", "arc_challenge_test")
EVERY = 60  # examples are planted one in so many

DRESSES: dict[str, Callable[[str], str]] = {
    "verbatim": lambda text: text,
    "capitals": lambda text: "".join(
        c.upper() if len(c.upper()) == 1 and c.upper().lower() == c else c for c in text
    ),
    "without punctuation": lambda text: "".join(" " if c in ".,;:!?'\"()-" else c for c in text),
    "line breaks": lambda text: text.replace(" ", "\r\n"),
    "paragraph breaks": lambda text: text.replace(". ", ".\n\n"),
    "entities": lambda text: (
        text.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&#39;").replace("<", "&lt;")
    ),
    "escaped twice": lambda text: (
        text.replace("&", "&amp;amp;").replace('"', "&amp;quot;").replace("'", "&amp;#x27;")
    ),
    "curly quotes": lambda text: text.replace("'", "\u2019").replace('"', "\u201d").replace("-", "\u2013"),
    "soft hyphens": lambda text: "".join(
        f"{c}\u00ad" if i % 3 == 0 and c.isalpha() else c for i, c in enumerate(text)
    ),
    "zero width": lambda text: "".join(f"{c}\u200b" if i % 5 == 0 else c for i, c in enumerate(text)),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
}


def rows(path: Path, count: int | None = None) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in islice(lines, count)]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return [shared(f"ref/benchmarks/{name}.jsonl.gz") for name in SETS]


@pytest.fixture(scope="module")
def index(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Index:
    found = find_benchmarks([str(file) for file in files], "/")
    return ensure_index(found, FilterSettings(analysis=False), str(tmp_path_factory.mktemp("index")))


@pytest.fixture(scope="module")
def planted(files: list[Path], index: Index) -> list[str]:
    """Examples that are long enough for a 13-gram."""
    words = np.diff(index.example_words)
    texts = [text for file in sorted(files) for text in rows(file)]
    assert len(texts) == len(words)
    return [texts[i] for i in range(0, len(texts), EVERY) if words[i] >= 13]


@pytest.fixture(scope="module")
def clean() -> list[str]:
    return rows(shared("ref/webtext/abc_news_2006.jsonl.gz"), 1500)  # older than the benchmarks


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_every_planted_example_is_found_where_it_stands(
    index: Index, planted: list[str], clean: list[str], dress: str, place: str
) -> None:
    documents, spans = [], []
    for number, example in enumerate(planted):
        host = clean[number % len(clean)]
        at = {"start": 0, "middle": host.find(" ", len(host) // 2), "end": len(host)}[place]
        text = DRESSES[dress](example)
        documents.append(f"{host[:at]}\n{text}\n{host[at:]}")
        spans.append((at, at + len(text) + 2))
    hits = scan(pa.array(documents), index)
    assert sorted(set(hits.row.tolist())) == list(range(len(documents)))
    starts, ends = np.array(spans).T
    # Nothing is found outside of what was planted, but for a run that begins or ends with its neighbour's word.
    assert (hits.start >= starts[hits.row]).all()
    assert (hits.end <= ends[hits.row]).all()


def test_documents_without_examples_are_not_touched(index: Index, clean: list[str]) -> None:
    assert len(clean) == 1500
    articles = rows(shared("ref/articles/articles.jsonl.gz"), 400)
    assert len(scan(pa.array([*clean, *articles]), index).row) == 0

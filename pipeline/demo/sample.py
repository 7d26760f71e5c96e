"""The embedded sample: a small crawl with all that goes wrong in a large one, and the sources beside it."""

import bz2
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.demo import companions, crawl, oddities, poor
from pipeline.demo.archive import DAMAGED_BYTES, Archive, Place
from pipeline.demo.benchmark import benchmark_items
from pipeline.demo.chance import Chance
from pipeline.demo.page import Page
from pipeline.demo.portable import gzip_member
from pipeline.demo.prose import Writer

WARC_FILES = 3


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What was written."""

    folder: Path
    files: tuple[Path, ...]
    bytes: int
    pages: int  # answers of servers in the crawl, the damaged one included
    pages_by_kind: Mapping[str, int]
    documents: Mapping[str, int]  # of the other sources, by name


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a sample consists of, before it is written."""

    pages: tuple[Page, ...]  # in the order of the crawl; page i goes to file i % WARC_FILES
    webtext2: list[companions.Document]
    books: dict[str, str]
    wikipedia: list[companions.Document]


def plan_sample(*, seed: int = 0) -> Plan:
    """Write all texts and pages; the same for the same seed, on every machine."""
    writer, chance = Writer(seed), Chance(seed)
    recommended = companions.webtext2(writer, chance)
    entries = companions.wikipedia(writer, chance)
    novels = companions.books(writer, chance)
    articles = crawl.articles(writer, chance)
    pages = [
        *articles,
        *crawl.forum_threads(writer, chance),
        *crawl.product_pages(writer, chance),
        *crawl.foreign_pages(writer, chance),
        *crawl.near_duplicates(articles, chance),
        *crawl.exact_duplicates(articles, chance),
        *crawl.webtext2_copies(recommended, chance),
        *poor.spam(chance),
        *poor.poor_pages(writer, chance),
        *oddities.charset_pages(writer),
        *oddities.opt_out_pages(writer, chance),
        *oddities.coded_pages(writer, chance),
        *oddities.answers_without_a_page(),
        *oddities.planted_pages(writer, benchmark_items(), chance),
        *oddities.single_pages(writer, chance),
        *oddities.personal_pages(writer, chance),
        oddities.damaged_page(writer, chance),
    ]
    return Plan(tuple(chance.of("crawl").order(pages)), recommended, novels, entries)


def make_sample(folder: Path, *, seed: int = 0) -> SampleSummary:
    """Write the sample into a folder, which is made if need be; files of an earlier sample are replaced.

    Writes `crawl/*.warc.gz`, `webtext2.jsonl.gz`, `books/*.txt`, `wikipedia.jsonl.gz` (and the same entries as
    `wikipedia.xml.bz2`), `benchmarks/*.jsonl.gz`, and `manifest.json`, which says what was planted where. The
    bytes depend on the seed alone.
    """
    plan = plan_sample(seed=seed)
    archives, places = _crawl(plan.pages)
    items = benchmark_items()
    contents: dict[str, bytes] = {f"crawl/{archive.name}": bytes(archive.data) for archive in archives}
    contents["webtext2.jsonl.gz"] = _json_lines(plan.webtext2)
    contents |= {f"books/{name}": text.encode() for name, text in plan.books.items()}
    contents["wikipedia.jsonl.gz"] = _json_lines(plan.wikipedia)
    contents["wikipedia.xml.bz2"] = bz2.compress(companions.mediawiki_dump(plan.wikipedia).encode())
    contents["benchmarks/reckoning.jsonl.gz"] = _json_lines(
        {"id": item.id, "text": item.text, "question": item.question, "answer": item.answer} for item in items
    )
    documents = {"webtext2": len(plan.webtext2), "books": len(plan.books), "wikipedia": len(plan.wikipedia)}
    by_kind = dict(sorted(Counter(page.kind for page in plan.pages).items()))
    manifest = {
        "seed": seed,
        "counts": {"pages": len(plan.pages), "by_kind": by_kind, **documents, "benchmark_items": len(items)},
        "files": {f"crawl/{archive.name}": {"records": archive.records} for archive in archives},
        "pages": [
            _entry(page, place, i) for i, (page, place) in enumerate(zip(plan.pages, places, strict=True))
        ],
    }
    contents["manifest.json"] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    files = []
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        files.append(file)
    size = sum(map(len, contents.values()))
    return SampleSummary(folder, tuple(files), size, len(plan.pages), by_kind, documents)


def _file_name(number: int) -> str:
    return f"sample-{number:05}.warc.gz"


def _crawl(pages: Sequence[Page]) -> tuple[list[Archive], list[Place]]:
    archives = [Archive(_file_name(i)) for i in range(WARC_FILES)]
    places = [archives[i % WARC_FILES].add(page, 1 + i) for i, page in enumerate(pages)]
    for i, page in enumerate(pages):
        if page.kind == "damaged":
            archives[i % WARC_FILES].damage(places[i])
    return archives, places


def _entry(page: Page, place: Place, index: int) -> dict[str, Any]:
    """Describe a page; keys without a value are left out."""
    entry = {
        "id": page.id,
        "url": page.url,
        "kind": page.kind,
        "file": f"crawl/{_file_name(index % WARC_FILES)}",
        "offset": place.offset,
        "length": place.length,
        "language": page.language,
        "of": page.of,
        "detail": page.detail,
        "overwritten_bytes": DAMAGED_BYTES if page.kind == "damaged" else None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _json_lines(rows: Iterable[Mapping[str, str]]) -> bytes:
    return gzip_member("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())

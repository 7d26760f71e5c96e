"""The whole annotate stage on one core: CPU per document, Parquet included, and where it goes.

    python -m benchmarks.annotate [--data DIR] [--rounds N]

Documents are the main content of crawl pages (made-up English where the shared data is absent), cut or repeated to
4 KB each. The stage reads their Parquet part, measures, judges, and writes the `annotations` part.
"""

import argparse
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.annotate.judge import signals_needed
from pipeline.annotate.measure import Measures, measure
from pipeline.annotate.part import run_part
from pipeline.dedup.scheme import Scheme
from pipeline.document import DOCUMENTS
from pipeline.extract.limits import Limits
from pipeline.extract.page import Page, extract_page
from pipeline.sections.filter import Filter
from pipeline.sources.record import FileRange, Record
from pipeline.sources.warc import WarcReader

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "crawl" / "dev"
CHARACTERS = 4096
FILTER = Filter(languages=["en"], heuristics=["gopher_repetition", "gopher_quality", "c4_fineweb", "fineweb"])


def crawl_texts(folder: Path, most: int) -> list[str]:
    texts: list[str] = []
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as stream:
            for item in WarcReader(FileRange(stream, path.name, path.stat().st_size)):
                if isinstance(item, Record) and item.body is not None:
                    page = Page(item.body, item.charset, item.mime)
                    found = extract_page(page, extractor="resiliparse", limits=Limits()).text
                    if found and len(found) > 500:
                        texts.append((found * (CHARACTERS // len(found) + 1))[:CHARACTERS])
                if len(texts) == most:
                    return texts
    return texts


def made_texts(most: int) -> list[str]:
    words = [
        "the",
        "of",
        "and",
        "to",
        "in",
        "a",
        "is",
        "that",
        "it",
        "was",
        "for",
        "on",
        "are",
        "with",
        "as",
        "his",
        "they",
        "at",
        "be",
        "this",
        "have",
        "from",
        "or",
        "one",
        "had",
    ]
    return [
        " ".join(words[(i * 7 + j * 13) % len(words)] for j in range(900))[:CHARACTERS] for i in range(most)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the annotate stage.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with *.warc.gz")
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = crawl_texts(options.data, options.documents) or made_texts(options.documents)
    rows = len(texts)
    columns = {name: [None] * rows for name in DOCUMENTS.names}
    columns |= {"id": [f"d{i}" for i in range(rows)], "text": texts, "fate": ["kept"] * rows}
    table = pa.table([pa.array(columns[field.name], field.type) for field in DOCUMENTS], schema=DOCUMENTS)
    scheme, sets = Scheme(), signals_needed(FILTER)
    steps = {
        "language, text hash, lengths": Measures(),
        "+ all heuristics": Measures(sets=sets),
        "+ MinHash signature": Measures(sets=sets, scheme=scheme),
        "+ personal data": Measures(sets=sets, scheme=scheme, pii=("email", "ip")),
    }
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "documents.parquet"
        pq.write_table(table, documents, compression="zstd")
        task = {
            "documents": str(documents),
            "measures": {**asdict(steps["+ personal data"]), "scheme": asdict(scheme)},
            "measures_fingerprint": "x",
            "filter": FILTER.model_dump(mode="json"),
            "seed": 0,
            "blocklist": None,
            "cut": None,
            "fingerprint": "x",
        }
        best: dict[str, float] = {}
        for turn in range(options.rounds):
            for name, what in steps.items():
                begin = time.process_time()
                measure(pa.array(texts, pa.string()), what)
                best[name] = min(best.get(name, 1e9), time.process_time() - begin)
            begin = time.process_time()
            run_part({**task, "output": f"{folder}/out-{turn}.parquet"}, lambda _records, _bytes: None)
            best["the stage, Parquet included"] = min(
                best.get("the stage, Parquet included", 1e9), time.process_time() - begin
            )
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(
        f"{rows} documents of {CHARACTERS} characters, {size:.1f} MB, best CPU time of {options.rounds} rounds"
    )
    for name, seconds in best.items():
        print(f"{name:30} {1000 * seconds / rows:7.3f} ms a document {size / seconds:8.1f} MB/s")


if __name__ == "__main__":
    main()

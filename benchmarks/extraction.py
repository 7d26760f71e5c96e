"""Extraction: text against gold, time by step and extractor, and what the worker process costs.

    python -m benchmarks.extraction [--data DIR] [--pages N]

Word F1 is the mean over pages of the F1 of bags of lower-case words (WCXB's development pages; published for its
test pages: resiliparse .799, trafilatura .856). Times are CPU time of one run, steps taken in turn page by page.
"""

import argparse
import gzip
import json
import re
import time
from collections import Counter, defaultdict
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.errors import UsageError
from pipeline.extract.decode import decode
from pipeline.extract.guard import Guard
from pipeline.extract.html import EXTRACTORS, check_extractor
from pipeline.extract.limits import Limits, find_excess
from pipeline.extract.page import Page, extract_page

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_WORD = re.compile(r"\w+")


def read_pages(folder: Path) -> dict[str, Page]:
    """HTML responses by record id."""
    pages = {}
    for shard in sorted((folder / "crawl" / "dev").glob("*.warc.gz")):
        with shard.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                mime, _, parameters = str(record.http_headers.get("Content-Type", "")).partition(";")
                if "html" in mime:
                    charset = parameters.partition("charset=")[2] or None
                    truncated = "WARC-Truncated" in record.headers
                    pages[str(record.record_id)] = Page(record.reader.read(), charset, mime, (), truncated)
    return pages


def read_gold(folder: Path) -> dict[str, str]:
    """Text of WCXB's development pages by record id."""
    with gzip.open(folder / "crawl" / "groundtruth" / "dev-wcxb-dev.json.gz") as stream:
        gold = {(row["sha1"], row["url"]): row["text"] for row in json.load(stream) if "text" in row}
    records = json.loads((folder / "crawl" / "dev" / "dev-records.json").read_text())
    keys = {row["record_id"]: (row["sha1"], row["url"]) for row in records if not row["truncated"]}
    return {record: gold[key] for record, key in keys.items() if key in gold}


def word_f1(text: str, gold: str) -> float:
    ours, theirs = Counter(_WORD.findall(text.lower())), Counter(_WORD.findall(gold.lower()))
    shared = sum((ours & theirs).values())
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def report_quality(pages: dict[str, Page], gold: dict[str, str]) -> None:
    scored = {record: text for record, text in gold.items() if record in pages}
    size = sum(len(pages[record].body) for record in scored) / len(scored) / 1e3
    print(f"\nWCXB development set, {len(scored)} pages of {size:.0f} kB on average")
    print(f"{'extractor':<18}{'word F1':>9}{'ms/page':>9}{'ratio':>7}")
    names = [name for name in EXTRACTORS if is_installed(name)]
    scores: dict[str, float] = defaultdict(float)
    seconds: dict[str, float] = defaultdict(float)
    for record, text in scored.items():
        for name in names:
            start = time.process_time()
            found = extract_page(pages[record], extractor=name, limits=Limits())
            seconds[name] += time.process_time() - start
            scores[name] += word_f1(found.text or "", text)
    for name in names:
        score, cost = scores[name] / len(scored), seconds[name] / len(scored) * 1e3
        print(f"{name:<18}{score:>9.3f}{cost:>9.2f}{seconds[name] / seconds['resiliparse']:>7.1f}")


def is_installed(name: str) -> bool:
    try:
        check_extractor(name)
    except UsageError as error:
        print(error)
        return False
    return True


def report_steps(pages: list[Page]) -> None:
    seconds: dict[str, float] = defaultdict(float)
    charsets: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    for page in pages:
        start = time.process_time()
        decoded = decode(page.body, declared=page.charset, truncated=page.truncated)
        after_decode = time.process_time()
        find_excess(page.body, Limits())
        after_limits = time.process_time()
        extract_plain_text(HTMLTree.parse(decoded.text), main_content=True, alt_texts=False)
        after_library = time.process_time()
        found = extract_page(page, extractor="resiliparse", limits=Limits())
        end = time.process_time()
        seconds["decode"] += after_decode - start
        seconds["limits"] += after_limits - after_decode
        seconds["library alone"] += after_library - after_limits
        seconds["whole page"] += end - after_library
        charsets[decoded.charset_from] += 1
        fates[found.rule or found.fate] += 1
    print(
        f"\n{len(pages)} pages of {sum(len(page.body) for page in pages) / len(pages) / 1e3:.0f} kB on average"
    )
    for step, cost in seconds.items():
        print(
            f"{step:<18}{cost / len(pages) * 1e3:>8.3f} ms/page{cost / seconds['library alone']:>7.2f} x library"
        )
    print("charset from", dict(charsets.most_common()))
    print("fates", dict(fates.most_common()))


def report_guard(pages: list[Page]) -> None:
    start = time.process_time()
    with Guard() as guard:
        guard.extract(pages[:1])
        wall = time.perf_counter()
        guard.extract(pages)
        wall = time.perf_counter() - wall
        child = guard.cpu_seconds()
    parent = time.process_time() - start
    bare = time.process_time()
    for page in pages:
        extract_page(page, extractor="resiliparse", limits=Limits())
    bare = time.process_time() - bare
    count = len(pages) / 1e3
    print(f"\nbehind the guard: parent {parent / count:.3f} + child {child / count:.3f} ms/page", end="")
    print(
        f" ({wall / count:.3f} ms wall); without it {bare / count:.3f} ms/page: {(parent + child) / bare:.2f} x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder that holds crawl/dev and crawl/groundtruth"
    )
    parser.add_argument("--pages", type=int, default=None, help="only so many pages for the times")
    options = parser.parse_args()
    if not (options.data / "crawl" / "dev").is_dir():
        raise SystemExit(f"{options.data}: no crawl/dev in it; say where the test data is: --data DIR")
    pages = read_pages(options.data)
    few = list(pages.values())[: options.pages]
    report_steps(few)
    report_guard(few)
    report_quality(pages, read_gold(options.data))


if __name__ == "__main__":
    main()

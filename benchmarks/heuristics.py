"""Speed of the heuristic signals, and how far their decisions agree with datatrove's filters as shipped.

    python -m benchmarks.heuristics [--data DIR] [--megabytes N]

Texts are the main content of the pages in DIR/crawl/dev, or made up where that folder is absent. datatrove and spaCy
are compared when they can be imported; `--texts FILE` and `--decisions FILE` let an interpreter that has them do its
half: it needs this file and datatrove alone.
"""

import argparse
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PRESETS = ("gopher_repetition", "gopher_quality", "c4_paper", "fineweb")
ROUNDS = 3


def page_texts(folder: Path, limit: int) -> Iterator[str]:
    """Main content of crawl pages, until about `limit` bytes of it."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    total = 0
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                body = record.reader.read(1 << 20)
                if b"<html" not in body[:4096].lower() or body.count(b"<") > 30_000:
                    continue
                text = extract_plain_text(bytes_to_str(body, detect_encoding(body)), main_content=True)
                if text:
                    total += len(text.encode())
                    yield text
                if total > limit:
                    return


def made_up_texts(limit: int) -> Iterator[str]:
    """Paragraphs of random words, a few of them frequent, as in language."""
    import numpy as np

    rng = np.random.default_rng(0)
    words = np.array(
        [
            "the",
            "of",
            "and",
            "to",
            "be",
            *("".join(rng.choice(list("etaoinshrd"), size)) for size in rng.integers(2, 10, 5000)),
        ]
    )
    total = 0
    while total < limit:
        lines = []
        for _ in range(int(rng.integers(1, 40))):
            chosen = words[np.minimum(rng.zipf(1.3, int(rng.integers(1, 60))) - 1, len(words) - 1)]
            lines.append(" ".join(chosen) + str(rng.choice([".", "", "?", " ..."])))
        total += len("\n".join(lines))
        yield "\n".join(lines)


def seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of the quickest of some rounds."""
    spent = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return min(spent)


def measure(texts: list[str]) -> dict[str, list[str | None]]:
    """Print our speed; return our decisions by preset."""
    import pyarrow as pa

    from pipeline.annotate.rules import apply_rules, preset_rules, signal_sets
    from pipeline.annotate.signals import compute_signals

    array = pa.array(texts, pa.large_string())
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    for preset in PRESETS:
        sets = signal_sets([preset])
        print(
            f"  {preset:<20} {megabytes / seconds(lambda sets=sets: compute_signals(array, sets=sets)):7.1f} MB/s"
        )
    sets = signal_sets(PRESETS)
    spent = seconds(lambda: compute_signals(array, sets=sets))
    print(f"  {'all four':<20} {megabytes / spent:7.1f} MB/s   {1e3 * spent / len(texts):.2f} ms a document")
    signals = compute_signals(array, sets=sets)
    judge = seconds(lambda: apply_rules(signals, preset_rules(PRESETS)))
    print(
        f"  {'rules alone':<20} {megabytes / judge:7.1f} MB/s   {1e6 * judge / len(texts):.2f} us a document"
    )
    return {
        preset: apply_rules(signals, preset_rules([preset])).column("rule").to_pylist() for preset in PRESETS
    }


def measure_datatrove(texts: list[str]) -> dict[str, list[str | None]]:
    """Print datatrove's speed; return its decisions by preset."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    filters = dict(
        zip(
            PRESETS,
            (GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(), FineWebQualityFilter()),
            strict=True,
        )
    )
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    decisions: dict[str, list[str | None]] = {}
    total = 0.0
    for preset, chosen in filters.items():
        start = time.process_time()
        answers = [chosen.filter(Document(text=text, id="")) for text in texts]
        spent = time.process_time() - start
        total += spent
        decisions[preset] = [None if answer is True else answer[1] for answer in answers]
        print(f"  {preset:<20} {megabytes / spent:7.2f} MB/s", flush=True)
    print(f"  {'all four':<20} {megabytes / total:7.2f} MB/s   {1e3 * total / len(texts):.2f} ms a document")
    return decisions


def compare(
    texts: list[str], ours: dict[str, list[str | None]], theirs: dict[str, list[str | None]], shown: int
) -> None:
    """Print the share of equal decisions, and the pairs of reasons behind unequal ones."""
    for preset in PRESETS:
        pairs = list(zip(ours[preset], theirs[preset], strict=True))
        unequal = Counter((a, b) for a, b in pairs if (a is None) != (b is None))
        same = 1 - sum(unequal.values()) / len(pairs)
        kept = sum(a is None for a, _ in pairs)
        print(
            f"  {preset:<20} {same:.4f} agree   kept {kept} and {sum(b is None for _, b in pairs)} of {len(pairs)}"
        )
        for (a, b), count in unequal.most_common(6):
            print(f"      {count:4} x  {a or 'kept'} / {b or 'kept'}")
            for text, pair in zip(texts, pairs, strict=True):
                if pair == (a, b) and shown:
                    print("           ", repr(text[:shown]))
                    break


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--megabytes", type=float, default=6.0)
    parser.add_argument(
        "--texts", type=Path, help="JSON list of texts, .gz: read if it is there, else written"
    )
    parser.add_argument(
        "--decisions", type=Path, help="JSON of datatrove's decisions: read if it is there, else written"
    )
    parser.add_argument(
        "--shown", type=int, default=0, help="characters to print of a text that is judged otherwise"
    )
    options = parser.parse_args()

    if options.texts and options.texts.exists():
        texts = json.loads(gzip.decompress(options.texts.read_bytes()))
    else:
        folder = options.data / "crawl" / "dev"
        limit = int(options.megabytes * 1e6)
        texts = list(page_texts(folder, limit) if folder.is_dir() else made_up_texts(limit))
        if options.texts:
            options.texts.write_bytes(gzip.compress(json.dumps(texts).encode()))
    print(f"{len(texts)} texts, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB")

    theirs = None
    if options.decisions and options.decisions.exists():
        theirs = json.loads(options.decisions.read_text())
    else:
        try:
            import datatrove  # noqa: F401
        except ImportError:
            print("datatrove is not installed here: nothing to compare with")
        else:
            print("datatrove, as shipped")
            theirs = measure_datatrove(texts)
            if options.decisions:
                options.decisions.write_text(json.dumps(theirs))
    try:
        import pipeline.annotate.signals  # noqa: F401
    except ImportError:
        return
    print("crawlmix")
    ours = measure(texts)
    if theirs:
        print("agreement")
        compare(texts, ours, theirs, options.shown)


if __name__ == "__main__":
    main()

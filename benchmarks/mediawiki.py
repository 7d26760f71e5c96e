"""Wikitext dumps to text: our reader, its steps, and the two parser libraries alone, in one run.

    python -m benchmarks.mediawiki [--data DIR] [--rounds N]

MB are of decompressed XML (steps, reader) or of the articles' wikitext (parsers). The parsers read only `--parse-mb`
of it: alone they take minutes for a dump.
"""

import argparse
import bz2
import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

import mwparserfromhell

from pipeline.sources.bzip2_blocks import Bzip2Blocks
from pipeline.sources.mediawiki import MediaWikiReader
from pipeline.sources.mediawiki_page import parse_page
from pipeline.sources.record import FileRange
from pipeline.sources.stored import StoredBytes
from pipeline.sources.wikitext import plain_text
from pipeline.sources.wikitext_links import LinkNames

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "ref" / "wikipedia" / "xml"


def made_dump(megabytes: int = 4) -> bytes:
    """Make a dump of articles with the usual share of markup, where the shared data is absent."""
    sentence = "The '''river''' of [[Example (river)|Example]] runs{{cn|date=May 2020}} for {{convert|5|km|mi}} to [[Sea]].<ref>{{cite book|title=Rivers|author=[[A. B.]]|year=1900|publisher=Made &amp; Sons}}</ref> "
    table = '\n{| class="wikitable"\n' + "|-\n| a || [[b]] || {{c}}\n" * 20 + "|}\n"
    body = (
        "{{Infobox river|name=Example|length={{convert|5|km}}}}\n"
        + ("\n\n== Part ==\n" + sentence * 8 + table) * 6
    )
    text = body.replace("<", "&lt;").replace(">", "&gt;")
    page = "<page><title>T{n}</title><ns>0</ns><id>{n}</id><revision><timestamp>2020-01-01T00:00:00Z</timestamp><text>{t}</text></revision></page>\n"
    pages = (
        page.replace("{n}", str(number)).replace("{t}", text)
        for number in range(megabytes * 1_000_000 // len(text))
    )
    return bz2.compress(("<mediawiki>" + "".join(pages) + "</mediawiki>").encode())


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the best CPU time of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def measure(name: str, packed: bytes, rounds: int, parse_mb: float) -> None:
    xml = bz2.decompress(packed)
    pages = re.findall(rb"<page>.*?</page>", xml, re.DOTALL)
    texts = [page.text for page in map(parse_page, pages) if page.namespace == "0" and not page.redirect]
    size = sum(len(text.encode()) for text in texts)
    sample: list[str] = []
    for text in texts:
        if sum(map(len, sample)) < parse_mb * 1e6:
            sample.append(text)
    parsed = sum(len(text.encode()) for text in sample)
    names = LinkNames()

    def read_xml() -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.CharacterDataHandler = lambda _text: None
        parser.Parse(xml, True)

    def read_whole() -> list[object]:
        return list(MediaWikiReader(FileRange(io.BytesIO(packed), name, len(packed))))

    steps: list[tuple[str, float, Callable[[], object]]] = [
        ("bz2 alone", len(xml), lambda: bz2.decompress(packed)),
        (
            "bzip2 by blocks",
            len(xml),
            lambda: list(Bzip2Blocks(StoredBytes(io.BytesIO(packed), len(packed)), 0)),
        ),
        ("expat alone", len(xml), read_xml),
        ("our wikitext", size, lambda: [plain_text(text, names) for text in texts]),
        ("our reader, all", len(xml), read_whole),
        ("mwparserfromhell", parsed, lambda: [mwparserfromhell.parse(text).strip_code() for text in sample]),
    ]
    try:
        import wikitextparser
    except ModuleNotFoundError:
        print("(wikitextparser is not installed and not compared)")
    else:
        steps.append(
            ("wikitextparser", parsed, lambda: [wikitextparser.remove_markup(text) for text in sample])
        )
    print(
        f"{name}: {len(packed) / 1e6:.1f} MB stored, {len(xml) / 1e6:.1f} MB of XML, {len(texts)} articles of {size / 1e6:.1f} MB"
    )
    print(f"{'step':18} {'MB':>7} {'CPU s':>8} {'MB/s':>8}")
    for step, amount, work in steps:
        took = seconds(work, 1 if step.startswith(("mwp", "wikitextp")) else rounds)
        print(f"{step:18} {amount / 1e6:7.2f} {took:8.3f} {amount / 1e6 / took:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the reading of MediaWiki dumps.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with *.xml.bz2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parse-mb", type=float, default=1.0, help="of wikitext for the libraries alone")
    options = parser.parse_args()
    files = sorted(options.data.glob("*.xml.bz2"))
    for name, packed in [(file.name, file.read_bytes()) for file in files] or [("made dump", made_dump())]:
        measure(name, packed, options.rounds, options.parse_mb)


if __name__ == "__main__":
    main()

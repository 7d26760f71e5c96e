"""Reading web archives: our reader against FastWARC's own iteration and warcio, on the same files in one run.

    python -m benchmarks.reading [--data DIR] [--rounds N]

Every reader reads the bodies of the responses. FastWARC parses the HTTP heads; warcio undoes the content codings;
ours does all that, judges each record by the default selection and accounts for every byte.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

from fastwarc.warc import ArchiveIterator as FastWarcIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator
from warcio.warcwriter import WARCWriter

from pipeline.sources.record import FileRange, Record
from pipeline.sources.warc import WarcReader

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "crawl" / "dev"


def read_fastwarc(path: Path) -> int:
    size = 0
    for record in FastWarcIterator(str(path), parse_http=True):
        if record.record_type == WarcRecordType.response:
            size += len(record.reader.read())
    return size


def read_warcio(path: Path) -> int:
    size = 0
    with path.open("rb") as stream:
        for record in WarcioIterator(stream):
            if record.rec_type == "response":
                size += len(record.content_stream().read())
    return size


def read_ours(path: Path) -> int:
    size = 0
    with path.open("rb") as stream:
        for item in WarcReader(FileRange(stream, path.name, path.stat().st_size)):
            if isinstance(item, Record) and item.body is not None:
                size += len(item.body)
    return size


READERS: dict[str, Callable[[Path], int]] = {
    "warcio": read_warcio,
    "FastWARC": read_fastwarc,
    "crawlmix": read_ours,
}


def make_data(folder: Path) -> None:
    """Write a shard of 600 made-up pages with their requests, where the shared data is absent."""
    words = [f"word{number * 7919 % 3001}" for number in range(6000)]
    with (folder / "made.warc.gz").open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for page in range(600):
            body = " ".join(words[page * 5 : page * 5 + 2500]).encode()
            block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>" + body
            url = f"http://example.org/{page}"
            for kind in ("request", "response"):
                payload = io.BytesIO(
                    block if kind == "response" else b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"
                )
                writer.write_record(writer.create_warc_record(url, kind, payload=payload))


def measure(files: list[Path], rounds: int) -> None:
    stored = sum(path.stat().st_size for path in files)
    seconds = {name: [0.0] * rounds for name in READERS}
    sizes: dict[str, int] = {}
    for turn in range(rounds):
        for name, read in READERS.items():
            # File by file in turn would be fairer still; whole passes keep every reader's caches its own.
            begin = time.process_time()
            sizes[name] = sum(read(path) for path in files)
            seconds[name][turn] = time.process_time() - begin
    best = {name: min(values) for name, values in seconds.items()}
    print(f"{len(files)} files, {stored / 1e6:.1f} MB stored, best CPU time of {rounds} rounds")
    print(f"{'reader':10} {'CPU s':>8} {'MB/s':>8} {'x warcio':>9} {'x FastWARC':>11} {'body MB':>9}")
    for name, value in best.items():
        ratios = f"{best['warcio'] / value:9.2f} {best['FastWARC'] / value:11.2f}"
        print(f"{name:10} {value:8.3f} {stored / 1e6 / value:8.1f} {ratios} {sizes[name] / 1e6:9.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare readers of web archives.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with *.warc.gz")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = sorted(options.data.glob("*.warc.gz"))
    if files:
        measure(files, options.rounds)
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder))
        measure(sorted(Path(folder).glob("*.warc.gz")), options.rounds)


if __name__ == "__main__":
    main()

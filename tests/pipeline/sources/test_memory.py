"""Memory of a reader, measured in a process of its own: bombs and endless records must not be held."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import io, resource, sys, zlib, gzip, json
import brotli, zstandard
from pipeline.sources.open_reader import reader_for
from pipeline.sources.record import FileRange, Record
from tests.pipeline.sources.archives import http, warc

case = sys.argv[1]
piece = bytes(1 << 20)
squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
def gz(parts):
    out = [squeeze.compress(part) for part in parts]
    return b"".join(out) + squeeze.flush()
size = 100
if case == "record":
    head = warc(b"", length=str(size << 20))[:-4]
    data, format = gz([head, *[piece] * size, b"\\r\\n\\r\\n"]), "warc"
elif case == "endless header":
    data, format = gz([b"WARC/1.0\\r\\nX: ", *[piece] * size]), "warc"
elif case == "gzip body":
    data, format = warc(http(gz([piece] * size), "Content-Encoding: gzip")), "warc"
elif case == "zstd body":
    pack = zstandard.ZstdCompressor().compressobj()
    body = b"".join(pack.compress(piece) for _ in range(size)) + pack.flush()
    data, format = warc(http(body, "Content-Encoding: zstd")), "warc"
elif case == "br body":
    pack = brotli.Compressor(quality=1)
    body = b"".join(pack.process(piece) for _ in range(size)) + pack.finish()
    data, format = warc(http(body, "Content-Encoding: br")), "warc"
elif case == "zstd file":
    pack = zstandard.ZstdCompressor().compressobj()
    head = warc(b"", length=str(size << 20))[:-4]
    data = pack.compress(head) + b"".join(pack.compress(piece) for _ in range(size)) + pack.flush()
    format = "warc"
elif case == "line":
    data, format = gz([b'{"text": "', *[b"x" * (1 << 20)] * size, b'"}']), "jsonl"
elif case == "text":
    data, format = gz([piece] * size), "text"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rules = [getattr(item, "rule", "skipped") for item in reader_for(format, FileRange(io.BytesIO(data), "made", len(data)))]
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"rules": rules, "grown": after - before, "stored": len(data)}))
"""
CASES = {
    "record": ["too_large"],
    "endless header": ["skipped"],
    "gzip body": ["too_large"],
    "zstd body": ["too_large"],
    "br body": ["too_large"],
    "zstd file": ["too_large"],
    "line": ["too_large"],
    "text": ["too_large"],
}


@pytest.mark.parametrize("case", CASES)
def test_100_mb_from_a_small_file_need_little_memory(case):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, case], capture_output=True, text=True, timeout=120, check=True
    )
    result = json.loads(run.stdout)
    assert result["rules"] == CASES[case]
    assert result["stored"] < 2_000_000
    # The limit is 4 MiB; buffers of a record, of its decoder and of the file's window come on top.
    assert result["grown"] < 70_000  # KiB, far below 100 MiB

"""Indexes of captures, for tests."""

import io
import json
from typing import Any

import pyarrow as pa

from pipeline.sources.cdx import IndexCounts, read_captures


def entry(n: int, **fields: Any) -> dict[str, Any]:
    return {
        "url": f"http://site{n % 4}.example.org/{n}", "mime": "text/html", "mime-detected": "text/html", "status": "200",
        "languages": "eng", "length": "100", "offset": str(1000 * n), "filename": f"crawl/{n % 2}.warc.gz", **fields,
    }  # fmt: skip


def cdxj(entries: list[dict[str, Any]], timestamp: str = "20200115000000") -> bytes:
    return b"".join(f"org,example)/ {timestamp} {json.dumps(item)}\n".encode() for item in entries)


def read(data: bytes) -> tuple[list[pa.RecordBatch], IndexCounts]:
    counts = IndexCounts()
    return list(read_captures(io.BytesIO(data), "index", len(data), counts)), counts

"""What goes through the pipes between the guard and its worker: lengths and bytes, never objects.

A frame is a little-endian uint32 length and that many bytes. A batch is the frame count, then two frames for each
page: its properties as JSON and its body. The worker answers each page by two frames: properties as JSON, text in
UTF-8 (empty and `text: false` where there is none).
"""

import json
import struct
from typing import IO, Any

from pipeline.extract.page import Extracted, Page

_LENGTH = struct.Struct("<I")
MAX_FRAME_BYTES = 1 << 30


def write_frame(stream: IO[bytes], payload: bytes) -> None:
    """Write one frame; the caller flushes."""
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)


def read_frame(stream: IO[bytes]) -> bytes:
    """Read one frame.

    Raises:
        EOFError: the stream ends, in or before the frame.
        ValueError: the length is absurd: the other side does not speak this.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"frame of {length} bytes announced")
    return _read(stream, length)


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


def write_batch(stream: IO[bytes], pages: list[Page]) -> None:
    """Write a batch of pages and flush."""
    stream.write(_LENGTH.pack(len(pages)))
    for page in pages:
        properties = [page.charset, page.mime, page.robots, page.truncated]
        write_frame(stream, json.dumps(properties).encode())
        write_frame(stream, page.body)
    stream.flush()


def read_batch(stream: IO[bytes]) -> list[Page]:
    """Read a batch of pages; EOFError at the end of the stream."""
    (count,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    pages = []
    for _ in range(count):
        charset, mime, robots, truncated = json.loads(read_frame(stream))
        pages.append(Page(read_frame(stream), charset, mime, tuple(robots), truncated))
    return pages


def write_result(stream: IO[bytes], result: Extracted) -> None:
    """Write what became of one page and flush."""
    properties: list[Any] = [
        result.text is not None,
        *(result.title, result.charset, result.charset_from, result.extractor),
        *(result.opt_out, result.fate, result.rule, result.detail),
    ]
    write_frame(stream, json.dumps(properties).encode())
    write_frame(stream, (result.text or "").encode())
    stream.flush()


def read_result(stream: IO[bytes]) -> Extracted:
    """Read what became of one page; EOFError at the end of the stream."""
    has_text, title, charset, charset_from, extractor, opt_out, fate, rule, detail = json.loads(
        read_frame(stream)
    )
    text = read_frame(stream).decode()
    return Extracted(
        text if has_text else None,
        title,
        charset,
        charset_from,
        extractor,
        tuple(opt_out),
        fate,
        rule,
        detail,
    )

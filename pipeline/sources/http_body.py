"""HTTP bodies with their transfer and content codings undone, in bounded memory, whatever the headers claim."""

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli
import zstandard

from pipeline.sources.frames import MAX_ZSTD_WINDOW, zstd_frame_end
from pipeline.sources.stored import StoredBytes

MAX_LAYERS = 4  # of content codings; real servers stack two by mistake, bombs more
_STEP = 1 << 16
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]{0,4096})?\r?\n")
_CODING = re.compile(r"[^\s,]+")


@dataclass(slots=True)
class Body:
    """A decoded body, or why there is none.

    `truncated` names what is missing of a body that is not whole. `error` is `too_large` or
    `bad_content_encoding`; `data` is then empty.
    """

    data: bytes = b""
    truncated: str | None = None
    error: str | None = None


def decode_body(
    raw: bytes, transfer_encoding: str | None, content_encoding: str | None, max_bytes: int
) -> Body:
    """Undo the codings that the headers declare; a header that lies leaves the bytes as they are.

    A coding lies if the bytes cannot be decoded with it and are text as they stand. Output never exceeds
    `max_bytes`, at any layer: a larger body is `too_large` and decoding stops there.

    Args:
        raw: the body as archived.
        transfer_encoding: value of the HTTP header; None when absent.
        content_encoding: the same.
        max_bytes: of the decoded body.
    """
    body = Body(raw)
    layers: list[str] = []
    if content_encoding:
        layers = _CODING.findall(content_encoding.lower())
    if transfer_encoding:
        transfer = _CODING.findall(transfer_encoding.lower())
        if "chunked" in transfer:
            body = dechunk(raw)
            transfer.remove("chunked")
        layers += transfer
    layers = [layer for layer in layers if layer not in _IDENTITY]
    if len(layers) > MAX_LAYERS:
        return Body(error="bad_content_encoding")
    for layer in reversed(layers):
        decoded = _undo(body.data, layer, max_bytes)
        if decoded.error:
            return decoded
        body = Body(decoded.data, body.truncated or decoded.truncated)
    return Body(error="too_large") if len(body.data) > max_bytes else body


def dechunk(raw: bytes) -> Body:
    """Join the chunks of a chunked body (RFC 9112, section 7.1); a body that has none is returned as it is."""
    pieces: list[bytes] = []
    position, end = 0, len(raw)
    while True:
        header = _CHUNK_SIZE.match(raw, position)
        if not header:
            if not pieces:
                return Body(raw)
            return Body(b"".join(pieces), "cut_chunks" if position >= end - 18 else "bad_chunks")
        size = int(header[1], 16)
        if size == 0:
            return Body(b"".join(pieces))
        start = header.end()
        position = start + size
        if position > end:
            # A plain body may open with a word in hexadecimal, but not with a line that is longer than itself.
            if not pieces and size > 16 * max(end, 1 << 20):
                return Body(raw)
            pieces.append(raw[start:])
            return Body(b"".join(pieces), "cut_chunks")
        if raw.startswith(b"\r\n", position):
            pieces.append(raw[start:position])
            position += 2
        elif raw.startswith(b"\n", position):
            pieces.append(raw[start:position])
            position += 1
        elif position == end:
            pieces.append(raw[start:])
            return Body(b"".join(pieces), "cut_chunks")
        elif not pieces:
            return Body(raw)
        else:
            pieces.append(raw[start:position])
            return Body(b"".join(pieces), "bad_chunks")


def looks_like_text(data: bytes) -> bool:
    """Say whether the first KiB could be text: no control bytes that no text encoding leaves at this rate."""
    head = data[:1024]
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return True
    return len(head.translate(None, _CONTROL)) >= len(head) * 0.99


_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13, 27}) + b"\x7f"
_IDENTITY = {"identity", "none", "binary", "8bit", "7bit", "utf-8", "utf8", "chunked"}


def _undo(data: bytes, coding: str, max_bytes: int) -> Body:
    declared = _DECODERS.get(coding)
    by_magic = (
        _gunzip
        if data.startswith(b"\x1f\x8b\x08")
        else _unzstd
        if data.startswith(b"\x28\xb5\x2f\xfd")
        else None
    )
    for decoder in dict.fromkeys((declared, by_magic)):
        if decoder is not None:
            decoded = decoder(data, max_bytes)
            if decoded is not None:
                return decoded
    return Body(data) if looks_like_text(data) else Body(error="bad_content_encoding")


def _gunzip(data: bytes, max_bytes: int) -> Body | None:
    if not data.startswith(b"\x1f\x8b"):
        return None
    return _inflate(data, 31, max_bytes)


def _inflate_any(data: bytes, max_bytes: int) -> Body | None:
    """Undo `deflate`: a zlib stream by the standard (RFC 9110), raw deflate data from many servers."""
    decoded = _inflate(data, 15, max_bytes)
    if decoded is None:
        decoded = _inflate(data, -15, max_bytes)
        if decoded is not None and decoded.truncated == "bad_encoding":
            return None  # any text decodes for a while as raw deflate data
    return decoded


def _inflate(data: bytes, window_bits: int, max_bytes: int) -> Body | None:
    pieces: list[bytes] = []
    size = 0
    while True:
        inflater = zlib.decompressobj(window_bits)
        rest = data
        while not inflater.eof:
            try:
                out = inflater.decompress(rest, min(_STEP, max_bytes - size + 1))
            except zlib.error:
                return Body(b"".join(pieces), "bad_encoding") if size else None
            rest = inflater.unconsumed_tail
            pieces.append(out)
            size += len(out)
            if size > max_bytes:
                return Body(error="too_large")
            if not out and not rest and not inflater.eof:
                return Body(b"".join(pieces), "cut_encoding") if size else None
        data = inflater.unused_data
        if window_bits != 31 or not data.startswith(b"\x1f\x8b\x08"):
            return Body(b"".join(pieces))


def _unbrotli(data: bytes, max_bytes: int) -> Body | None:
    inflater = brotli.Decompressor()
    pieces: list[bytes] = []
    size = 0
    rest = data
    try:
        while not inflater.is_finished():
            out = inflater.process(rest, output_buffer_limit=_STEP)
            rest = b""
            pieces.append(out)
            size += len(out)
            if size > max_bytes:
                return Body(error="too_large")
            if not out and inflater.can_accept_more_data():
                return Body(b"".join(pieces), "cut_encoding") if size and not looks_like_text(data) else None
    except brotli.error:
        return Body(b"".join(pieces), "bad_encoding") if size and not looks_like_text(data) else None
    return Body(b"".join(pieces))


def _unzstd(data: bytes, max_bytes: int) -> Body | None:
    if not data.startswith(b"\x28\xb5\x2f\xfd"):
        return None
    pieces: list[bytes] = []
    size = 0
    inflater = zstandard.ZstdDecompressor(max_window_size=min(MAX_ZSTD_WINDOW, 8 << 20))  # RFC 9659: 8 MiB
    with inflater.stream_reader(data, read_across_frames=True) as reader:
        while True:
            try:
                out = reader.read(_STEP)
            except zstandard.ZstdError:
                return Body(b"".join(pieces), "bad_encoding") if size else None
            if not out:
                break
            pieces.append(out)
            size += len(out)
            if size > max_bytes:
                return Body(error="too_large")
    _, error = zstd_frame_end(StoredBytes(io.BytesIO(data), len(data)), 0)
    if error and not size:
        return None
    return Body(b"".join(pieces), "cut_encoding" if error else None)


_DECODERS: dict[str, Callable[[bytes, int], Body | None]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_any,
    "br": _unbrotli,
    "zstd": _unzstd,
}

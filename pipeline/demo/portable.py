"""Compression whose bytes do not depend on the compression library.

zlib, zlib-ng and the builds of both that Python is linked with find different matches in the same text, so
their output differs. Huffman coding alone, in blocks of a fixed size, leaves them nothing to choose.
"""

import struct
import zlib

BLOCK_BYTES = 4096
_GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"  # deflate, no name, no time, unknown system
SYNC_MARK = b"\x00\x00\xff\xff"  # what a flush leaves between two blocks: an empty stored block


def deflate(data: bytes) -> bytes:
    """Return a raw deflate stream (RFC 1951) of `data`."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY)
    blocks = []
    for start in range(0, len(data), BLOCK_BYTES):
        blocks += [squeeze.compress(data[start : start + BLOCK_BYTES]), squeeze.flush(zlib.Z_FULL_FLUSH)]
    return b"".join([*blocks, squeeze.flush()])


def gzip_member(data: bytes) -> bytes:
    """Return one gzip member (RFC 1952) that holds `data`, without time, name or system."""
    return _GZIP_HEADER + deflate(data) + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def zlib_stream(data: bytes) -> bytes:
    """Return a zlib stream (RFC 1950) that holds `data`, as HTTP calls for under the name `deflate`."""
    return b"\x78\x9c" + deflate(data) + struct.pack(">I", zlib.adler32(data))


def brotli_stored(data: bytes) -> bytes:
    """Return a brotli stream (RFC 7932, section 9.2) that holds `data` as one uncompressed meta-block.

    Raises:
        ValueError: `data` is empty or longer than 64 KiB, the most that one such block can hold.
    """
    if not 0 < len(data) <= 1 << 16:
        raise ValueError(f"a stored brotli block holds 1 to 65,536 bytes, not {len(data):,}")
    # From the lowest bit: WBITS 0 (64 KiB window), ISLAST 0, MNIBBLES 00 (four), MLEN - 1, ISUNCOMPRESSED 1.
    header = (len(data) - 1) << 4 | 1 << 20
    return header.to_bytes(3, "little") + data + b"\x03"  # ISLAST, ISLASTEMPTY


def chunked(data: bytes, *, chunk_bytes: int = 1000) -> bytes:
    """Return `data` in HTTP/1.1 chunked transfer coding (RFC 9112, section 7.1)."""
    parts = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

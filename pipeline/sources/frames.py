"""zstd and LZ4 frames as they lie in a file: where each ends, which are to be skipped, and the dictionary."""

import zstandard

from pipeline.sources.stored import WINDOW, StoredBytes

# zstd -22 needs 128 MiB; frames that ask for more are refused, since the file decides what we allocate.
MAX_ZSTD_WINDOW = 1 << 27


def zstd_dictionary(stored: StoredBytes) -> tuple[bytes, int]:
    """Return the dictionary in the first frame of a .warc.zst and that frame's length: (b"", 0) if there is none.

    A dictionary may itself be compressed as a zstd frame; it may inflate to 16 MiB at most.
    """
    head = stored.read(0, 8)
    if len(head) < 8 or head[:4] != b"\x5d\x2a\x4d\x18":
        return b"", 0
    length = int.from_bytes(head[4:], "little")
    if length > 16 << 20:
        return b"", 8 + length
    raw = b"".join(stored.read(8 + at, min(WINDOW, length - at)) for at in range(0, length, WINDOW))
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            with zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW).stream_reader(raw) as reader:
                raw = reader.read(16 << 20)
        except zstandard.ZstdError:
            raw = b""
    return raw, 8 + length


def skippable_length(stored: StoredBytes, offset: int) -> int:
    """Return the length of the skippable zstd or LZ4 frame at `offset`, 0 if none is there."""
    head = stored.read(offset, 8)
    if len(head) == 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return min(8 + int.from_bytes(head[4:], "little"), stored.size - offset)
    return 0


def zstd_frame_end(stored: StoredBytes, offset: int) -> tuple[int, str | None]:
    """Walk the block headers of a zstd frame to its end, without inflating (RFC 8878, section 3.1.1).

    Returns:
        The offset after the frame and None; the end of the file and "cut"; or `offset` and what is wrong.
    """
    head = stored.read(offset, 18)
    if head[:4] != b"\x28\xb5\x2f\xfd":
        return offset, "no zstd frame"
    try:
        position = offset + zstandard.frame_header_size(head)
    except zstandard.ZstdError:
        return stored.size, "cut"
    checksum = 4 if head[4] & 4 else 0
    while True:
        raw = stored.read(position, 3)
        if len(raw) < 3:
            return stored.size, "cut"
        header = int.from_bytes(raw, "little")
        kind, size = header >> 1 & 3, header >> 3
        if kind == 3:
            return offset, "corrupt zstd block"
        position += 3 + (1 if kind == 1 else size)
        if header & 1:
            position += checksum
            return (position, None) if position <= stored.size else (stored.size, "cut")


def lz4_frame_end(stored: StoredBytes, offset: int) -> tuple[int, str | None]:
    """Walk the block sizes of an LZ4 frame to its end (LZ4 frame format 1.6); returns as `zstd_frame_end`."""
    head = stored.read(offset, 6)
    if head[:4] != b"\x04\x22\x4d\x18":
        return offset, "no lz4 frame"
    if len(head) < 6:
        return stored.size, "cut"
    flags = head[4]
    if flags >> 6 != 1:
        return offset, "unknown lz4 version"
    position = offset + 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    while True:
        raw = stored.read(position, 4)
        if len(raw) < 4:
            return stored.size, "cut"
        size = int.from_bytes(raw, "little") & 0x7FFFFFFF
        position += 4
        if size == 0 and raw == b"\0\0\0\0":
            position += 4 if flags & 4 else 0
            return (position, None) if position <= stored.size else (stored.size, "cut")
        position += size + (4 if flags & 16 else 0)

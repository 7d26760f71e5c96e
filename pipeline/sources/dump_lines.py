"""Lines of a large dump, whatever it is compressed with: zstd with the longest window, bzip2, gzip, xz, LZ4, or not."""

import lzma
from collections.abc import Iterator
from typing import IO, Final, cast

import zstandard

from pipeline.sources.bzip2_blocks import MAGIC as _BZIP2
from pipeline.sources.bzip2_blocks import Bzip2Blocks
from pipeline.sources.members import skippable_length, zstd_frame_end
from pipeline.sources.record import Skipped
from pipeline.sources.stored import PLAIN_STEP, WINDOW, StoredBytes
from pipeline.sources.streams import InflatedFile

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_XZ: Final = b"\xfd7zXZ\x00"
_XZ_MEMORY: Final = 1 << 30  # xz -9 needs 65 MiB
# Public dumps are made with `zstd --ultra --long=31`; a reader that keeps to the default window refuses them.
_MAX_WINDOW: Final = 1 << 31
_PIECE: Final = 1 << 20


def dump_lines(stored: StoredBytes, *, max_line: int) -> Iterator[bytes | Skipped]:
    """Yield the lines of a file without their ends, and `Skipped` for what of it could not be read.

    A line that bytes are missing from is not given out, nor is one longer than `max_line`, for which there is a
    `Skipped` with the length 0. After damage bzip2 goes on with the next block, zstd with the next frame.
    """
    held = b""
    broken = False  # the line that is being read has lost its beginning
    for piece in _pieces(stored):
        if isinstance(piece, Skipped):
            yield piece
            held, broken = b"", True
            continue
        first, newline, rest = piece.partition(b"\n")
        held += b"" if broken else first
        if newline:
            if not broken:
                yield held
            lines = rest.split(b"\n")
            held, broken = lines.pop(), False
            yield from lines
        if len(held) > max_line:
            yield Skipped(0, 0, f"a line of more than {max_line} bytes")
            held, broken = b"", True
    if held:
        yield held


def _pieces(stored: StoredBytes) -> Iterator[bytes | Skipped]:
    head = stored.read(0, 8)
    if head.startswith(_BZIP2):
        for block in Bzip2Blocks(stored, 0):
            yield block if isinstance(block, Skipped) else block.data
    elif head.startswith(_XZ):
        yield from _unxz(stored)
    elif head.startswith(_ZSTD) or (skippable_length(stored, 0) and head[4:] != b""):
        yield from _unzstd(stored)
    else:
        inflated = InflatedFile(stored)
        yield from inflated
        if inflated.lost:
            yield inflated.lost


def _unzstd(stored: StoredBytes) -> Iterator[bytes | Skipped]:
    position = 0
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    while position < stored.size:
        if padding := skippable_length(stored, position):
            position += padding
            continue
        end, problem = zstd_frame_end(stored, position)
        stop = stored.size if problem else end
        frame = cast("IO[bytes]", _Range(stored, position, stop))
        reached = position
        try:
            with decompressor.stream_reader(frame, read_size=1 << 17) as reader:
                while piece := reader.read(_PIECE):
                    yield piece
                    reached = cast("_Range", frame).position
        except zstandard.ZstdError as error:
            problem = problem or " ".join(str(error).split())
        if problem:
            lost_from = min(max(reached, position), stop - 1)
            yield Skipped(lost_from, stop - lost_from, f"zstd: {problem}")
        position = stop


class _Range:
    """Bytes [start, stop) of a file, for a decompressor to read."""

    def __init__(self, stored: StoredBytes, start: int, stop: int) -> None:
        self._stored, self.position, self._stop = stored, start, stop

    def read(self, size: int = -1) -> bytes:
        left = self._stop - self.position
        piece = self._stored.read(self.position, min(WINDOW, left if size < 0 else min(size, left)))
        self.position += len(piece)
        return piece


def _unxz(stored: StoredBytes) -> Iterator[bytes | Skipped]:
    position = 0
    inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    stored_piece = b""
    try:
        while True:
            if inflater.eof:
                rest = inflater.unused_data.lstrip(b"\0") or stored.read(position, PLAIN_STEP).lstrip(b"\0")
                if not rest:
                    return
                if not inflater.unused_data.lstrip(b"\0"):
                    position += PLAIN_STEP
                inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
                stored_piece = rest
            elif inflater.needs_input and not stored_piece:
                stored_piece = stored.read(position, PLAIN_STEP)
                position += len(stored_piece)
                if not stored_piece:
                    yield Skipped(stored.size, 0, "xz: cut")
                    return
            piece = inflater.decompress(stored_piece, _PIECE)
            stored_piece = b""
            if piece:
                yield piece
    except lzma.LZMAError as error:
        begin = max(0, position - PLAIN_STEP)
        yield Skipped(begin, stored.size - begin, f"xz: {error}")

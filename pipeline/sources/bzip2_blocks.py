"""bzip2 by blocks: where each begins, so that a file can be read in byte ranges and past damage.

A block is compressed on its own and carries its checksum, but begins at any bit. Shifted to a byte and given a
header and a trailer it is a file of its own; the trailer's checksum of one block is the block's. So it makes no
difference whether a file is one stream, a stream for every hundred pages, or one for every block.
"""

import bz2
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.sources.record import Skipped
from pipeline.sources.stored import PLAIN_STEP, WINDOW, StoredBytes

MAGIC: Final = b"BZh"
_BLOCK: Final = 0x314159265359  # opens a block
_END: Final = 0x177245385090  # closes the blocks of a stream
_SPAN: Final = 7  # bytes that 48 bits cover at any shift
_PIECE: Final = 1 << 20  # inflated bytes handed out at once; a block of 900 kB may hold 46 MB of one letter
# 900,000 symbols in the longest code (20 bits), and the tables before them: no block is longer.
_MAX_BLOCK_BYTES: Final = 900_000 * 20 // 8 + 20_000
_MAX_TRIES: Final = 4  # ends that are tried for a block


def _pattern(magic: int, shift: int) -> tuple[bytes, int, int]:
    """Return the bytes that a magic fills wholly when it begins at a bit, and what it leaves on both sides."""
    spread = (magic << (8 - shift)).to_bytes(_SPAN, "big")
    return (spread[:6] if shift == 0 else spread[1:6]), spread[0], spread[6]


_PATTERNS: Final = [
    (kind, shift, *_pattern(magic, shift)) for kind, magic in enumerate((_BLOCK, _END)) for shift in range(8)
]


@dataclass(slots=True, frozen=True)
class Block:
    """Contents of one block, or a part of them."""

    offset: int  # byte of the file in which the block begins
    end: int  # byte of the file after the block
    data: bytes


class Bzip2Blocks:
    """Blocks that begin at or after a byte of the file, in order, with `Skipped` in place of damaged ones.

    A block's contents are given out once its checksum is verified, except those of more than 1 MiB, whose last
    mebibyte is held back until then.
    """

    def __init__(self, stored: StoredBytes, start: int) -> None:
        self._stored = stored
        self._start = start

    def __iter__(self) -> Iterator[Block | Skipped]:
        marks = _marks(self._stored, self._start)
        mark = next(marks, None)
        if mark is None and self._start == 0:
            yield Skipped(0, self._stored.size, "bzip2: no block in the file")
        while mark is not None:
            bit, kind = mark
            mark = next(marks, None)
            if kind != 0:
                continue
            # What looks like the next mark may be a part of this block: such bits occur once in 2^48.
            following, marks = itertools.tee(marks)
            error = "cut"
            stops = itertools.chain([mark] if mark else [], following)
            for stop, _ in itertools.islice(stops, _MAX_TRIES):
                if stop - bit > 8 * _MAX_BLOCK_BYTES:
                    break
                read = _Inflated(self._stored, bit, stop)
                yield from read
                error = read.error
                if not error or read.given:
                    break
            if error:
                end = self._stored.size if mark is None else mark[0] // 8
                yield Skipped(bit // 8, max(end - bit // 8, 1), f"bzip2: {error}")


class _Inflated:
    """One block; after iteration `error` says why it is not whole, and `given` whether a part was handed out."""

    def __init__(self, stored: StoredBytes, bit: int, stop: int) -> None:
        self._stored, self._bit, self._stop = stored, bit, stop
        self.error = ""
        self.given = False

    def __iter__(self) -> Iterator[Block]:
        offset, end = self._bit // 8, (self._stop + 7) // 8
        inflater = bz2.BZ2Decompressor()
        held = b""
        compressed = _as_file(
            _read(self._stored, offset, end - offset), self._bit % 8, self._stop - self._bit
        )
        try:
            while not inflater.eof:
                piece = inflater.decompress(compressed, _PIECE)
                compressed = b""
                if held:
                    self.given = True
                    yield Block(offset, end, held)
                held = piece
                if not piece and inflater.needs_input:
                    self.error = "damaged block"
                    return
        except (OSError, EOFError):
            self.error = "damaged block"
            return
        yield Block(offset, end, held)


def _as_file(data: bytes, shift: int, bits: int) -> bytes:
    """Make a bzip2 file of the `bits` that begin at bit `shift` of `data`."""
    unpacked = np.unpackbits(np.frombuffer(data, dtype=np.uint8))[shift : shift + bits]
    checksum = np.packbits(unpacked[48:80]).tobytes()
    trailer = np.unpackbits(np.frombuffer(_END.to_bytes(6, "big") + checksum, dtype=np.uint8))
    return b"BZh9" + np.packbits(np.concatenate([unpacked, trailer])).tobytes()


def _read(stored: StoredBytes, offset: int, length: int) -> bytes:
    pieces = [
        stored.read(at, min(WINDOW, offset + length - at)) for at in range(offset, offset + length, WINDOW)
    ]
    return b"".join(pieces)


def _marks(stored: StoredBytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield (bit, kind) of everything from byte `start` on that opens a block (0) or closes a stream (1)."""
    position = start
    while position < stored.size:
        data = stored.read(position, PLAIN_STEP)
        last = position + len(data) >= stored.size
        found: list[tuple[int, int]] = []
        for kind, shift, inner, before, after in _PATTERNS:
            skipped = 0 if shift == 0 else 1
            at = data.find(inner, skipped)
            while at >= 0:
                begin = at - skipped
                if shift == 0 or (
                    data[begin] & (0xFF >> shift) == before
                    and at + 5 < len(data)
                    and data[at + 5] & (0xFF << (8 - shift) & 0xFF) == after
                ):
                    found.append((8 * (position + begin) + shift, kind))
                at = data.find(inner, at + 1)
        # A mark in the last bytes of a window is seen again at the start of the next.
        limit = 8 * (position + len(data) - (0 if last else _SPAN))
        yield from sorted(mark for mark in found if mark[0] < limit)
        if last:
            return
        position += len(data) - _SPAN

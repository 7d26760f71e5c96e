"""A file as stored, read by position through one window, however its stream buffers."""

import re
from typing import BinaryIO

WINDOW = 2 << 20  # bytes; holds the compressed form of nearly every record
PLAIN_STEP = 256 << 10  # bytes that a plain file is read by


class StoredBytes:
    """Random access to a stream of `size` bytes that is meant to be read mostly forward.

    One window of `WINDOW` bytes is held. A stream that ends before `size` makes `size` smaller: the rest of
    the file is then as good as cut off.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size
        self.base = 0
        self.window = b""

    def load(self, offset: int, length: int = WINDOW) -> bytes:
        """Put the window at `offset` and return it: `length` bytes, fewer only at the end of the file."""
        length = max(0, min(length, self.size - offset))
        held = (
            self.window[offset - self.base :] if self.base <= offset <= self.base + len(self.window) else b""
        )
        if len(held) < length:
            self._stream.seek(offset + len(held))
            pieces = [held]
            missing = length - len(held)
            while missing > 0:
                piece = self._stream.read(missing)
                if not piece:
                    self.size = offset + length - missing
                    break
                pieces.append(piece)
                missing -= len(piece)
            held = b"".join(pieces)
        self.base, self.window = offset, held
        return held

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes (at most `WINDOW`) at `offset`; fewer only at the end of the file."""
        begin = offset - self.base
        if begin < 0 or begin + length > len(self.window):
            self.load(offset)
            begin = 0
        return self.window[begin : begin + length]

    def find(self, pattern: re.Pattern[bytes], start: int, stop: int, overlap: int) -> int | None:
        """Return where `pattern` first matches at or after `start`, before `stop`; None if it does not.

        Args:
            pattern: never longer than `overlap` bytes where it matches.
            start: first offset at which a match may begin.
            stop: first offset at which a match may not begin any more.
            overlap: bytes that two windows share.
        """
        while start < min(stop, self.size):
            if not self.base <= start < self.base + len(self.window) - overlap:
                self.load(start)
            begin = start - self.base
            last = self.base + len(self.window) >= self.size
            found = pattern.search(self.window, begin)
            if (
                found
                and found.start() + self.base < stop
                and (last or found.start() <= len(self.window) - overlap)
            ):
                return found.start() + self.base
            if last:
                return None
            start = max(start + 1, self.base + len(self.window) - overlap)
        return None

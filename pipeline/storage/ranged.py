"""A seekable file over byte ranges of a remote object: reads ahead, resumes where a fault struck."""

import io
import time
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from pipeline.storage.retry import DEFAULT, PROGRESS_BYTES, Attempts, NetworkPolicy, Sleep, TransientError

_FIRST_WINDOW = 256 << 10  # small reads after a seek (headers, footers) do not pay for a whole block


class NoRangesError(Exception):
    """The server gives the object only as a whole."""


def complete(chunks: Iterator[bytes], expected: int) -> Iterator[bytes]:
    """Pass `chunks` on; raise `TransientError` if they end before `expected` bytes."""
    left = expected
    for chunk in chunks:
        left -= len(chunk)
        yield chunk
    if left > 0:
        raise TransientError(f"the answer ended {left} bytes early")


class RangeSource(Protocol):
    """One remote object, asked for by byte ranges."""

    url: str

    def size(self) -> int:
        """Return the object's bytes.

        Raises:
            TransientError: a fault that may be gone at the next try.
            NoRangesError: the size can be learned only by reading the object.
        """

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes [start, stop) in order, in pieces; fewer only if the transfer ends early.

        Raises:
            TransientError: a fault that may be gone at the next try.
            NoRangesError: the server gives the object only as a whole.
            CrawlmixError: the object changed since it was first asked for.
        """

    def spool(self) -> BinaryIO:
        """Return a local file with the whole object.

        Raises:
            TransientError: a fault that may be gone at the next try.
        """


class RangedFile(io.RawIOBase):
    """The raw file; wrap it in `io.BufferedReader` with a buffer of `policy.block_bytes`.

    One `readinto` asks for at most a window, which doubles from 256 KiB to `policy.block_bytes` while reading is
    sequential. A fault in the middle of a range is followed by a request for what is still missing of it.
    """

    def __init__(
        self, source: RangeSource, policy: NetworkPolicy = DEFAULT, sleep: Sleep = time.sleep
    ) -> None:
        super().__init__()
        self.name = source.url
        self.mode = "rb"
        self._source = source
        self._policy = policy
        self._sleep = sleep
        self._position = 0
        self._expected = 0  # position after the last read: reading on from there is sequential
        self._window = min(_FIRST_WINDOW, policy.block_bytes)
        self._size: int | None = None
        self._spool: BinaryIO | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; asks nothing of the server, unless it counts from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        if start is None:
            start = self.size()
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._position = start + offset
        return self._position

    def size(self) -> int:
        """Return the object's bytes; asks the server once."""
        if self._size is None:
            attempts = Attempts(self.name, self._policy, self._sleep)
            while self._size is None:
                try:
                    self._size = self._source.size()
                except TransientError as fault:
                    attempts.failed(fault)
                except NoRangesError:
                    self._fill_spool()
        return self._size

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # WriteableBuffer is a name of typeshed alone
        """Fill `buffer` as far as the window reaches; 0 at the end."""
        view = memoryview(buffer).cast("B")
        got = self._from_ranges(view) if self._spool is None and len(view) else 0
        if self._spool is not None and len(view):
            self._spool.seek(self._position)
            got = self._spool.readinto(view)  # type: ignore[attr-defined]  # every binary file has it
        self._position += got
        self._expected = self._position
        return got

    def readall(self) -> bytes:
        """Return everything from the position on; the inherited one would ask for 8 KiB at a time."""
        content = bytearray(max(0, self.size() - self._position))
        view = memoryview(content)
        got = 0
        while count := self.readinto(view[got:]):
            got += count
        return bytes(view[:got])

    def close(self) -> None:
        """Drop what was stored locally."""
        if self._spool is not None:
            self._spool.close()
        super().close()

    def _from_ranges(self, view: memoryview) -> int:
        """Fill `view` from the current position; leaves `_spool` set if the server turns out to give no ranges."""
        if self._position != self._expected:
            self._window = min(_FIRST_WINDOW, self._policy.block_bytes)
        stop = min(self.size(), self._position + min(len(view), self._window))
        if self._spool is not None:
            return 0
        wanted = max(0, stop - self._position)
        got = counted = 0
        attempts = Attempts(self.name, self._policy, self._sleep)
        while got < wanted:
            try:
                for chunk in self._missing(self._position + got, stop):
                    view[got : got + len(chunk)] = chunk
                    got += len(chunk)
            except TransientError as fault:
                if got - counted >= PROGRESS_BYTES:
                    attempts.progressed()
                    counted = got
                attempts.failed(fault, self._position + got)
            except NoRangesError:
                self._fill_spool()
                return 0
        self._window = min(2 * self._window, self._policy.block_bytes)
        return got

    def _missing(self, start: int, stop: int) -> Iterator[bytes]:
        return complete(self._source.chunks(start, stop), stop - start)

    def _fill_spool(self) -> None:
        """Fetch the whole object into an unnamed local file; nothing of it was handed out before it is complete."""
        attempts = Attempts(self.name, self._policy, self._sleep)
        while self._spool is None:
            try:
                self._spool = self._source.spool()
            except TransientError as fault:
                attempts.failed(fault)
        self._size = self._spool.seek(0, io.SEEK_END)

"""Compressed members: where each begins and ends in the file, and what is inside.

Web archives are a chain of independent members (gzip members, zstd or LZ4 frames), one for each record or one for
all. A member is opened by its offset and inflated in bounded pieces; its end is known once it is read to its end.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import IO, ClassVar, Protocol, cast

import zstandard
from fastwarc.stream_io import GzipReader, Lz4Reader

from pipeline.sources.frames import MAX_ZSTD_WINDOW, lz4_frame_end
from pipeline.sources.frames import skippable_length as skippable_length  # noqa: PLC0414 - readers of dumps take it from here
from pipeline.sources.frames import zstd_frame_end as zstd_frame_end  # noqa: PLC0414 - the same
from pipeline.sources.stored import WINDOW, StoredBytes

PIECE = 1 << 16  # stored bytes given to a decompressor at once
# What a single call inflates. An error loses the output of its call, so it is small.
OUTPUT = 1 << 14
# Small chunks stay in the cache until they are joined: a quarter faster than inflating pages in one call.
CHUNK = 1 << 15


class Member:
    """One member at `offset`: iterate `pieces` for its contents; then `end` and `error` are final.

    `end` is the offset of the first byte after the member as far as it could be read. `error` says why it is not
    whole (None: it is); what was inflated up to there has been handed out.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.end = offset
        self.error: str | None = None
        self.chunks: list[bytes] | None = None  # contents, once they are inflated to the end
        self.pieces: Iterator[bytes] = iter(())


class Codec(Protocol):
    """A compression whose members can be found and opened one by one."""

    name: ClassVar[str]
    magic: ClassVar[re.Pattern[bytes]]

    def open(self, stored: StoredBytes, offset: int, limit: int) -> Member:
        """Open the member at `offset`; it may be inflated at once if it holds at most `limit` bytes."""
        ...

    def peek(self, stored: StoredBytes, offset: int) -> Iterator[bytes]:
        """Inflate what could be a member at `offset`, in small pieces, for as far as it is wanted."""
        ...


class Gzip:
    """Gzip members: FastWARC's inflater where a member is whole and small, zlib in steps everywhere else."""

    name: ClassVar[str] = "gzip"
    magic: ClassVar[re.Pattern[bytes]] = re.compile(rb"\x1f\x8b\x08")

    def __init__(self) -> None:
        self._fast: GzipReader | None = None
        self._window = b""
        self._next = -1

    def open(self, stored: StoredBytes, offset: int, limit: int) -> Member:
        """Open the member at `offset`; see `Codec`."""
        member = Member(offset)
        if not self._open_at_once(member, stored, offset, limit):
            self._fast = None
            member.pieces = _gunzip(member, stored)
        return member

    def peek(self, stored: StoredBytes, offset: int) -> Iterator[bytes]:
        """Inflate what could be a member; see `Codec`."""
        return _gunzip(Member(offset), stored)

    def _open_at_once(self, member: Member, stored: StoredBytes, offset: int, limit: int) -> bool:
        """Inflate a member whose end and size can be guessed from the magic of the next one.

        The guess is taken only if the reader ends exactly there, checksum verified; so the outcome is the same as
        that of reading it in steps, at a third of the cost.
        """
        begin = offset - stored.base
        if begin < 0 or begin >= len(stored.window):
            stored.load(offset)
            begin = 0
        end = stored.window.find(b"\x1f\x8b\x08", begin + 1)
        if end < 0 and stored.base + len(stored.window) < stored.size:
            stored.load(offset)
            begin = 0
            end = stored.window.find(b"\x1f\x8b\x08", 1)
        if end < 0:
            if stored.base + len(stored.window) < stored.size:
                return False  # larger than the window
            end = len(stored.window)
        if end - begin < 18:
            return False
        size = int.from_bytes(stored.window[end - 4 : end], "little")
        if not 0 < size <= limit:
            return False
        if self._fast is None or self._window is not stored.window or self._next != begin:
            self._window = stored.window
            stream = io.BytesIO(stored.window)  # shares the bytes
            stream.seek(begin)
            self._fast = GzipReader(stream, 1 << 16)
            self._shift = begin - self._fast.inner_tell()
        chunks = []
        try:
            while size > 0 and (chunk := self._fast.read(min(size, CHUNK))):
                chunks.append(chunk)
                size -= len(chunk)
            if size or self._fast.inner_tell() + self._shift != end:
                return False
        except OSError:
            return False
        self._next = end
        member.chunks = chunks
        member.end = stored.base + end
        return True


def _gunzip(member: Member, stored: StoredBytes) -> Iterator[bytes]:
    body = _after_gzip_header(stored, member.offset)
    if isinstance(body, str):
        member.error = body
        member.end = stored.size if body == "cut" else member.offset
        return
    inflater = zlib.decompressobj(-15)
    position, checksum, size = body, 0, 0
    while not inflater.eof:
        piece = stored.read(position, PIECE)
        position += len(piece)
        if not piece:
            member.error, member.end = "cut", stored.size
            return
        while piece and not inflater.eof:
            try:
                out = inflater.decompress(piece, OUTPUT)
            except zlib.error:
                member.error, member.end = "corrupt deflate data", position - len(piece)
                return
            piece = inflater.unconsumed_tail
            if out:
                checksum = zlib.crc32(out, checksum)
                size += len(out)
                yield out
        while not inflater.eof and not piece:
            try:  # output that needs no more input
                out = inflater.decompress(b"", OUTPUT)
            except zlib.error:
                member.error, member.end = "corrupt deflate data", position
                return
            if not out:
                break
            checksum = zlib.crc32(out, checksum)
            size += len(out)
            yield out
    position -= len(inflater.unused_data)
    trailer = stored.read(position, 8)
    member.end = position + len(trailer)
    if len(trailer) < 8:
        member.error = "cut"
    elif trailer != struct.pack("<II", checksum, size & 0xFFFFFFFF):
        member.error = "bad checksum"


def _after_gzip_header(stored: StoredBytes, offset: int) -> int | str:
    """Return the offset of the deflate data, or why there is none (RFC 1952, section 2.3)."""
    head = stored.read(offset, 10)
    if not b"\x1f\x8b\x08".startswith(head[:3]):
        return "no gzip header"
    if len(head) < 10:
        return "cut"
    flags = head[3]
    if flags & 0xE0:
        return "reserved gzip flags"
    position = offset + 10
    if flags & 4:
        extra = stored.read(position, 2)
        position += 2 + int.from_bytes(extra, "little")
    for flag in (8, 16):  # name, comment
        if flags & flag:
            end = stored.read(position, PIECE).find(b"\0")
            if end < 0:
                return "cut" if position + PIECE >= stored.size else "no end of the gzip header"
            position += end + 1
    if flags & 2:
        position += 2
    return position if position < stored.size else "cut"


class Zstd:
    """Zstandard frames, with the dictionary that the first frame of a .warc.zst may hold.

    Source: IIPC proposal "zstd compression of WARC", a skippable frame 0x184D2A5D at the start of the file.
    """

    name: ClassVar[str] = "zstd"
    magic: ClassVar[re.Pattern[bytes]] = re.compile(rb"\x28\xb5\x2f\xfd")

    def __init__(self, dictionary: bytes = b"") -> None:
        data = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._inflater = zstandard.ZstdDecompressor(dict_data=data, max_window_size=MAX_ZSTD_WINDOW)

    def open(self, stored: StoredBytes, offset: int, limit: int) -> Member:  # noqa: ARG002 - pieces are as fast
        """Open the member at `offset`; see `Codec`."""
        member = Member(offset)
        end, error = zstd_frame_end(stored, offset)
        member.end, member.error = end, error
        if error is None or error == "cut":
            member.pieces = self._inflate(member, stored)
        return member

    def peek(self, stored: StoredBytes, offset: int) -> Iterator[bytes]:
        """Inflate what could be a member; see `Codec`."""
        member = Member(offset)
        member.end = stored.size
        return self._inflate(member, stored)

    def _inflate(self, member: Member, stored: StoredBytes) -> Iterator[bytes]:
        source = _Extent(stored, member.offset, member.end)
        with self._inflater.stream_reader(cast("IO[bytes]", source), read_size=PIECE) as reader:
            while True:
                try:
                    out = reader.read(OUTPUT)
                except zstandard.ZstdError:
                    member.error = "corrupt zstd data"
                    return
                if not out:
                    return
                yield out


class Lz4:
    """LZ4 frames, inflated by FastWARC."""

    name: ClassVar[str] = "lz4"
    magic: ClassVar[re.Pattern[bytes]] = re.compile(rb"\x04\x22\x4d\x18")

    def open(self, stored: StoredBytes, offset: int, limit: int) -> Member:  # noqa: ARG002 - pieces are as fast
        """Open the member at `offset`; see `Codec`."""
        member = Member(offset)
        member.end, member.error = lz4_frame_end(stored, offset)
        if member.error is None or member.error == "cut":
            member.pieces = _unlz4(member, stored)
        return member

    def peek(self, stored: StoredBytes, offset: int) -> Iterator[bytes]:
        """Inflate what could be a member; see `Codec`."""
        member = Member(offset)
        member.end = stored.size
        return _unlz4(member, stored)


def _unlz4(member: Member, stored: StoredBytes) -> Iterator[bytes]:
    reader = Lz4Reader(_Extent(stored, member.offset, member.end), PIECE)
    while True:
        try:
            out = reader.read(OUTPUT)
        except OSError:
            member.error = member.error or "corrupt lz4 data"
            return
        if not out:
            return
        yield out


class _Extent(io.RawIOBase):
    """The bytes of one member as a stream of its own."""

    def __init__(self, stored: StoredBytes, start: int, end: int) -> None:
        self._stored, self._start, self._end, self._position = stored, start, end, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: self._start, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        self._position = min(max(origin + offset, self._start), self._end)
        return self.tell()

    def read(self, size: int = -1) -> bytes:
        left = self._end - self._position
        size = left if size < 0 else min(size, left)
        piece = self._stored.read(self._position, min(size, WINDOW))
        self._position += len(piece)
        return piece

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

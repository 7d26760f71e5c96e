"""A file that is compressed as a whole, as one bounded run of inflated pieces."""

from collections.abc import Iterator

from pipeline.sources.frames import skippable_length, zstd_dictionary
from pipeline.sources.members import Codec, Gzip, Lz4, Zstd
from pipeline.sources.record import Skipped
from pipeline.sources.stored import PLAIN_STEP, StoredBytes


class InflatedFile:
    """Contents of a file from its start, whatever its compression: iterate for pieces, then read `lost`.

    gzip, zstd and LZ4 are recognised by content; members follow each other without a mark. After damage nothing
    more is read, since a text has no place where one could safely go on.
    """

    def __init__(self, stored: StoredBytes) -> None:
        self._stored = stored
        self.lost: Skipped | None = None
        head = stored.read(0, 4)
        self._codec: Codec | None = None
        self._start = 0
        if head.startswith(b"\x1f\x8b\x08"):
            self._codec = Gzip()
        elif head == b"\x04\x22\x4d\x18":
            self._codec = Lz4()
        elif head == b"\x28\xb5\x2f\xfd" or skippable_length(stored, 0):
            dictionary, self._start = zstd_dictionary(stored)
            self._codec = Zstd(dictionary)
        self.compressed = self._codec is not None

    def __iter__(self) -> Iterator[bytes]:
        position = self._start
        stored = self._stored
        while position < stored.size:
            if self._codec is None:
                piece = stored.read(position, PLAIN_STEP)
                if not piece:
                    return
                position += len(piece)
                yield piece
                continue
            if padding := skippable_length(stored, position):
                position += padding
                continue
            member = self._codec.open(stored, position, PLAIN_STEP)
            if member.chunks is not None:
                yield from member.chunks
            else:
                yield from member.pieces
            if member.error:
                begin = (
                    position
                    if member.error == "bad checksum"
                    else min(max(member.end, position), stored.size - 1)
                )
                self.lost = Skipped(begin, stored.size - begin, f"{self._codec.name}: {member.error}")
                return
            position = member.end

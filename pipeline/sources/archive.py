"""The reader of web archives: a file, plain or of compressed members, as records and lost bytes."""

import itertools
import re
from collections.abc import Generator, Iterator
from typing import Generic, Protocol, TypeVar

from pipeline.sources.frames import skippable_length, zstd_dictionary
from pipeline.sources.members import Codec, Gzip, Lz4, Member, Zstd
from pipeline.sources.record import FileRange, Reader, Record, Selection, Skipped
from pipeline.sources.scan import MAX_HEADER, Feed, Found, Grammar, Junk, scan, scan_one
from pipeline.sources.stored import PLAIN_STEP, StoredBytes

# Members read one by one after the fast way refused one: it costs something to begin.
_PAUSE = 64
_PROBE = 512  # inflated bytes in which a record must begin
# A damaged member may be inflated past its real end, by some KB; the next member is looked for from here back.
_OVERRUN = 256 << 10
_MAX_RATIO = 1040  # deflate makes no more than 1032 bytes out of one

HeadT = TypeVar("HeadT")
# Yields what a member holds, returns the offset to go on at.
Accounted = Generator[Record | Skipped, None, int]


class ArchiveGrammar(Grammar[HeadT], Protocol[HeadT]):
    """A grammar that also knows what its records mean."""

    def record(self, found: Found[HeadT], selection: Selection) -> Record:
        """Turn a framed record into a Record without its place."""
        ...


class ArchiveReader(Generic[HeadT]):
    """Reads the records that begin in a byte range, each once, whatever the file holds; implements `Reader`.

    Every record is given out, those that the selection does not take with fate `removed`. Nothing is raised for
    damage: bytes that hold no record are given as `Skipped`, a record whose length is wrong or that is cut is
    marked in `truncated`, one that cannot be read is `failed`. Damage inside a member behind a good record has no
    place in the file of its own: its `Skipped` has the member's offset and length 0.

    `exact=False` searches the first offset at or after `start` where a member begins with a record (plain: where a
    line begins one). Payload that is itself a WARC, stored without compression, can mislead that search. So a
    caller who splits a file checks that each range's `first_offset` is the `next_offset` of the range before, and
    reads a range that does not fit again from that `next_offset` with `exact=True`. A range without any record
    has `first_offset` None and `next_offset` equal to its end.

    Bytes after the range belong to it if they are no record: the following range cannot know whether they are the
    rest of one.

    A member that inflates to more than the selection's limit (a file compressed as a whole) is read as a stream:
    its records have length 0, their members' ends being unknown, and wrong lengths are repaired within that limit.
    """

    def __init__(self, file_range: FileRange, grammar: ArchiveGrammar[HeadT]) -> None:
        self._range = file_range
        self._grammar = grammar
        self._limit = file_range.selection.max_bytes + MAX_HEADER
        self.first_offset: int | None = None
        self.next_offset = file_range.start

    def __iter__(self) -> Iterator[Record | Skipped]:
        given = self._range
        stored = StoredBytes(given.stream, given.size)
        end = given.size if given.end is None else min(given.end, given.size)
        if given.start >= end:
            self.next_offset = max(given.start, self.next_offset)
            return
        codec, first = self._detect(stored)
        start = given.start
        if start < first:  # the dictionary: it belongs to the range that begins with it
            self.first_offset = 0 if start == 0 else None
            start = first
            if start >= end:
                self.next_offset = start if self.first_offset == 0 else end
                return
        elif not given.exact and start > 0:
            found = self._next_start(stored, codec, start, end)
            if found is None:
                self.next_offset = end
                return
            start = found
        self.first_offset = start if self.first_offset is None else self.first_offset
        self.next_offset = start
        yield from (
            self._plain(stored, start, end) if codec is None else self._members(stored, codec, start, end)
        )

    def _detect(self, stored: StoredBytes) -> tuple[Codec | None, int]:
        """Tell the compression by the file's first bytes that mean something: the codec and where it starts."""
        head = stored.load(0, 1 << 16)
        if head.startswith(b"\x1f\x8b\x08"):
            return Gzip(), 0
        dictionary, length = zstd_dictionary(stored)
        if length:
            return Zstd(dictionary), min(length, stored.size)
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            return Zstd(), 0
        if head.startswith(b"\x04\x22\x4d\x18"):
            return Lz4(), 0
        if self._grammar.start.match(head.lstrip(b"\r\n")):
            return None, 0
        # Garbage at the start: the first thing in it that is a record decides.
        plain = self._grammar.search.search(head)
        for codec in (Gzip(), Zstd(), Lz4()):
            found = self._next_start(stored, codec, 0, min(len(head), stored.size))
            if found is not None and (plain is None or found < plain.start()):
                return codec, 0
        return None, 0

    def _next_start(self, stored: StoredBytes, codec: Codec | None, start: int, stop: int) -> int | None:
        """Return the first offset in [start, stop) where a record (compressed: a member with one) begins."""
        if codec is None:
            return stored.find(self._grammar.search, start, stop, 4096)
        while True:
            found = stored.find(codec.magic, start, stop, 4)
            if found is None or self._opens_record(stored, codec, found):
                return found
            start = found + 1

    def _opens_record(self, stored: StoredBytes, codec: Codec | None, offset: int) -> bool:
        if codec is None:
            return bool(self._grammar.start.match(stored.read(offset, 8192).lstrip(b"\r\n")))
        opening = b""
        for piece in codec.peek(stored, offset):
            opening = (opening + piece[:_PROBE]).lstrip(b"\r\n")
            if len(opening) >= _PROBE:
                break
        return bool(self._grammar.start.match(opening))

    def _plain(self, stored: StoredBytes, start: int, end: int) -> Iterator[Record | Skipped]:
        feed = PlainFeed(stored, start)
        for item in scan(feed, self._grammar, self._limit):
            if item.start >= end and isinstance(item, Found):
                self.next_offset = item.start
                return
            self.next_offset = item.end
            if isinstance(item, Junk):
                yield Skipped(item.start, item.end - item.start, f"no {self._grammar.name} record")
                continue
            record = self._record(item, cut=item.end >= stored.size)
            record.offset, record.length = item.start, item.end - item.start
            yield record
        self.next_offset = stored.size

    def _run(self, stored: StoredBytes, start: int, end: int) -> Iterator[Record]:
        """Read healthy members from `start` on; subclasses may know a fast way."""
        del stored, start, end
        return iter(())

    def _members(self, stored: StoredBytes, codec: Codec, start: int, end: int) -> Iterator[Record | Skipped]:
        position = start
        pause = 0
        while position < stored.size:
            if position >= end and self._opens_record(stored, codec, position):
                break
            if codec.name == "gzip" and pause == 0 and position < end:
                begin = position
                for record in self._run(stored, position, end):
                    self.next_offset = position = record.offset + record.length
                    yield record
                if position > begin:
                    continue
                pause = _PAUSE
            pause = max(0, pause - 1)
            if codec.name != "gzip" and (padding := skippable_length(stored, position)):
                position += padding
                self.next_offset = position
                continue
            member = codec.open(stored, position, self._limit)
            if member.chunks is None:
                chunks, size = _take(member, self._limit)
                if size > self._limit:
                    position = yield from self._streamed(stored, codec, member, b"".join(chunks))
                    self.next_offset = position
                    continue
                member.chunks = chunks
            if member.error is None:
                size = sum(map(len, member.chunks))
                if found := scan_one(member.chunks, size, self._grammar):
                    record = self._grammar.record(found, self._range.selection)
                    record.offset, record.length = position, member.end - position
                    self.next_offset = position = member.end
                    yield record
                    continue
            position = yield from self._buffered(stored, codec, member, b"".join(member.chunks))
        self.next_offset = position

    def _buffered(self, stored: StoredBytes, codec: Codec, member: Member, contents: bytes) -> Accounted:
        feed = Feed(iter(()), bound=len(contents), buffer=contents)
        feed.ended = True
        following = self._after(stored, codec, member)
        here = member.offset
        stop = min(max(member.end, here + 1), following)
        self.next_offset = following
        index = 0
        for item in scan(feed, self._grammar, self._limit):
            if isinstance(item, Junk):
                if index or item.end < len(contents):
                    size = item.end - item.start
                    yield Skipped(here, 0, f"{size} bytes inside the {codec.name} member hold no record")
                continue
            cut = member.error is not None and item.end >= len(contents)
            record = self._record(item, cut=cut, damaged=member.error == "bad checksum")
            record.offset, record.length, record.index = here, stop - here, index
            index += 1
            yield record
        if not index:
            reason = member.error or ("no record in the member" if contents else "empty member")
            yield Skipped(here, following - here, f"{codec.name}: {reason}")
        elif following > stop:
            yield Skipped(stop, following - stop, f"{codec.name}: {member.error}")
        return following

    def _streamed(self, stored: StoredBytes, codec: Codec, member: Member, pieces: bytes) -> Accounted:
        bound = (stored.size - member.offset) * _MAX_RATIO if codec.name == "gzip" else 1 << 62
        feed = Feed(member.pieces, bound=bound, buffer=pieces)
        index = 0
        for item in scan(feed, self._grammar, self._limit):
            if isinstance(item, Junk):
                if index or not feed.ended:
                    size = item.end - item.start
                    yield Skipped(
                        member.offset, 0, f"{size} bytes inside the {codec.name} member hold no record"
                    )
                continue
            at_end = feed.ended and item.end >= feed.base + len(feed.buffer)
            record = self._record(item, cut=at_end and member.error is not None)
            record.offset, record.index = member.offset, index
            index += 1
            yield record
        for _ in member.pieces:
            pass
        following = self._after(stored, codec, member)
        lost_from = min(max(member.end, member.offset + 1), following) if index else member.offset
        if following > lost_from:
            yield Skipped(
                lost_from, following - lost_from, f"{codec.name}: {member.error or 'no record in the member'}"
            )
        return following

    def _after(self, stored: StoredBytes, codec: Codec, member: Member) -> int:
        """Return where to go on behind a member: its end, or the next start of a record if it is damaged."""
        if member.error in {None, "bad checksum"}:
            return member.end
        found = self._next_start(stored, codec, max(member.offset + 1, member.end - _OVERRUN), stored.size)
        return stored.size if found is None else found

    def _record(self, item: Found[HeadT], *, cut: bool, damaged: bool = False) -> Record:
        if cut and item.problem == "short_body":
            item.problem = "cut_record"
        elif damaged and item.problem is None:
            item.problem = "bad_checksum"
        return self._grammar.record(item, self._range.selection)


class PlainFeed(Feed):
    """An uncompressed file: positions are the file's offsets, and one can look ahead."""

    def __init__(self, stored: StoredBytes, start: int) -> None:
        super().__init__(iter(()), base=start, bound=stored.size)
        self._stored = stored

    def fill(self, upto: int) -> bool:
        """Hold everything from `base` to `upto`; see `Feed`."""
        have = self.base + len(self.buffer)
        if have >= upto:
            return True
        if not self.ended:
            pieces = [self.buffer]
            while have < upto and (piece := self._stored.read(have, PLAIN_STEP)):
                pieces.append(piece)
                have += len(piece)
            self.buffer = b"".join(pieces)
            self.bound = self._stored.size
            self.ended = have >= self._stored.size
        return have >= upto

    def drop(self, upto: int) -> None:
        """Forget what lies before `upto`; see `Feed`."""
        upto = min(upto, self._stored.size)
        held = self.base + len(self.buffer)
        self.buffer = self.buffer[upto - self.base :] if upto < held else b""
        self.base = upto
        self.ended = upto >= self._stored.size or (self.ended and upto < held)

    def fits(self, end: int, start: re.Pattern[bytes]) -> bool | None:
        """Look whether a record could end at `end`; see `Feed`."""
        if end > self._stored.size:
            return False
        tail = self._stored.read(end, 4096)
        after = tail.lstrip(b"\r\n")
        return tail.startswith((b"\r\n\r\n", b"\n\n")) or not after or bool(start.match(after))


def _take(member: Member, limit: int) -> tuple[list[bytes], int]:
    """Inflate a member to its end, or to just over `limit` bytes; return the pieces and their size."""
    pieces: list[bytes] = []
    size = 0
    for piece in member.pieces:
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            break
    return pieces, size


def first_record(reader: Reader, offset: int, index: int) -> Record | None:
    """Return the record at (`offset`, `index`) of a reader that begins there; None if it is not there."""
    records = (item for item in reader if isinstance(item, Record))
    near = itertools.takewhile(lambda record: record.offset == offset, records)
    return next((record for record in near if record.index == index), None)

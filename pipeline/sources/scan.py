"""Records in a run of inflated bytes: framing by length, checked at both ends, with resynchronisation after damage."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

MAX_HEADER = 2 << 20  # bytes of one header block; the largest seen on the web are below 1 MB
_OVERLAP = 4 << 10  # bytes in which a search pattern must match
_STEP = 256 << 10
_BLANK = re.compile(rb"[\r\n]*")
_TRAILER = re.compile(rb"(?:\r?\n)*")

_NOTHING: Iterator[bytes] = iter(())

HeadT = TypeVar("HeadT")


@dataclass(slots=True)
class Head(Generic[HeadT]):
    """A record's own header: where its block begins, how long it claims to be (None: no valid length)."""

    block_start: int
    length: int | None
    fields: HeadT


@dataclass(slots=True)
class Found(Generic[HeadT]):
    """A record at [start, end) of the feed.

    `data[block_start:block_stop]` and, where there is a `rest`, what that holds but for its last `surplus` bytes,
    are its block, or the first bytes of it, at most the scan's limit. `size` is the length of the whole block.
    `problem` is None, or `wrong_length`, `short_body`, `bad_length`.
    """

    start: int
    end: int
    fields: HeadT
    data: bytes
    block_start: int
    block_stop: int
    size: int
    problem: str | None = None
    rest: Sequence[bytes] = ()
    surplus: int = 4

    @property
    def complete(self) -> bool:
        """Whether all of the block is held."""
        return bool(self.rest) or self.size <= self.block_stop - self.block_start

    def payload(self, start: int) -> bytes:
        """Return the block from position `start` in `data` to its end."""
        if not self.rest:
            return self.data[start : self.block_stop]
        if start == len(self.data) and len(self.rest) == 1 and not self.surplus:
            return self.rest[0]
        last = memoryview(self.rest[-1])
        return b"".join((memoryview(self.data)[start:], *self.rest[:-1], last[: len(last) - self.surplus]))

    def join(self) -> None:
        """Move the whole block into `data`."""
        self.data = self.payload(0)
        self.block_stop = len(self.data)
        self.rest = ()


@dataclass(slots=True)
class Junk:
    """Bytes [start, end) of the feed in which no record begins."""

    start: int
    end: int


class Feed:
    """Bytes that arrive in pieces, seen through a buffer that the scanner fills and drops.

    Positions are absolute: `base` is that of `buffer[0]`. `bound` is no smaller than the end of the data.
    """

    __slots__ = ("_pieces", "base", "bound", "buffer", "ended")

    def __init__(self, pieces: Iterator[bytes], *, base: int = 0, bound: int, buffer: bytes = b"") -> None:
        self._pieces = pieces
        self.base = base
        self.bound = bound
        self.buffer = buffer
        self.ended = False

    def fill(self, upto: int) -> bool:
        """Hold everything from `base` to `upto`; False if the data ends before."""
        have = self.base + len(self.buffer)
        if have >= upto:
            return True
        if not self.ended:
            pieces = [self.buffer]
            upto = max(upto, have + _STEP)
            for piece in self._pieces:
                pieces.append(piece)
                have += len(piece)
                if have >= upto:
                    break
            else:
                self.ended = True
                self.bound = have
            self.buffer = b"".join(pieces)
        return have >= upto

    def drop(self, upto: int) -> None:
        """Forget what lies before `upto`, which may be beyond the buffer."""
        while upto > self.base + len(self.buffer):
            self.base += len(self.buffer)
            self.buffer = b""
            if not self.fill(self.base + 1):
                return
        self.buffer = self.buffer[upto - self.base :]
        self.base = upto

    def fits(self, end: int, start: re.Pattern[bytes]) -> bool | None:  # noqa: ARG002 - for feeds that look ahead
        """Say whether a record could end at `end`, beyond the buffer; None if that cannot be seen from here.

        Args:
            end: position behind the block.
            start: matches at the start of a record.
        """
        return False if end > self.bound else None


class Grammar(Protocol[HeadT]):
    """What tells the records of one kind of archive: WARC or ARC."""

    name: ClassVar[str]
    start: ClassVar[re.Pattern[bytes]]  # matches at the start of a record
    search: ClassVar[re.Pattern[bytes]]  # finds one in damaged data; stricter than `start`, matches in 4 KiB

    def head(self, feed: Feed, start: int) -> Head[HeadT] | None:
        """Read the header of the record at `start`, filling the feed; None if there is none."""
        ...


def scan(feed: Feed, grammar: Grammar[HeadT], limit: int) -> Iterator[Found[HeadT] | Junk]:
    """Yield the records of a feed in order, and what lies between them that is none.

    A record must be followed by the next one, by blank lines or by the end; else its length is wrong, and the
    record ends where the next one begins, which is searched from the end of its header. So a wrong length costs
    at most its own record. Only up to `limit` bytes behind a header can be searched again.

    Args:
        feed: at the first byte to account for.
        grammar: of the archive.
        limit: bytes of a block that are held.
    """
    position = feed.base
    while True:
        position = _after_blank(feed, position)
        if position >= feed.base + len(feed.buffer):
            return
        head = grammar.head(feed, position)
        if head is None:
            following = _find(feed, grammar, position + 1)
            yield Junk(position, following)
            position = following
            continue
        found = _frame(feed, grammar, position, head, limit)
        position = found.end = _after_blank(feed, found.end)
        yield found


def scan_one(chunks: Sequence[bytes], end: int, grammar: Grammar[HeadT]) -> Found[HeadT] | None:
    """Return the record that takes up `chunks` exactly; None if `scan` must find out what is there.

    Archives with one member for each record are read through this short cut; the outcome is that of `scan`.

    Args:
        chunks: of the whole data; the record's header must lie in the first.
        end: bytes in all of them.
        grammar: of the archive.
    """
    if not chunks or not chunks[-1].endswith(b"\r\n\r\n"):
        return None
    first = chunks[0]
    feed = Feed(_NOTHING, bound=end, buffer=first)
    feed.ended = True
    head = grammar.head(feed, 0)
    if head is None or head.length is None or head.block_start + head.length + 4 != end:
        return None
    if len(chunks) == 1:
        return Found(0, end, head.fields, first, head.block_start, end - 4, head.length)
    return Found(0, end, head.fields, first, head.block_start, len(first), head.length, None, chunks[1:])


def _after_blank(feed: Feed, position: int) -> int:
    while True:
        begin = position - feed.base
        buffer = feed.buffer
        if begin < len(buffer) and buffer[begin] not in b"\r\n":
            return position
        if begin <= len(buffer):
            position = feed.base + _BLANK.match(buffer, begin).end()  # type: ignore[union-attr]
        if position < feed.base + len(buffer):
            return position
        feed.drop(position)
        if not feed.fill(position + 1):
            return position


def _frame(feed: Feed, grammar: Grammar[HeadT], start: int, head: Head[HeadT], limit: int) -> Found[HeadT]:
    begin, length = head.block_start, head.length
    if length is None:
        end = _find(feed, grammar, begin)
        return Found(start, end, head.fields, b"", 0, 0, 0, "bad_length")
    end = begin + length
    if length <= limit:
        feed.fill(end + 4)
        base, buffer = feed.base, feed.buffer
        if buffer[end - base : end - base + 4] == b"\r\n\r\n":
            return Found(start, end + 4, head.fields, buffer, begin - base, end - base, length)
        whole = end <= base + len(buffer)
        if whole and _may_end(feed, grammar, end):
            return Found(start, end, head.fields, feed.buffer, begin - feed.base, end - feed.base, length)
        return _reframe(feed, grammar, (start, end), head, limit=limit, short=not whole)
    feed.fill(begin + limit)
    fits = feed.fits(end, grammar.start)
    if fits is False:
        return _reframe(feed, grammar, (start, end), head, limit=limit, short=end > feed.bound)
    block = feed.buffer[begin - feed.base : begin - feed.base + limit]
    feed.drop(end)
    if feed.ended and end > feed.base + len(feed.buffer):
        return Found(
            start, feed.base + len(feed.buffer), head.fields, block, 0, len(block), length, "short_body"
        )
    problem = None if _may_end(feed, grammar, end) else "wrong_length"
    return Found(start, end, head.fields, block, 0, len(block), length, problem)


def _reframe(
    feed: Feed,
    grammar: Grammar[HeadT],
    extent: tuple[int, int],
    head: Head[HeadT],
    *,
    limit: int,
    short: bool,
) -> Found[HeadT]:
    """Frame a record whose length is wrong by the start of the next one, or by the end of the data."""
    start, end = extent
    begin = head.block_start
    feed.fill(begin + limit)
    base, buffer = feed.base, feed.buffer
    following = grammar.search.search(buffer, begin - base)
    if following:
        block = buffer[begin - base : following.start()].rstrip(b"\r\n")
        held = min(limit, len(block))
        return Found(start, base + following.start(), head.fields, block, 0, held, len(block), "wrong_length")
    if feed.ended:
        block = buffer[begin - base :].removesuffix(b"\r\n\r\n")
        held = min(limit, len(block))
        problem = "short_body" if short else "wrong_length"
        return Found(start, base + len(buffer), head.fields, block, 0, held, len(block), problem)
    block = buffer[begin - base : begin - base + limit]
    following_start = _find(feed, grammar, begin)
    if short or following_start < end:
        end = following_start
    problem = "short_body" if short else "wrong_length"
    return Found(start, end, head.fields, block, 0, len(block), end - begin, problem)


def _may_end(feed: Feed, grammar: Grammar[HeadT], end: int) -> bool:
    """Say whether a record may end at `end`: blank lines and then a record or the end of the data follow."""
    feed.fill(end + _OVERLAP)
    begin = end - feed.base
    trailer = _TRAILER.match(feed.buffer, begin)
    after = trailer.end() if trailer else begin
    # Two line ends close a record even if something else than a record follows.
    return (
        feed.buffer.count(b"\n", begin, after) >= 2
        or after == len(feed.buffer)
        or bool(grammar.start.match(feed.buffer, after))
    )


def _find(feed: Feed, grammar: Grammar[HeadT], position: int) -> int:
    """Return where the next record begins at or after `position`; the end of the data if none does."""
    while True:
        begin = max(0, position - feed.base)
        found = grammar.search.search(feed.buffer, begin)
        end = feed.base + len(feed.buffer)
        if found and (feed.ended or found.end() + _OVERLAP < len(feed.buffer) or found.start() == begin):
            return feed.base + found.start()
        if found:
            position = feed.base + found.start()
        elif feed.ended:
            return end
        else:
            position = max(position, end - _OVERLAP)
        if len(feed.buffer) > 4 * _STEP:
            feed.drop(position)
        if not feed.fill(end + 1):
            found = grammar.search.search(feed.buffer, max(0, position - feed.base))
            return feed.base + (found.start() if found else len(feed.buffer))

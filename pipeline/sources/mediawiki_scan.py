"""Where pages begin and end in a dump that is read piece by piece."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.sources.bzip2_blocks import Block
from pipeline.sources.record import Skipped

_BORDER: Final = re.compile(rb"</?page>")
_OVERLAP: Final = 6  # bytes of a border that may stand at the end of a piece
_HEAD: Final = 4096  # bytes kept of a page that is too large: its title and number
# What may stand between pages: the header, the end, actions of the log.
_NO_PAGE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!DOCTYPE|<!--|<mediawiki[\s>]|</mediawiki>|<logitem>|\Z)"
)


@dataclass(slots=True, frozen=True)
class RawPage:
    """XML of one page from `<page>` to `</page>`, and its place."""

    offset: int
    end: int
    xml: bytes
    problem: Literal["", "cut_page", "too_large"] = ""


class PageScan:
    """Pages that begin before `end`, and bytes that are none; `first_offset` and `next_offset` as in `Reader`.

    Args:
        pieces: contents of the dump in order, `Skipped` where some are lost.
        end: pages that begin there or later are another reader's.
        limit: bytes of a page that are held.
        plain: a page's place is that of its bytes; else that of the piece in which it begins.
        whole: the pieces begin with the dump; else with what may be the rest of a page.
    """

    def __init__(
        self, pieces: Iterator[Block | Skipped], *, end: int, limit: int, plain: bool, whole: bool
    ) -> None:
        self._pieces, self._end, self._limit, self._plain = pieces, end, limit, plain
        self.first_offset: int | None = 0 if whole else None
        self.next_offset: int | None = None  # None: there is nothing behind the last page
        self._explain_gap = whole
        self._buffer = bytearray()  # its front is cut off without moving the rest
        self._starts: list[int] = []  # positions in the buffer at which the pieces in it begin
        self._blocks: list[Block] = []
        self._open: int | None = (
            None  # offset of the page that has begun; it stands at the start of the buffer
        )
        self._searched = 0  # bytes of the buffer in which the open page does not end
        self._head = b""  # of an open page that is too large
        self._gap: tuple[int, int, bytes] | None = None  # offset, bytes, opening of what is no page

    def __iter__(self) -> Iterator[RawPage | Skipped]:
        for piece in self._pieces:
            if not self._plain and piece.offset >= self._end and self.next_offset is None:
                self.next_offset = piece.offset
            if self.next_offset is not None and not self._awaits_more():
                return
            if self.first_offset is None and self.next_offset is None and not self._plain:
                self.first_offset = piece.offset
            if isinstance(piece, Skipped):
                yield from self._break(piece.offset)
                if self.next_offset is None:
                    yield piece
                continue
            self._starts.append(len(self._buffer))
            self._blocks.append(piece)
            self._buffer += piece.data
            yield from self._search()
            if self.next_offset is not None and not self._awaits_more():
                return
        if self._open is None:
            self._pass(len(self._buffer))
        yield from self._close_gap()
        yield from self._break(self._blocks[-1].end if self._blocks else 0)

    def _awaits_more(self) -> bool:
        """Say whether a page of this range is open, or may have begun with the last bytes of a piece."""
        if self._open is not None:
            return True
        tail = self._buffer[-_OVERLAP:]
        begun = next(
            (size for size in range(min(5, len(tail)), 0, -1) if b"<page>".startswith(tail[-size:])), 0
        )
        return begun > 0 and not self._plain and self._place(len(self._buffer) - begun) < self._end

    def _search(self) -> Iterator[RawPage | Skipped]:
        """Give out the pages that end in the buffer; leave in it the open one, or what may be half a border."""
        position = 0 if self._open is None else max(0, self._searched - _OVERLAP)
        while border := _BORDER.search(self._buffer, position):
            opens = border[0] == b"<page>"
            if self._open is not None and (not opens or border.start() > 0):
                stop = border.start() if opens else border.end()
                yield self._page(stop, "cut_page" if opens else "")
                self._drop(stop)
                position = 0
                continue
            if opens and self._open is None:
                place = self._place(border.start())
                self._pass(border.start())
                yield from self._close_gap()
                if place >= self._end:
                    if self._plain:
                        self.next_offset = place
                    return
                if self.first_offset is None:
                    self.first_offset = place
                self._open, self._explain_gap = place, True
                position = _OVERLAP
                continue
            position = border.end()
        if self._open is None:
            self._pass(max(0, len(self._buffer) - _OVERLAP))
        elif len(self._buffer) > self._limit:
            self._head = self._head or bytes(self._buffer[:_HEAD])
            self._drop(len(self._buffer) - _OVERLAP)
        self._searched = len(self._buffer)

    def _page(self, stop: int, problem: Literal["", "cut_page", "too_large"]) -> RawPage:
        assert self._open is not None
        xml, problem = (self._head, "too_large") if self._head else (bytes(self._buffer[:stop]), problem)
        page = RawPage(self._open, self._place_of_end(stop), xml, problem)
        self._open, self._head = None, b""
        return page

    def _break(self, offset: int) -> Iterator[RawPage | Skipped]:
        """The bytes at `offset` are lost, or there are none: end the open page."""
        if self._open is not None:
            problem: Literal["cut_page", "too_large"] = "too_large" if self._head else "cut_page"
            yield RawPage(self._open, max(offset, self._open), self._head or bytes(self._buffer), problem)
        self._open, self._head, self._gap, self._explain_gap = None, b"", None, False
        self._buffer, self._starts, self._blocks = bytearray(), [], []

    def _pass(self, stop: int) -> None:
        """Drop what is no page, up to a position."""
        if self._explain_gap and stop > 0:
            offset, size, opening = self._gap or (self._place(0), 0, b"")
            if len(opening) < 64:
                opening = (opening + self._buffer[: min(stop, 4096)]).lstrip()[:64]
            self._gap = offset, size + stop, opening
        self._drop(stop)

    def _close_gap(self) -> Iterator[Skipped]:
        if self._gap is not None and not _NO_PAGE.match(self._gap[2]):
            length = self._gap[1] if self._plain else 0
            yield Skipped(self._gap[0], length, f"{self._gap[1]} bytes of the dump are no page")
        self._gap = None

    def _drop(self, stop: int) -> None:
        del self._buffer[:stop]
        keep = max(0, bisect_right(self._starts, stop) - 1)
        self._starts = [start - stop for start in self._starts[keep:]]
        self._blocks = self._blocks[keep:]

    def _place(self, position: int) -> int:
        number = bisect_right(self._starts, position) - 1
        offset = self._blocks[number].offset
        return offset + position - self._starts[number] if self._plain else offset

    def _place_of_end(self, position: int) -> int:
        number = bisect_right(self._starts, position - 1) - 1
        block = self._blocks[number]
        return block.offset + position - self._starts[number] if self._plain else block.end

"""Books: one file, plain text or EPUB, one document."""

import re
from collections.abc import Iterator
from typing import Final

from pipeline.extract.decode import decode
from pipeline.extract.normalise import normalise_text
from pipeline.sources.epub import EpubError, read_epub
from pipeline.sources.gutenberg import without_gutenberg
from pipeline.sources.record import FileRange, Record, Skipped
from pipeline.sources.reflow import reflow
from pipeline.sources.stored import StoredBytes
from pipeline.sources.streams import InflatedFile

MAX_BOOK: Final = 64 << 20  # bytes; the Bible has 4.4 million
_ZIP: Final = b"PK\x03\x04"
_HEAD: Final = 16 << 10
_CHARSET: Final = re.compile(
    rb"^[ \t]*Character set encoding:[ \t]*([\w.-]{1,40})", re.IGNORECASE | re.MULTILINE
)
_TITLE: Final = re.compile(r"^[ \t]*Title:[ \t]*(\S[^\n]{0,300})", re.MULTILINE)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_BLANK_LINES: Final = re.compile(r"\n{4,}")


class BooksReader:
    """Reads a whole file, plain or compressed, as one record with its text; implements `Reader`.

    What Project Gutenberg adds is removed; chapters stay, set apart by two blank lines at most; lines that were
    broken to fit a width are joined if `reflow_lines` is set. Rules: `too_large`, `no_text` (removed), `bad_epub`,
    `encrypted`, `zip_bomb`, `xml_entities` (failed). A file that is cut, or whose chapters are not all there, gives
    what could be read, marked in `truncated`.
    """

    def __init__(
        self, file_range: FileRange, *, max_bytes: int = MAX_BOOK, reflow_lines: bool = True
    ) -> None:
        self._range = file_range
        self._max_bytes = max_bytes
        self._reflow = reflow_lines
        self.first_offset: int | None = None
        self.next_offset = file_range.start

    def __iter__(self) -> Iterator[Record | Skipped]:
        given = self._range
        self.next_offset = given.size if given.end is None else min(given.end, given.size)
        if given.start > 0 or given.size == 0:
            return
        self.first_offset, self.next_offset = 0, given.size
        record = Record(0, length=given.size)
        stored = StoredBytes(given.stream, given.size)
        if stored.read(0, 4) == _ZIP:
            self._fill_epub(record)
            yield record
        else:
            inflated = InflatedFile(stored)
            self._fill_text(record, inflated)
            if inflated.lost:
                yield from ([record] if record.fate != "removed" or record.rule != "no_text" else [])
                yield inflated.lost
            else:
                yield record

    def _fill_epub(self, record: Record) -> None:
        record.mime = "application/epub+zip"
        if self._range.size > self._max_bytes:
            _remove(record, "too_large", f"{self._range.size} bytes")
            return
        try:
            book = read_epub(self._range.stream, self._range.size, max_bytes=self._max_bytes)
        except EpubError as error:
            record.fate, record.rule, record.detail = "failed", error.rule, str(error)
            return
        record.title = book.title
        if book.lost:
            record.truncated = "lost_chapters"
            record.detail = f"{len(book.lost)} chapters lost; {book.lost[0]}"
        self._finish(record, book.text)

    def _fill_text(self, record: Record, inflated: InflatedFile) -> None:
        record.mime = "text/plain"
        pieces: list[bytes] = []
        size = 0
        for piece in inflated:
            size += len(piece)
            if size > self._max_bytes:
                _remove(record, "too_large", f"more than {self._max_bytes} bytes")
                return
            pieces.append(piece)
        body = b"".join(pieces)
        if inflated.lost:
            record.truncated = "cut_record"
        stated = _CHARSET.search(body, 0, _HEAD)
        decoded = decode(
            body,
            declared=stated[1].decode("ascii", "replace") if stated else None,
            truncated=bool(inflated.lost),
        )
        record.charset = decoded.charset
        title = _TITLE.search(decoded.text, 0, _HEAD)
        if title and "Gutenberg" in decoded.text[:_HEAD]:
            record.title = " ".join(title[1].split())
        self._finish(record, decoded.text)

    def _finish(self, record: Record, text: str) -> None:
        text = normalise_text(_CONTROLS.sub("", text.replace("\x0c", "\n\n\n")))
        text = without_gutenberg(text)
        if self._reflow:
            text = reflow(text)
        text = _BLANK_LINES.sub("\n\n\n", text).strip("\n")
        if text.strip():
            record.text = text
        else:
            _remove(record, "no_text", None)


def _remove(record: Record, rule: str, detail: str | None) -> None:
    record.fate, record.rule, record.detail = "removed", rule, detail

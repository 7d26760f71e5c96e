"""Plain text files: one file, one document."""

from collections.abc import Iterator

from pipeline.sources.record import FileRange, Record, Skipped
from pipeline.sources.stored import StoredBytes
from pipeline.sources.streams import InflatedFile


class TextReader:
    """Reads a whole file, plain or compressed, as the body of one record of type text/plain; implements `Reader`.

    The charset is found out later, as for pages. A file larger than the selection's limit is removed as
    `too_large`; an empty file holds no record; a damaged one gives what was read, marked `cut_record`, and the
    bytes lost.
    """

    def __init__(self, file_range: FileRange) -> None:
        self._range = file_range
        self.first_offset: int | None = None
        self.next_offset = file_range.start

    def __iter__(self) -> Iterator[Record | Skipped]:
        given = self._range
        end = given.size if given.end is None else min(given.end, given.size)
        self.next_offset = end
        if given.start > 0 or given.size == 0:
            return
        self.first_offset, self.next_offset = 0, given.size
        limit = given.selection.max_bytes
        inflated = InflatedFile(StoredBytes(given.stream, given.size))
        record = Record(0, length=given.size, mime="text/plain")
        pieces: list[bytes] = []
        size = 0
        for piece in inflated:
            size += len(piece)
            if size > limit:
                record.fate, record.rule, record.detail = "removed", "too_large", f"more than {limit} bytes"
                yield record
                return
            pieces.append(piece)
        if inflated.lost:
            record.truncated = "cut_record"
        if size or not inflated.lost:
            record.body = b"".join(pieces)
            yield record
        if inflated.lost:
            yield inflated.lost

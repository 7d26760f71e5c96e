"""From the name of a format to its reader."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import UsageError
from pipeline.sources.arc import ArcReader
from pipeline.sources.jsonl import JsonlFields, JsonlReader
from pipeline.sources.parquet import ParquetReader
from pipeline.sources.plain_text import TextReader
from pipeline.sources.record import FileRange, Reader
from pipeline.sources.warc import WarcReader


@dataclass(slots=True, frozen=True)
class ReaderOptions:
    """What a recipe's source says about its format."""

    fields: JsonlFields = field(default_factory=JsonlFields)  # of jsonl and parquet


def _mediawiki(part: FileRange, _options: ReaderOptions) -> Reader:
    # Late, as that of books: not every build needs their parsers.
    from pipeline.sources.mediawiki import MediaWikiReader

    return MediaWikiReader(part)


def _books(part: FileRange, _options: ReaderOptions) -> Reader:
    from pipeline.sources.books import BooksReader

    return BooksReader(part)


_READERS: Final[dict[str, Callable[[FileRange, ReaderOptions], Reader]]] = {
    "warc": lambda part, _: WarcReader(part),
    "wet": lambda part, _: WarcReader(part),
    "arc": lambda part, _: ArcReader(part),
    "jsonl": lambda part, options: JsonlReader(part, options.fields),
    "parquet": lambda part, options: ParquetReader(part, options.fields),
    "text": lambda part, _: TextReader(part),
    "mediawiki": _mediawiki,
    "books": _books,
}
FORMATS: Final = tuple(_READERS)
ALWAYS_SPLITTABLE: Final = frozenset({"warc", "wet", "arc"})  # whatever they begin with

_STREAMS = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00", b"\x04\x22\x4d\x18")
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")


def reader_for(format: str, file_range: FileRange, *, options: ReaderOptions | None = None) -> Reader:  # noqa: A002 - the recipe's word
    """Return the reader of a format for a range of a file.

    Raises:
        UsageError: no reader has that name.
    """
    if format not in _READERS:
        raise UsageError(f"unknown format `{format}`; known formats: {', '.join(FORMATS)}")
    return _READERS[format](file_range, options or ReaderOptions())


def is_splittable(format: str, head: bytes) -> bool:  # noqa: A002 - the recipe's word
    """Say whether a file may be read in byte ranges.

    Web archives may, whatever their compression: where records share one member, the range that holds the
    member's start gets them all and the others are empty. JSON lines may where they are not compressed, dumps of
    MediaWiki also where they are bzip2.

    Args:
        format: as in the recipe.
        head: at least the first 4 bytes of the file.
    """
    if format in ALWAYS_SPLITTABLE:
        return True
    if format == "mediawiki" and head.startswith(b"BZh"):
        return True
    return format in {"jsonl", "mediawiki"} and not head.startswith(_STREAMS) and not _SKIPPABLE.match(head)

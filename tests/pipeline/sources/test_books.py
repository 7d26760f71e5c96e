"""Books: what Project Gutenberg adds, wrapped lines, EPUB files good and hostile."""

import gzip
import io
import json
import random
import struct
import textwrap
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.books import BooksReader
from pipeline.sources.gutenberg import without_gutenberg
from pipeline.sources.record import FileRange, Record, Skipped
from pipeline.sources.reflow import reflow
from tests.shared_data import shared

PROSE = """The morning was cold and the river ran high between its banks, so that the
ferryman would not put out before the fog had lifted, and sat smoking by
the door of his hut with a well-worn blanket about his shoulders and a cup
of coffee in his hand."""
JOINED = PROSE.replace("\n", " ")
VERSE = "The wind blew cold,\nThe river ran high,\nAnd nobody told\nThe ferryman why."


def read(data: bytes, **options: int | bool) -> list[Record | Skipped]:
    return list(BooksReader(FileRange(io.BytesIO(data), "book", len(data)), **options))


def one(data: bytes, **options: int | bool) -> Record:
    (record,) = read(data, **options)
    assert isinstance(record, Record)
    return record


MODERN = f"""\ufeffThe Project Gutenberg eBook of The Ferry, by A. Author

This ebook is for the use of anyone anywhere in the United States.

Title: The Ferry

Author: A. Author

*** START OF THE PROJECT GUTENBERG EBOOK THE FERRY ***




Produced by Some One and the Online Distributed Proofreading
Team at https://www.pgdp.net




THE FERRY

by A. Author




Transcriber's Note:

Spelling has been kept.




CHAPTER I


{PROSE}

{VERSE}

[Transcriber's Note: the next page is torn.]

{PROSE}




CHAPTER II


{PROSE}

+------------------------------+
| Transcriber's note: a box.   |
+------------------------------+

THE END




TRANSCRIBER'S NOTES


Page 3: "teh" changed to "the".




*** END OF THE PROJECT GUTENBERG EBOOK THE FERRY ***

Updated editions will replace the previous one.
"""
BOOK = f"""THE FERRY

by A. Author


CHAPTER I


{JOINED}

{VERSE}

{JOINED}


CHAPTER II


{JOINED}

THE END"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_gutenberg_book_is_left_alone_with_its_chapters(ends: str, pack: type[bytes]) -> None:
    record = one(pack(MODERN.replace("\n", ends).encode()))
    assert record.text == BOOK
    assert (record.title, record.fate, record.charset) == ("The Ferry", "kept", "utf-8")


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("*** START OF THIS PROJECT GUTENBERG EBOOK THE FERRY ***", "*** END OF THIS PROJECT GUTENBERG EBOOK THE FERRY ***"),
        ("***START OF THE PROJECT GUTENBERG EBOOK THE FERRY***", "***END OF THE PROJECT GUTENBERG EBOOK THE FERRY***"),
        ("*** START OF THE PROJECT GUTENBERG EBOOK\nTHE FERRY ***", "End of the Project Gutenberg EBook of The Ferry\n\n***"),
        ("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", "End of Project Gutenberg's The Ferry"),
        ("*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.10.04.01*END*", "End of this Project Gutenberg Etext of The Ferry"),
        ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "*** START: FULL LICENSE ***"),
    ],
)  # fmt: skip
def test_marks_of_all_years_are_known(opening: str, closing: str) -> None:
    text = f"Project Gutenberg's The Ferry\n\nheader\n\n{opening}\n\n\nChapter 1\n\nText.\n\n\n{closing}\n\nlicence"
    assert without_gutenberg(text) == "Chapter 1\n\nText."


def test_other_books_come_back_as_they_are() -> None:
    text = "A book\n\n\nProduced by hand in the old way.\n\nEND OF THE PROJECT that we began."
    assert without_gutenberg(text) == text


def test_a_note_within_a_paragraph_leaves_the_paragraph() -> None:
    text = "One [Transcriber's note: sic] two.\n\nThree. [Transcriber's Note: x]\n\n[Transcribers' note: y]\n\nFour."
    assert without_gutenberg(text) == "One two.\n\nThree.\n\nFour."


def test_charset_of_the_header_counts() -> None:
    header = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nCharacter set encoding: ISO-8859-2\n\n"
    assert one((header + "žluťoučký kůň").encode("iso-8859-2")).text == "žluťoučký kůň"


def test_lines_stay_where_they_are_wanted() -> None:
    assert one(MODERN.encode(), reflow_lines=False).text == BOOK.replace(JOINED, PROSE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(55, 90))
def test_what_was_filled_to_a_width_is_joined(seed: int, width: int) -> None:
    draw = random.Random(seed)
    words = ["a", "of", "the", "ferry", "water-mill", "undertaking"]
    whole = [" ".join(draw.choices(words, k=draw.randint(80, 160))) for _ in range(4)]
    filled = "\n\n".join(textwrap.fill(text, width) for text in whole)
    assert reflow(filled) == "\n\n".join(whole)


def test_verse_tables_and_indented_lines_keep_their_ends() -> None:
    indented = "\n".join(f"    {line}" for line in PROSE.split("\n"))
    table = "Cold, wet                 3\nDry                      14\nWarm                      1\nHot                       9"
    text = f"{PROSE}\n\n{VERSE}\n\n{indented}\n\n{table}\n\n{PROSE}"
    assert reflow(text) == f"{JOINED}\n\n{VERSE}\n\n{indented}\n\n{table}\n\n{JOINED}"


def test_sizes_and_empty_books() -> None:
    assert one(b"x" * 101, max_bytes=100).rule == "too_large"
    assert one(gzip.compress(b"x" * 10_000_000), max_bytes=100_000).rule == "too_large"
    assert one(b"\n \n").rule == "no_text"
    assert read(b"") == []


def test_a_cut_book_gives_what_there_was() -> None:
    packed = gzip.compress(MODERN.encode(), 0)
    record, lost = read(packed[: len(packed) // 2])
    assert isinstance(record, Record)
    assert isinstance(lost, Skipped)
    assert (record.truncated, lost.reason) == ("cut_record", "gzip: cut")
    assert record.text.startswith("THE FERRY")


def test_the_range_behind_the_start_holds_nothing() -> None:
    data = MODERN.encode()
    reader = BooksReader(FileRange(io.BytesIO(data), "book", len(data), 100, 200))
    assert (list(reader), reader.first_offset, reader.next_offset) == ([], None, 200)


CONTAINER = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">
<rootfiles><rootfile full-path="{path}" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The  Ferry</dc:title><dc:creator>A.</dc:creator></metadata>
<manifest>{items}</manifest><spine>{spine}</spine></package>"""
CHAPTER = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">
<head><title/><script src="x.js"/></head><body><h1>{title}</h1><p><a id="p1"/>Text of {title} &amp; caf\u00e9.</p></body></html>"""
CHAPTERS = {f"text/{name}.xhtml": CHAPTER.format(title=name) for name in ("two", "one", "three")}


def epub(
    chapters: dict[str, str] = CHAPTERS,
    *,
    package: str = "",
    extra: dict[str, str] | None = None,
    path: str = "EPUB/p.opf",
) -> bytes:
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    ) + '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'  # fmt: skip
    spine = '<itemref idref="nav"/>' + "".join(
        f'<itemref idref="c{n}"/>' for n in (1, 0, *range(2, len(chapters))) if n < len(chapters)
    )
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", CONTAINER.format(path=path))
        archive.writestr("EPUB/p.opf", package or PACKAGE.format(items=items, spine=spine))
        archive.writestr("EPUB/nav.xhtml", CHAPTER.format(title="contents"))
        for name, text in ({f"EPUB/{name}": text for name, text in chapters.items()} | (extra or {})).items():
            archive.writestr(name, text)
    return sink.getvalue()


def test_an_epub_is_read_in_the_order_of_its_spine() -> None:
    record = one(epub())
    assert record.text == "\n\n\n".join(
        f"{name}\n\nText of {name} & café." for name in ("one", "two", "three")
    )
    assert (record.title, record.mime, record.truncated) == ("The Ferry", "application/epub+zip", None)


def test_names_in_an_epub_may_be_escaped() -> None:
    assert one(
        epub({"a%20b.xhtml": CHAPTER.format(title="x")}, extra={"EPUB/a b.xhtml": CHAPTER.format(title="y")})
    ).text.startswith("y")


@pytest.mark.parametrize("name", ["../../outside.xhtml", "/etc/hostname", "C:/x.xhtml", "..\\..\\x.xhtml"])
def test_paths_out_of_the_archive_lead_nowhere(name: str) -> None:
    chapters = {**CHAPTERS, name: CHAPTER.format(title="evil")}
    record = one(epub(chapters, extra={name: CHAPTER.format(title="evil")}))
    assert "evil" not in record.text
    assert record.text.startswith("one")
    assert record.truncated == "lost_chapters"
    assert "1 chapters lost; no file" in record.detail


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "rule", "words"),
    [
        (epub(package=f"{BOMB}<package>&b;</package>"), "xml_entities", "declares entities of its own"),
        (epub({"a.xhtml": f"{BOMB}<html>&b;</html>"}), "xml_entities", "declares entities of its own"),
        (epub(package="<package>" + "<a>" * 100), "bad_epub", "nested more than 64 deep"),
        (epub(package="<package><a>"), "bad_epub", "no element found"),
        (epub(package="<package/>"), "bad_epub", "no chapters"),
        (epub(path="../secret"), "bad_epub", "no file `../secret`"),
        (epub({"a.xhtml": "<p>x</p>" + " " * 40_000_000}), "zip_bomb", "inflates to more than"),
        (epub()[:-30], "bad_epub", "directory at the end of the archive is missing"),
        (b"PK\x03\x04" + bytes(100), "bad_epub", "directory at the end of the archive is missing"),
        (epub({"a.xhtml": "<div>" * 5000 + "x"}), "bad_epub", "too_deep"),
        (
            epub(extra={"META-INF/encryption.xml": '<encryption><EncryptionMethod Algorithm="urn:x:aes"/></encryption>'}),
            "encrypted",
            "digital rights management",
        ),
    ],
)  # fmt: skip
def test_hostile_and_locked_books_fail_with_a_reason(data: bytes, rule: str, words: str) -> None:
    record = one(data)
    assert (record.fate, record.rule, record.text) == ("failed", rule, None)
    assert words in record.detail


def test_obfuscated_fonts_do_not_lock_a_book() -> None:
    fonts = '<encryption><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></encryption>'
    assert one(epub(extra={"META-INF/encryption.xml": fonts})).fate == "kept"


def test_an_encrypted_entry_fails() -> None:
    data = bytearray(epub())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            struct.pack_into("<H", data, at + flags, 1)
            at = data.find(mark, at + 4)
    assert (one(bytes(data)).rule, one(bytes(data)).fate) == ("encrypted", "failed")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(epub()) - 1), st.integers(1, 255))
def test_no_flipped_byte_brings_an_epub_reader_down(at: int, flip: int) -> None:
    data = bytearray(epub())
    data[at] ^= flip
    for item in read(bytes(data)):
        assert isinstance(item, Skipped) or item.fate in {"kept", "failed", "removed"}


def test_real_books_lose_what_the_project_added_and_nothing_else() -> None:
    with gzip.open(shared("ref/books/books.jsonl.gz")) as file:
        books = {book["id"]: book["text"] for book in map(json.loads, file)}
    for name, text in books.items():
        body = without_gutenberg(text)
        assert len(body) > 0.98 * len(text), name
        assert body[len(body) // 2 : len(body) // 2 + 1000] in text
    assert without_gutenberg(books["nltk/austen-emma"]).endswith("perfect happiness of the union.\n\nFINIS")
    assert without_gutenberg(books["nltk/austen-persuasion"]).startswith("Persuasion by Jane Austen (1818)")
    assert "Page 82: changed" not in without_gutenberg(books["pg18304"])
    untouched = [
        name for name, text in books.items() if name.startswith("se/") and without_gutenberg(text) == text
    ]
    assert len(untouched) == sum(name.startswith("se/") for name in books)

"""Dumps of MediaWiki: real ones against readings by hand, splitting, damage, hostile XML."""

import bz2
import gzip
import io
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.mediawiki import MediaWikiReader
from pipeline.sources.record import FileRange, Record, Selection, Skipped
from tests.shared_data import shared

HEADER = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="xx">
  <siteinfo><sitename>W</sitename><dbname>xxwiki</dbname><base>https://xx.wikipedia.org/wiki/Main_Page</base>
    <namespaces><namespace key="6" case="first-letter">Bild</namespace><namespace key="0" /></namespaces></siteinfo>
"""
FOOTER = "</mediawiki>\n"


def page(
    number: int, text: str, *, title: str = "", ns: int = 0, more: str = "", model: str = "wikitext"
) -> str:
    return (
        f"  <page>\n    <title>{title or f'Title {number}'}</title>\n    <ns>{ns}</ns>\n    <id>{number}</id>\n{more}"
        f"    <revision><id>9</id><timestamp>2020-01-01T00:00:00Z</timestamp><contributor><username>someone</username>"
        f"<id>4</id></contributor><model>{model}</model>"
        f'<text xml:space="preserve">{text}</text></revision>\n  </page>\n'
    )


PAGES = [
    page(number, f"Article {number} says &quot;é&quot;. " + "word " * (number * 7 % 50))
    for number in range(1, 41)
]
DUMP = (HEADER + "".join(PAGES) + FOOTER).encode()


def read(
    data: bytes, *, start: int = 0, end: int | None = None, max_bytes: int = 4 << 20
) -> list[Record | Skipped]:
    given = FileRange(
        io.BytesIO(data), "dump.xml", len(data), start, end, selection=Selection(max_bytes=max_bytes)
    )
    return list(MediaWikiReader(given))


def multistream(pages_in_stream: int) -> bytes:
    streams = [
        HEADER,
        *("".join(PAGES[at : at + pages_in_stream]) for at in range(0, len(PAGES), pages_in_stream)),
        FOOTER,
    ]
    return b"".join(bz2.compress(stream.encode()) for stream in streams)


def chopped(size: int) -> bytes:
    """Streams that end anywhere, as parallel compressors make them."""
    return b"".join(bz2.compress(DUMP[at : at + size]) for at in range(0, len(DUMP), size))


FORMS = {
    "plain": DUMP,
    "single": bz2.compress(DUMP),
    "multistream": multistream(7),
    "one page a stream": multistream(1),
    "chopped": chopped(333),
    "gzip": gzip.compress(DUMP),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_articles(form: str) -> None:
    records = read(FORMS[form])
    assert [type(record) for record in records] == [Record] * 40
    assert [record.id for record in records] == [f"xxwiki:{number}" for number in range(1, 41)]
    first = records[0]
    assert (first.title, first.url) == ("Title 1", "https://xx.wikipedia.org/wiki/Title_1")
    assert (first.timestamp, first.fate) == ("2020-01-01T00:00:00Z", "kept")
    assert first.text.startswith('Article 1 says "é". word')
    assert len({(record.offset, record.index) for record in records}) == 40


@pytest.mark.parametrize("form", ["plain", "single", "multistream", "one page a stream", "chopped"])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_ranges_give_each_page_once(form: str, data: st.DataObject) -> None:
    dump = FORMS[form]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(dump) - 1), max_size=4)))
    parts: list[Record | Skipped] = []
    following = 0
    for start, end in zip([0, *cuts], [*cuts, len(dump)], strict=True):
        reader = MediaWikiReader(FileRange(io.BytesIO(dump), "dump.xml", len(dump), start, end))
        parts += list(reader)
        if reader.first_offset is not None:
            assert reader.first_offset == following
            following = reader.next_offset
        else:
            assert reader.next_offset == end
    assert parts == read(dump)
    assert following == len(dump)


def test_an_exact_range_begins_where_the_one_before_ended() -> None:
    reader = MediaWikiReader(FileRange(io.BytesIO(DUMP), "dump.xml", len(DUMP), 0, 3000))
    first = list(reader)
    rest = list(
        MediaWikiReader(
            FileRange(io.BytesIO(DUMP), "dump.xml", len(DUMP), reader.next_offset, len(DUMP), exact=True)
        )
    )
    assert first + rest == read(DUMP)


def test_what_is_no_article_is_removed_by_its_rule() -> None:
    pages = [
        page(1, "#REDIRECT [[B]]"),
        page(2, "x", more='    <redirect title="B" />\n'),
        page(3, "x", ns=10),
        page(4, "x {{disambig}}"),
        page(5, "x", title="Y (disambiguation)"),
        page(6, "x", model="json"),
        page(7, "{{template}} &lt;!-- comment --&gt;"),
        page(8, "word " * 1000),
        page(9, "{{" * 10_000 + "x" + "}}" * 10_000),
        page(10, "[[Bild:A.png|x]] kept"),
    ]
    records = read((HEADER + "".join(pages) + FOOTER).encode(), max_bytes=41_000)
    assert [(record.rule, record.text) for record in records] == [
        ("redirect", None), ("redirect", None), ("namespace", None), ("disambiguation", None), ("disambiguation", None),
        ("content_model", None), ("no_text", None), (None, ("word " * 1000).strip()), ("too_deep", None), (None, "kept"),
    ]  # fmt: skip
    assert [record.rule for record in read((HEADER + pages[7] + FOOTER).encode(), max_bytes=4999)] == [
        "too_large"
    ]


def test_of_several_revisions_the_last_counts() -> None:
    older = "<revision><timestamp>2010-01-01T00:00:00Z</timestamp><text>old</text></revision>"
    (record,) = read((HEADER + page(1, "new", more=older) + FOOTER).encode())
    assert (record.text, record.timestamp) == ("new", "2020-01-01T00:00:00Z")


BOMB = """<!DOCTYPE mediawiki [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c SYSTEM "file:///etc/hostname">]>
"""


def test_entities_are_refused_with_a_count_and_others_read_on() -> None:
    pages = page(1, "x &b; y") + page(2, "fine") + page(3, "&c;")
    records = read((BOMB + HEADER + pages + FOOTER).encode())
    assert [(record.fate, record.rule) for record in records] == [
        ("failed", "xml_dtd"), ("failed", "bad_xml"), ("kept", None), ("failed", "bad_xml"),
    ]  # fmt: skip
    assert "undefined entity" in records[1].detail
    assert len({(record.offset, record.index) for record in records}) == 4


@pytest.mark.parametrize(
    "broken",
    [
        "  <page><title>a</title><revision><text>x</revision></page>\n",
        "<page>\x01</page>\n",
        "<page>" + "<a>" * 100 + "</page>",
    ],
)
def test_a_broken_page_harms_no_other(broken: str) -> None:
    records = read((HEADER + PAGES[0] + broken + PAGES[1] + FOOTER).encode())
    assert [record.rule for record in records] == [None, "bad_xml", None]


def test_bytes_that_are_no_page_are_reported() -> None:
    items = read((HEADER + PAGES[0] + "  <pag>lost</pag>" + PAGES[1] + FOOTER).encode())
    assert [item.reason if isinstance(item, Skipped) else item.id for item in items] == [
        "xxwiki:1", "20 bytes of the dump are no page", "xxwiki:2",
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [2000, len(DUMP) - 700, len(DUMP) - 50])
def test_a_dump_cut_in_a_page_fails_that_page_alone(cut: int) -> None:
    whole, cut_short = read(DUMP), read(DUMP[:cut])
    assert cut_short[:-1] == whole[: len(cut_short) - 1]
    assert cut_short[-1].rule in {"cut_page", None}
    assert (cut_short[-1].rule == "cut_page") == (DUMP[:cut].rfind(b"<page>") > DUMP[:cut].rfind(b"</page>"))


def test_a_page_begun_inside_another_fails_the_first() -> None:
    torn = PAGES[0][: len(PAGES[0]) // 2] + PAGES[1]
    assert [record.rule for record in read((HEADER + torn + FOOTER).encode())] == ["cut_page", None]


def test_a_damaged_stream_loses_its_own_pages() -> None:
    streams = [bz2.compress(part.encode()) for part in [HEADER, *PAGES, FOOTER]]
    damaged = bytearray(streams[6])
    damaged[len(damaged) // 2] ^= 0xFF
    dump = b"".join([*streams[:6], bytes(damaged), *streams[7:]])
    items = read(dump)
    assert [item.id for item in items if isinstance(item, Record)] == [
        f"xxwiki:{n}" for n in range(1, 41) if n != 6
    ]
    (lost,) = (item for item in items if isinstance(item, Skipped))
    assert lost.reason == "bzip2: damaged block"
    begin = sum(map(len, streams[:6]))
    assert (lost.offset, begin + len(damaged) - 20 <= lost.offset + lost.length <= begin + len(damaged)) == (
        begin + 4,
        True,
    )


def test_a_truncated_stream_is_counted() -> None:
    dump = multistream(7)
    cut = len(dump) * 2 // 3
    items = read(dump[:cut])
    lost = items[-1]
    assert isinstance(lost, Skipped)
    assert (lost.reason, lost.offset + lost.length) == ("bzip2: cut", cut)
    assert items[:-1] == read(dump)[: len(items) - 1]


def test_a_page_too_large_to_hold_is_passed_over() -> None:
    large = page(2, "x" * 9_000_000, title="Large")
    records = read((HEADER + PAGES[0] + large + PAGES[2] + FOOTER).encode(), max_bytes=1_000_000)
    assert [(record.id, record.rule) for record in records] == [
        ("xxwiki:1", None),
        ("xxwiki:2", "too_large"),
        ("xxwiki:3", None),
    ]
    assert records[1].title == "Large"
    assert records[1].length == len(large.strip())


@pytest.mark.parametrize("junk", [b"", b"no dump at all", bytes(1000), b"BZh91AY&SY" + bytes(50), b"BZh9"])
def test_what_is_no_dump_gives_no_record(junk: bytes) -> None:
    items = read(junk)
    assert all(isinstance(item, Skipped) for item in items)
    assert bool(items) == bool(junk)


ENWIKI = "ref/wikipedia/xml/enwiki-p10-p30302-shortened.xml.bz2"
LTGWIKI = "ref/wikipedia/xml/ltgwiki-small.xml.bz2"


def real(path: Path) -> list[Record | Skipped]:
    with path.open("rb") as stream:
        return list(MediaWikiReader(FileRange(stream, path.name, path.stat().st_size)))


@pytest.fixture(scope="module")
def english() -> dict[str, Record]:
    items = real(shared(ENWIKI))
    assert Counter(item.rule for item in items) == {None: 98, "redirect": 100, "disambiguation": 8}
    return {item.title: item for item in items if isinstance(item, Record)}


def test_an_english_dump_reads_as_by_hand(english: dict[str, Record]) -> None:
    anarchism = english["Anarchism"]
    assert (anarchism.id, anarchism.url) == ("enwiki:12", "https://en.wikipedia.org/wiki/Anarchism")
    paragraphs = anarchism.text.split("\n\n")
    assert paragraphs[0].startswith(
        "Anarchism is a political philosophy that advocates self-governed societies based on"
    )
    # Seven references stand in this sentence of the dump.
    assert (
        "based on non-hierarchical free associations. Anarchism considers the state to be undesirable,"
        in paragraphs[0]
    )
    assert "Etymology and terminology" in paragraphs
    # {{lang}} gives the word, {{LSJ}} and <ref> nothing.
    assert (
        "derived respectively from the Greek ἀναρχία, i.e. anarchy (from ἄναρχος, anarchos, meaning"
        in anarchism.text
    )
    assert "References" not in paragraphs
    assert english["AccessibleComputing"].rule == "redirect"
    assert {english[title].rule for title in ("Alien", "Austin (disambiguation)", "Ada", "Aa River")} == {
        "disambiguation"
    }
    assert english["Albedo"].text.startswith(
        'Albedo or reflection coefficient, derived from Latin albedo "whiteness"'
    )


def test_no_markup_is_left_in_an_english_dump(english: dict[str, Record]) -> None:
    text = "\n".join(record.text for record in english.values() if record.text)
    left = {
        mark: text.count(mark)
        for mark in ("[[", "]]", "{{", "}}", "'''", "<ref", "</", "[http", "{|", "&nbsp;", "thumb|")
    }
    assert {mark: count for mark, count in left.items() if count} == {}


def test_a_latgalian_dump_reads_as_by_hand() -> None:
    items = real(shared(LTGWIKI))
    assert Counter(item.rule for item in items) == {
        None: 895,
        "namespace": 906,
        "redirect": 195,
        "no_text": 8,
    }
    by_title = {item.title: item for item in items if isinstance(item, Record)}
    # Local names of categories and files are known from the header.
    assert not [title for title, item in by_title.items() if item.text and "Kategoreja:" in item.text]
    assert by_title["Suoku puslopa"].rule == "no_text"  # the main page is templates alone

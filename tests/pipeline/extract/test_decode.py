import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.charsets import CHARSETS, charset_of, codec_of
from pipeline.extract.decode import decode
from tests.pipeline.extract.pages import read_pages
from tests.shared_data import shared

RUSSIAN = "Привет, мир. Это тестовая страница о погоде в Москве и Санкт-Петербурге. " * 5


@given(st.binary(max_size=200), st.sampled_from([None, *CHARSETS]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_bytes_become_text_that_can_be_written(body: bytes, label: str | None, truncated: bool) -> None:
    found = decode(body, declared=label, truncated=truncated)
    assert "\0" not in found.text
    found.text.encode()  # no lone surrogates
    assert found.charset in CHARSETS.values()
    assert found.charset_from in {"bom", "utf8", "http", "meta", "detector", "fallback"}


@given(st.binary(max_size=64), st.sampled_from(sorted(set(CHARSETS.values()))))
@settings(max_examples=300, deadline=None)
def test_no_charset_makes_surrogates(body: bytes, charset: str) -> None:
    body.decode(codec_of(charset), "replace").encode()


@given(
    st.text(st.characters(blacklist_characters="\0\x1b", blacklist_categories=["Cs"])),
    st.sampled_from([*CHARSETS]),
)
@settings(max_examples=200, deadline=None)
def test_utf8_stays_utf8_whatever_is_declared(text: str, label: str) -> None:
    found = decode(text.encode(), declared=label)
    assert found.text == text.removeprefix("\ufeff")
    assert found.charset == "utf-8"


@given(
    st.text(st.characters(min_codepoint=0x80, max_codepoint=0x10FFFF, exclude_categories=["Cs"]), min_size=2)
)
@settings(max_examples=100, deadline=None)
def test_a_truncated_page_may_end_within_a_character(text: str) -> None:
    body = text.encode()[:-1]
    found = decode(body, truncated=True)
    assert (found.text, found.charset) == (text[:-1].removeprefix("\ufeff"), "utf-8")


@pytest.mark.parametrize(
    "charset", ["windows-1251", "koi8-r", "ibm866", "iso-8859-5", "utf-16le", "utf-16be"]
)
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_the_header_names_the_charset(charset: str, quote: str) -> None:
    body = f"<html><p>{RUSSIAN}".encode(codec_of(charset))
    found = decode(body, declared=f" {quote}{charset.upper()}{quote} ")
    assert (found.text, found.charset, found.charset_from) == (f"<html><p>{RUSSIAN}", charset, "http")


@pytest.mark.parametrize(
    "meta",
    [
        "<meta charset=windows-1251>",
        "<META  CharSet = 'Windows-1251' >",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
        '<?xml version="1.0" encoding="windows-1251"?>',
    ],
)
def test_the_page_names_the_charset(meta: str) -> None:
    found = decode((meta + RUSSIAN).encode("cp1251"), declared="shift_jis-but-not-really")
    assert (found.text, found.charset, found.charset_from) == (meta + RUSSIAN, "windows-1251", "meta")


def test_a_declaration_that_the_bytes_contradict_is_not_used() -> None:
    body = f"<meta charset=euc-jp><p>{RUSSIAN}".encode("koi8-r")
    found = decode(body, declared="utf-8")
    assert (found.charset, found.charset_from) == ("koi8-r", "detector")
    assert RUSSIAN in found.text


@pytest.mark.parametrize(
    ("bom", "charset"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be")],
)
def test_the_byte_order_mark_comes_first(bom: bytes, charset: str) -> None:
    found = decode(bom + RUSSIAN.encode(charset), declared="windows-1251")
    assert (found.text, found.charset, found.charset_from) == (RUSSIAN, charset, "bom")


@pytest.mark.parametrize(
    "label",
    ["utf-7", "rot13", "zip", "idna", "unicode_escape", "hz", "base64", "undefined", "mbcs", "utf-32", ""],
)
def test_codecs_that_are_no_charsets_of_the_web_are_refused(label: str) -> None:
    assert charset_of(label) is None
    assert decode(b"+ADw-script+AD4- caf\xe9", declared=label).text == "+ADw-script+AD4- café"


def test_octets_without_a_meaning_fall_back_to_windows_1252() -> None:
    found = decode(b"\x80uro \x93quoted\x94 \x81")
    assert (found.text, found.charset) == ("€uro “quoted” \x81", "windows-1252")


def test_damaged_utf8_is_still_utf8() -> None:
    body = RUSSIAN.encode()
    found = decode(body[:100] + b"\xff" + body[100:], declared="utf-8")
    assert (found.text.count("\ufffd"), found.charset, found.charset_from) == (1, "utf-8", "detector")


def test_english_with_typographic_quotes_is_windows_1252() -> None:
    found = decode(b"<p>" + b"It\x92s a long \x93quoted\x94 text \x96 with dashes. " * 20)
    assert found.charset == "windows-1252"
    assert "It’s a long “quoted” text – with dashes." in found.text


def test_the_nineteen_charset_cases() -> None:
    pages = read_pages(shared("crawl/bad/charsets.warc.gz"))
    found = [decode(page.body, declared=page.charset) for page in pages]
    assert [(one.charset, one.charset_from) for one in found] == [
        ("windows-1251", "detector"),
        ("windows-1251", "meta"),
        ("koi8-r", "detector"),
        ("shift_jis", "meta"),
        ("euc-jp", "http"),
        ("iso-2022-jp", "detector"),
        ("gb18030", "http"),
        ("big5", "meta"),  # a lie that happens to be valid Big5: browsers are fooled as well
        ("utf-16le", "bom"),
        ("utf-16be", "bom"),
        ("utf-16le", "http"),
        ("utf-8", "bom"),
        ("utf-8", "utf8"),
        ("utf-8", "utf8"),
        ("utf-8", "utf8"),
        ("utf-8", "detector"),
        ("utf-8", "utf8"),
        ("utf-8", "utf8"),
        ("windows-1252", "http"),
    ]
    russian = [one.text for index, one in enumerate(found) if index in {0, 1, 2, 8, 9, 10, 11, 12, 13, 14}]
    assert all("Привет, мир. Это тестовая страница" in text for text in russian)
    assert all("これは日本語の試験ページです。" in found[index].text for index in (3, 4, 5))
    assert "cafe cafe" in found[16].text
    assert "“smart” quotes –" in found[18].text

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

from pipeline.errors import UsageError
from pipeline.extract import html as engines
from pipeline.extract.html import EXTRACTORS, check_extractor, extractor_version
from pipeline.extract.limits import Limits
from pipeline.extract.normalise import normalise_text
from pipeline.extract.page import Extracted, Page, extract_page
from tests.pipeline.extract.pages import ARTICLE, small_crawl

LIMITS = Limits()


def extract(page: Page, extractor: str = "resiliparse") -> Extracted:
    return extract_page(page, extractor=extractor, limits=LIMITS)


@pytest.mark.parametrize("extractor", ["resiliparse", "resiliparse_dclm", "trafilatura"])
def test_the_article_is_kept_and_the_menu_is_not(extractor: str) -> None:
    if extractor == "trafilatura":
        pytest.importorskip("trafilatura")
    found = extract(ARTICLE, extractor)
    assert found.text is not None
    assert "eaten on every day of the year.\n" in found.text
    assert "Home" not in found.text
    assert replace(found, text=None) == Extracted(
        title="Bread and salt", charset="utf-8", charset_from="utf8", extractor=extractor
    )


def test_all_text_holds_the_menu_too() -> None:
    text = extract(ARTICLE, "all_text").text
    assert text is not None
    assert "Home" in text


@pytest.mark.parametrize(
    ("extractor", "options"),
    [
        ("resiliparse", {"main_content": True, "alt_texts": False}),
        ("resiliparse_dclm", {"main_content": True}),
        ("all_text", {"alt_texts": False}),
    ],
)
def test_the_text_is_that_of_the_call_it_is_named_after(extractor: str, options: dict[str, bool]) -> None:
    for page in small_crawl():
        found = extract(page, extractor)
        if found.charset == "utf-8":
            direct = normalise_text(
                extract_plain_text(page.body.decode("utf-8-sig").replace("\0", ""), **options)
            )
            assert (found.text or "") == (direct if not direct.isspace() else "")


def test_a_page_does_not_depend_on_the_pages_before_it() -> None:
    pytest.importorskip("trafilatura")
    pages = small_crawl()[:40]
    forwards = [extract(page, "trafilatura") for page in pages]
    backwards = [extract(page, "trafilatura") for page in reversed(pages)]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize(
    ("page", "fate", "rule"),
    [
        (Page(b""), "removed", "no_text"),
        (Page(b" \n\t "), "removed", "no_text"),
        (Page(b"<!-- never closed " + b"x" * 100_000), "removed", "no_text"),
        (Page(b"<script> never closed " + b"x" * 100_000), "removed", "no_text"),
        (Page(b"%PDF-1.4 and so on"), "removed", "not_text"),
        (Page(b"<div>" * 100_000), "removed", "too_deep"),
        (Page("\ufeff".encode("utf-16le") + ("<div>" * 5000).encode("utf-16le")), "removed", "too_deep"),
        (Page(b"<table>" + b"<tr><td>cell</td></tr>" * 300_000), "removed", "too_large"),
        (Page(b"x" * 20_000_000), "removed", "too_large"),
        (Page(b"<p>" + b"word " * 800_000), "kept", None),
        (Page(b"<p title='" + b"a" * 4_000_000 + b"'>text"), "kept", None),
        (Page(b"<p>\xed\xa0\x80 a lone surrogate, and a NUL: \0"), "kept", None),
        (Page(b"<p>&#xD800; &#0; &#x110000; stay characters"), "kept", None),
        (Page(b"<table><tr><td colspan=99999999 rowspan=99999999>cell"), "kept", None),
    ],
    ids=lambda value: str(value.body[:20]) if isinstance(value, Page) else None,
)
def test_hostile_pages_meet_a_fate(page: Page, fate: str, rule: str | None) -> None:
    found = extract(page, "all_text")
    assert (found.fate, found.rule) == (fate, rule)
    assert (found.text is not None) == (fate == "kept")
    (found.text or "").encode()
    assert "\0" not in (found.text or "")


def test_plain_text_is_left_alone() -> None:
    found = extract(Page("a < b &amp; <p>caf\u0065\u0301 \r\n  two\n".encode(), None, "text/plain"))
    assert found == Extracted("a < b &amp; <p>café\n  two", None, "utf-8", "utf8", "plain")


def test_html_that_calls_itself_plain_is_html() -> None:
    found = extract(replace(ARTICLE, body=b"\n<!DOCTYPE html>" + ARTICLE.body, mime="text/plain"))
    assert (found.extractor, found.title) == ("resiliparse", "Bread and salt")


def test_a_title_is_bounded() -> None:
    title = extract(Page(b"<title>" + b"very " * 100_000 + b"long</title><p>text</p>"), "all_text").title
    assert title is not None
    assert 290 <= len(title) <= 300


def test_an_error_of_the_library_is_the_pages_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(engines, "extract_plain_text", refuse)
    found = extract(ARTICLE)
    assert (found.fate, found.rule, found.detail) == (
        "failed",
        "extractor_error",
        "RuntimeError: no such luck",
    )
    assert found.text is None


@given(
    st.binary(max_size=400),
    st.sampled_from(["resiliparse", "all_text"]),
    st.sampled_from(["text/plain", None]),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_meet_a_fate(body: bytes, extractor: str, mime: str | None) -> None:
    found = extract(Page(body, None, mime), extractor)
    assert (found.fate == "kept") == (found.text is not None) == (found.rule is None)


def test_extractors_tell_their_version() -> None:
    assert extractor_version("resiliparse").startswith("resiliparse 2.")
    assert extractor_version("plain").startswith("plain r")
    assert (
        len({extractor_version(name) for name in EXTRACTORS if name != "trafilatura"}) == len(EXTRACTORS) - 1
    )


def test_an_extractor_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    engines._trafilatura.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "trafilatura", None)
    with pytest.raises(UsageError, match=r"not installed; run: pip install 'crawlmix\[trafilatura\]'"):
        check_extractor("trafilatura")

"""Wikitext to text: hand-made cases, the parser library as a second opinion, hostile markup."""

import re

import mwparserfromhell
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.wikitext import plain_text
from pipeline.sources.wikitext_brackets import MAX_NESTING
from pipeline.sources.wikitext_links import LinkNames

NAMES = LinkNames.of_namespaces({6: "Fails", 14: "Kategoreja"})


def text_of(wikitext: str) -> str:
    return plain_text(wikitext, NAMES).text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        (
            "'''Bold''' and ''italic'' and '''''both''''' in O''''Neil'''",
            "Bold and italic and both in O'Neil",
        ),
        (
            "a [[link]], a [[target|shown]] one, [[Foo (bar)|]] and [[:Category:X]]",
            "a link, a shown one, Foo and Category:X",
        ),
        ("x<ref>cited</ref> y<ref name=a /> z<REF name='b'>{{cite|t}}</REF>.", "x y z."),
        (
            "a{{citation needed|date=May}} b {{lang|grc|λόγος}} {{convert|5|km|mi}} long",
            "a b λόγος 5 km long",
        ),
        ("{{a|{{b|{{c}}}}\n|}}kept", "kept"),
        ("one\n{| class=x\n|-\n| cell || {{t}}\n{|\n| inner\n|}\n|}\ntwo", "one\n\ntwo"),
        ("[[File:A.jpg|thumb|200px|A [[cat]] and {{t}} here]]rest", "rest"),
        ("[[fails:A.jpg|x]][[Kategoreja:B]][[Category:C|key]][[de:Wort]]rest", "rest"),
        (
            "[http://a.example/ shown] and [http://b.example/] and http://c.example/",
            "shown and and http://c.example/",
        ),
        (
            "* one\n** two\n# three\n:: indented\n; term : meaning",
            "• one\n• two\n• three\nindented\nterm : meaning",
        ),
        ("<nowiki>'''[[raw]]''' &amp;</nowiki> {{x}}done", "'''[[raw]]''' &amp; done"),
        ("a&nbsp;b &mdash; c &lt;i&gt;", "a b — c <i>"),
        ("a<!-- gone\n\n --> b <!-- never closed [[x]]", "a b"),
        ("H<sub>2</sub>O<br />next <span style='a>b'>s</span>", "H2O\nnext b'>s"),
        ("area <math>\\pi r^2</math> and <gallery>\nA.jpg\n</gallery>end", "area and end"),
        ("== Empty ==\n== Filled ==\ntext\n=== Sub ===\n\n== Last ==\n{{reflist}}", "Filled\n\ntext"),
        ("=== A ===\n==== B ====\nx", "A\n\nB\n\nx"),
        ("Name ({{IPA|x}}; born 1900) and ({{t}}) end {{t}} .", "Name (born 1900) and end."),
        ("__NOTOC__\n__FORCETOC__ text", "text"),
        ("unclosed {{ and [[ and {| here", "unclosed and and {| here"),
        ("closed }} and ]] alone", "closed and alone"),
    ],
)
def test_markup_becomes_what_a_reader_sees(wikitext: str, text: str) -> None:
    assert text_of(wikitext) == text


@pytest.mark.parametrize("piece", ["{{", "[[", "{{{", "{{a|", "[[a|", "\n{|\n|", "<b>", "<ref>", "<b a='", "[http://a ", "'''''", "\n=a=", "<nowiki>", "<!--", "\n|}", "}}", "]]", "\n* ", "&", "("])  # fmt: skip
@pytest.mark.parametrize("closing", ["", "}}", "]]", "\n|}", "</b>"])
def test_ten_thousand_brackets_end(piece: str, closing: str) -> None:
    plain = plain_text(f"before {piece * 10_000} x {closing * 10_000} after", NAMES)
    assert plain.too_deep or isinstance(plain.text, str)
    assert not (plain.too_deep and plain.text)


@pytest.mark.parametrize(("opening", "closing"), [("{{", "}}"), ("[[", "]]"), ("\n{|\n", "\n|}\n")])
def test_nesting_is_cut_at_its_limit_and_not_before(opening: str, closing: str) -> None:
    at, beyond = (f"a {opening * depth}x{closing * depth} b" for depth in (MAX_NESTING, MAX_NESTING + 1))
    assert not plain_text(at, NAMES).too_deep
    assert plain_text(beyond, NAMES).too_deep


WORDS = st.text("abcdé ", min_size=1, max_size=12).map(str.strip).filter(bool)
MARKED = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        inner.map("''{}''".format),
        inner.filter(lambda text: not re.search(r"\[\[|\{\{", text)).map("[[target|{}]]".format),
        inner.map("{{{{t|{}}}}}".format),
        inner.map("<small>{}</small>".format),
        st.lists(inner, min_size=2, max_size=3).map(" ".join),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(MARKED)
def test_well_formed_markup_reads_as_the_parser_library_reads_it(wikitext: str) -> None:
    theirs = mwparserfromhell.parse(wikitext).strip_code(normalize=True, collapse=True)
    assert re.findall(r"\w+", text_of(wikitext)) == re.findall(r"\w+", str(theirs))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["{{", "}}", "[[", "]]", "\n{|", "\n|}", "|", "a", " ", "\n", "''", "==", "<ref>", "</ref>", "<nowiki>", "</nowiki>", "<!--", "-->", "*", "[http://x ", "]", "é", "&lt;", "\ufdd0"]), max_size=40))  # fmt: skip
def test_any_markup_gives_clean_text(pieces: list[str]) -> None:
    text = text_of("".join(pieces))
    assert text == text.strip()
    assert "\ufdd0" not in text
    assert "\n\n\n" not in text

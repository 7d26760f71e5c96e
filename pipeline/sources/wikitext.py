"""Wikitext to plain text in linear time.

Three passes: what has no text of its own goes (comments, references, formulas); one pass over brackets with a stack
removes templates and tables and shows links as their text; what markup is left in a paragraph is read by
mwparserfromhell. That parser alone takes 1.4 s for a megabyte of articles, and minutes for a few kilobytes of
brackets that nobody closed, so it is given only short paragraphs with few brackets.
"""

import html
import re
from dataclasses import dataclass, field

import mwparserfromhell

from pipeline.sources.wikitext_brackets import resolve_brackets
from pipeline.sources.wikitext_links import LinkNames

# Elements whose contents are no prose of the article.
_DROPPED = (
    "ref|references|gallery|math|chem|ce|timeline|score|imagemap|hiero|graph|mapframe|maplink|templatedata|"
    "syntaxhighlight|source|categorytree|indicator|inputbox|section|templatestyles|includeonly|style|script"
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ELEMENT = re.compile(rf"<(/?)({_DROPPED})(?=[\s/>])([^<>]*)>", re.IGNORECASE)
_VERBATIM = re.compile(r"<nowiki\s*>(.*?)(?:</nowiki\s*>|\Z)|<nowiki\s*/>", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<(?:br|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:abbr|b|bdi|bdo|big|blockquote|caption|center|cite|code|data|dd|del|dfn|div|dl|dt|em|font|h[1-6]|i|ins|kbd|li|"
    r"mark|noinclude|nowiki|ol|onlyinclude|p|poem|pre|q|rb|rp|rt|rtc|ruby|s|samp|small|span|strike|strong|sub|sup|"
    r"table|tbody|td|th|thead|time|tr|tt|u|ul|var|wbr)(?=[\s/>])[^<>]*>",
    re.IGNORECASE,
)
_SWITCH = re.compile(r"__[A-Z]{3,30}__")  # behaviour switches such as __NOTOC__
_QUOTES = re.compile(r"'{2,}")
_LIST = re.compile(r"([*#:;]+)[ \t]*")
_MARKUP = re.compile(r"\[\[|\{\{|\]\]|\}\}|\[(?:https?:|ftp:|mailto:)?//|<[a-zA-Z/]")
_BARE_LINK = re.compile(r"\[(?:https?://|ftp://|mailto:|//)[^\s\[\]]*\]")
_ANY_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_BLANKS = re.compile(r"  +")
# What removed templates leave behind: `( )`, `( ; 1870)`, `a word .`
_EMPTY_BRACKETS = re.compile(r"\([ ,;:]*\)")
_OPENED = re.compile(r"\([ ,;]+")
_STOP = re.compile(r" \.(?=\s|\Z)")
_BLANK_LINES = re.compile(r"\n{3,}")

# Unicode noncharacters stand for markup between <nowiki> tags until the text is done.
_SIGNS = "[]{}<>'=*#:;|_&"
_STAND_INS = "".join(chr(0xFDD0 + number) for number in range(len(_SIGNS)))
_PROTECT = str.maketrans(_SIGNS, _STAND_INS)
_RESTORE = str.maketrans(_STAND_INS, _SIGNS)
_STRAY = re.compile(f"[{_STAND_INS}]")

_PARSER_CHARS = 8 << 10  # of a paragraph that the parser may read
_PARSER_MARKS = 24  # brackets and tags in it: its time grows with their number to the power of two or three


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text of an article, or why there is none."""

    text: str
    too_deep: bool = False


@dataclass(slots=True)
class _Section:
    """Lines below a heading; a heading is shown only if something is below it."""

    level: int
    heading: str
    lines: list[str] = field(default_factory=list)


def plain_text(wikitext: str, names: LinkNames) -> PlainText:
    """Return the prose of an article: headings as lines, list items with a bullet, links as their text.

    Dropped are comments, references, templates but for a few that stand for a piece of text, tables, files,
    categories, galleries, formulas, source code, headings with nothing below them. Time is linear in the length,
    and `too_deep` is set where brackets nest deeper than `resolve_brackets` goes.
    """
    text = _STRAY.sub("", wikitext) if not wikitext.isascii() else wikitext
    text = _COMMENT.sub("", text)
    text, protected = _VERBATIM.subn(lambda found: (found[1] or "").translate(_PROTECT), text)
    text = _without_elements(text)
    resolved = resolve_brackets(text, names)
    if resolved is None:
        return PlainText("", too_deep=True)
    text = _BREAK.sub("\n", resolved)
    text = _SWITCH.sub("", _TAG.sub("", text))
    sections = _sections(text.split("\n"))
    plain = "\n".join(_shown(sections))
    plain = html.unescape(plain) if "&" in plain else plain
    plain = _OPENED.sub("(", _EMPTY_BRACKETS.sub("", plain.replace("\xa0", " ").replace("\t", " ")))
    plain = _STOP.sub(".", _BLANKS.sub(" ", plain).replace(" ,", ",").replace(" )", ")"))
    plain = _BLANK_LINES.sub("\n\n", plain).strip()
    # What <nowiki> protects comes back last.
    return PlainText(plain.translate(_RESTORE) if protected else plain)


def _without_elements(text: str) -> str:
    """Remove `_DROPPED` elements; a tag that nothing closes goes alone."""
    tags = list(_ELEMENT.finditer(text))
    if not tags:
        return text
    last_close = {tag[2].lower(): tag.start() for tag in tags if tag[1]}
    pieces: list[str] = []
    position, inside = 0, ""
    for tag in tags:
        name = tag[2].lower()
        if inside:
            if tag[1] and name == inside:
                position, inside = tag.end(), ""
            continue
        pieces.append(text[position : tag.start()])
        position = tag.end()
        if not tag[1] and not tag[3].endswith("/") and last_close.get(name, -1) > tag.start():
            inside = name
    pieces.append(text[position:])
    return "".join(pieces)


def _sections(lines: list[str]) -> list[_Section]:
    sections = [_Section(0, "")]
    blank = True
    for line in lines:
        if line.startswith("=") and (level := _heading_level(line)):
            sections.append(_Section(level, _inline(line.strip()[level:-level]).strip()))
            blank = True
            continue
        if line.startswith(("|", "!")):  # of a table or template that nothing closes
            continue
        shown = _line(line)
        if shown or not blank:
            sections[-1].lines.append(shown)
            blank = not shown
    return sections


def _heading_level(line: str) -> int:
    """Return how many signs stand on both sides of a heading, 6 at most; 0 if the line is none."""
    line = line.strip()
    inner = line.strip("=")
    if not inner:
        return 0
    left = line.index(inner[0])
    return min(left, len(line) - left - len(inner), 6)


def _line(line: str) -> str:
    if line.startswith("----"):
        return ""
    item = _LIST.match(line)
    if item is None:
        return _inline(line).strip()
    content = _inline(line[item.end() :]).strip()
    return f"\u2022 {content}" if content and item[1].rstrip(":;") else content


def _inline(text: str) -> str:
    """Remove the markup that is left within a paragraph."""
    if "[" in text:
        text = _BARE_LINK.sub("", text)
    marks = len(_MARKUP.findall(text)) if "[" in text or "<" in text or "{" in text else 0
    if marks:
        if len(text) <= _PARSER_CHARS and marks <= _PARSER_MARKS:
            code = mwparserfromhell.parse(text)
            return str(code.strip_code(normalize=False, collapse=False))
        text = _ANY_TAG.sub("", text)
        text = text.replace("[[", "").replace("]]", "").replace("{{", "").replace("}}", "")
    return _QUOTES.sub(_apostrophes, text) if "''" in text else text


def _apostrophes(found: re.Match[str]) -> str:
    """Return the apostrophes beyond italics (2), bold (3) or both (5)."""
    count = len(found[0])
    return "'" if count == 4 else "'" * (count - 5)


def _shown(sections: list[_Section]) -> list[str]:
    shown = [False] * len(sections)
    below = [False] * 8  # by level: has a section that is shown been seen since the last higher heading?
    for number in range(len(sections) - 1, -1, -1):
        level = sections[number].level
        shown[number] = any(sections[number].lines) or any(below[level + 1 :])
        below[level + 1 :] = [False] * (7 - level)
        below[level] |= shown[number]
    lines: list[str] = []
    for section, is_shown in zip(sections, shown, strict=True):
        if is_shown:
            lines += ["", section.heading, "", *section.lines] if section.heading else section.lines
    return lines

"""What Project Gutenberg adds to its books: header, licence, credits, transcriber's notes. Told by structure.

A text without the project's marks comes back as it is. The forms are those of etexts from 1991 on: "Small Print"
headers until 2003, `*** START OF ...` and `*** END OF ...` lines since.
"""

import re
from typing import Final

_MARK_CHARS: Final = 64 << 10  # the header, with the longest of the old licences
_NOTE_CHARS: Final = 6000  # of a note in brackets
_EDGE_SECTIONS: Final = 6  # at either end of a book: where notes and credits stand
_CREDIT_SECTIONS: Final = 3  # at the front, where credits stand

_START: Final = re.compile(
    r"^[ \t]*(?:\*{2,3}[ \t]*START OF TH(?:E|IS) PROJECT GUTENBERG[^\n]*(?:\n[^\n*]+){0,3}?\*{3}"
    r"|\*{2,3}[ \t]*START OF TH(?:E|IS) PROJECT GUTENBERG[^\n]*"
    r"|\*END[* ]+THE SMALL PRINT![^\n]*|\*\*\* START OF THE COPYRIGHTED PROJECT GUTENBERG[^\n]*)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_END: Final = re.compile(
    r"^[ \t]*(?:\*{2,3}[ \t]*END OF (?:TH(?:E|IS) )?(?:COPYRIGHTED )?PROJECT GUTENBERG|\*{2,3}[ \t]*START: FULL LICENSE"
    r"|(?:This is the )?End of (?:the |this )?Project Gutenberg(?:'s|\u2019s)?|Ende dieses Project Gutenberg"
    r"|\*\*\*\*\*[ \t]*This file should be named|\*\*\* This file should be named)",
    re.IGNORECASE | re.MULTILINE,
)
_FIRST_LINE: Final = re.compile(
    r"\s*(?:\*+[ \t]*)?(?:The |This is the )?(?:\w+ \d{4} )?Project Gutenberg(?:'s|\u2019s)?[ \t]+"
    r"(?:e-?text|e-?book|edition|release)\b",
    re.IGNORECASE,
)
_CREDIT: Final = re.compile(
    r"\W{0,3}(?:produced by|e-?text (?:was )?(?:prepared|produced|scanned)|this e-?(?:text|book) (?:was )?(?:prepared|produced|"
    r"transcribed|created)|(?:transcribed|scanned|prepared|typed|digitized|html version|updated) (?:from|by|and)\b|"
    r"this (?:file|book|e-?text) was (?:first )?(?:produced|posted|prepared)|images? (?:generously|courtesy)|"
    r"character set encoding|note: (?:project gutenberg|images of|this)|\(?this (?:file|book) was produced from|"
    r"(?:the )?(?:project gutenberg )?online distributed proofread|https?://(?:www\.)?(?:pgdp|gutenberg|archive)\.)",
    re.IGNORECASE,
)
_NOTE: Final = re.compile(
    r"\W{0,3}(?:(?:original[ \t]+)?transcrib(?:er|ers)(?:'s|\u2019s|s'|s\u2019)?[ \t]+(?:end[ -]?)?(?:notes?|comments?|corrections?)|"
    r"project gutenberg (?:editor|transcriber)(?:'s|\u2019s)? note|notes? (?:of|by|from) (?:the )?transcriber)",
    re.IGNORECASE,
)
_BRACKETED: Final = re.compile(
    r"[ \t]*\[(?:transcriber|project gutenberg (?:editor|transcriber))(?:'|\u2019)?s?(?:'|\u2019)?[ \t]+(?:end[ -]?)?(?:note|comment)s?"
    rf"[^\[\]]{{0,{_NOTE_CHARS}}}\](?:[ \t]*\n{{1,2}})?",
    re.IGNORECASE,
)
_BOX: Final = re.compile(r"(?:^[ \t]*[+|][^\n]*[+|][ \t]*(?:\n|\Z)){2,}\n?", re.MULTILINE)
_SECTION: Final = re.compile(r"\n(?:[ \t]*\n){2,}")  # two blank lines: a paragraph has one
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")


def without_gutenberg(text: str) -> str:
    r"""Return the book alone, its lines and paragraphs as they are; chapters stay apart by two blank lines.

    Args:
        text: with `\n` line ends.

    Removed are everything before and after the project's marks, the credits of those who made the file, and notes of
    transcribers: in brackets or boxes wherever they stand, as sections at either end of the book.
    """
    start, stop = _body(text)
    is_marked = start > 0 or stop < len(text)
    if not is_marked and "ranscriber" not in text and "RANSCRIBER" not in text:
        return text
    body = _BRACKETED.sub(_gap, text[start:stop])
    body = _BOX.sub(lambda box: _gap(box) if "transcriber" in box[0].lower() else box[0], body)
    sections = [section.strip("\n") for section in _SECTION.split(body)]
    sections = _without_notes([section for section in sections if section.strip()], credits=is_marked)
    return _without_last_note("\n\n\n".join(sections))


def _gap(note: re.Match[str]) -> str:
    """Close up where a note stood: a note on lines of its own takes its line ends along."""
    alone = note.start() == 0 or note.string[note.start() - 1] == "\n"
    return "" if alone else note[0][len(note[0].rstrip("\n")) :]


def _body(text: str) -> tuple[int, int]:
    """Return where the book begins and ends between the marks."""
    start = 0
    stop = len(text)
    for mark in _START.finditer(text, 0, min(len(text), _MARK_CHARS)):
        start = mark.end()
    ending = _END.search(text, start)
    if ending:
        stop = ending.start()
    if start == 0 and _FIRST_LINE.match(text):
        first = _PARAGRAPH.search(text, len(text) - len(text.lstrip()))
        start = min(first.end(), stop) if first else 0
    return start, stop


def _without_notes(sections: list[str], *, credits: bool) -> list[str]:  # noqa: A002 - what they are called
    """Drop notes, and credits at the front, from the sections at both ends."""
    front = sections[:_EDGE_SECTIONS]
    middle, back = sections[_EDGE_SECTIONS:-_EDGE_SECTIONS], sections[_EDGE_SECTIONS:][-_EDGE_SECTIONS:]
    kept: list[str] = []
    for number, section in enumerate(front):
        if _NOTE.match(section) and len(sections) > 1:
            rest = _PARAGRAPH.split(section, 1)[1:]
            if not rest and len(section) < 60 and number + 1 < len(front):
                front[number + 1] = ""  # a heading alone: the note is the next section
            continue
        kept.append(_without_credits(section) if credits and number < _CREDIT_SECTIONS else section)
    front = kept
    for number, section in enumerate(back):
        if _NOTE.match(section) and (front or middle or number):
            back = back[:number]
            break
    return [section for section in [*front, *middle, *back] if section.strip()]


def _without_last_note(text: str) -> str:
    """Cut off a note that ends a book whose sections nothing tells apart: from its heading, alone on a line."""
    for found in _NOTE.finditer(text, len(text) - len(text) // 10):
        word = found.end() - len(found[0].lstrip())
        begins = text.rfind("\n", 0, word) + 1
        stop = text.find("\n", found.end())
        if not text[begins:word].strip(" *_=") and not text[found.end() : stop].strip(" :.*_="):
            return text[:begins].rstrip()
    return text


def _without_credits(section: str) -> str:
    paragraphs = _PARAGRAPH.split(section)
    return "\n\n".join(paragraph for paragraph in paragraphs if not _CREDIT.match(paragraph))

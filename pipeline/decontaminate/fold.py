r"""One form for texts that say the same: what an index holds and what a scan reads.

In this order:

1. HTML entities, also doubly escaped ones (`&amp;quot;`), become their characters;
2. format characters (soft hyphen, zero-width space and joiners, directional marks) and variation selectors go, so
   that what they stand in stays one word;
3. NFC;
4. each character becomes small, one for one; ASCII is left to the hashes;
5. punctuation, symbols, spaces and controls beyond ASCII that `find_words` takes for letters become spaces.

Most texts need none of it and are read where they lie; offsets always lead back to the text as given.
"""

import html
import re
import unicodedata
from html.entities import html5
from typing import NamedTuple

import numpy as np

from pipeline.decontaminate.character_classes import (
    COMPOSE,
    FOLD,
    IGNORE,
    RESIZE,
    SEPARATE,
    character_classes,
    class_of,
    fold_character,
)
from pipeline.decontaminate.edits import Edits, apply_edits
from text.buffers import Bytes, Offsets, TextBuffer
from text.distinct import distinct

FOLD_VERSION = f"entities-joiners-nfc-lower/1 unicode {unicodedata.unidata_version}"

_ENTITY = re.compile(rb"&(?:amp;){0,8}(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_AMPERSAND = ord("&")
_MAX_RUN = 256  # characters composed at once: Python sorts a run of marks in time that grows with its square


_Changes = dict[tuple[int, int], bytes]  # byte range -> its new bytes


class Folded(NamedTuple):
    """n texts in their common form, in the order given."""

    texts: TextBuffer
    edits: dict[
        int, list[Edits]
    ]  # of the rows whose length changed: from the original on, one after the other
    whole: TextBuffer  # the originals

    def original(self, row: int, starts: Offsets, ends: Offsets) -> tuple[Offsets, Offsets]:
        """Lead byte ranges of a folded row, as offsets into `texts.data`, back to bytes from the original row's start."""
        base = self.texts.starts[row]
        starts, ends = starts - base, ends - base
        for edits in reversed(self.edits.get(row, ())):
            starts, ends = edits.original_starts(starts), edits.original_ends(ends)
        return starts, ends


def fold(texts: TextBuffer) -> Folded:
    """Fold n texts; memory is a few times theirs where something has to be folded, else nothing."""
    rows = texts.rows
    if rows == 0 or int(texts.ends[-1]) == int(texts.starts[0]):
        return Folded(texts, {}, texts)
    base, stop = int(texts.starts[0]), int(texts.ends[-1])
    data = texts.data[base:stop]
    starts, ends = texts.starts - base, texts.ends - base
    leads, kinds = _classes(data)
    changed = _rows_of(leads[kinds >= IGNORE], starts) | _rows_with_entities(data, starts, ends)
    if not changed and not len(kinds):
        return Folded(texts, {}, texts)
    copy = data.copy()
    _in_place(copy, leads, kinds)
    if not changed:
        return Folded(TextBuffer(copy, starts, ends), {}, texts)
    edits: dict[int, list[Edits]] = {}
    pieces: list[Bytes] = []
    sizes = ends - starts
    done = 0
    for row in sorted(changed):
        if row >= rows or starts[row] == ends[row]:
            continue
        folded, edits[row] = fold_one(data[starts[row] : ends[row]])
        pieces += [copy[done : starts[row]], folded]
        done = int(ends[row])
        sizes[row] = len(folded)
    pieces.append(copy[done:])
    gaps = np.append(starts[1:] - ends[:-1], 0)
    new_ends = np.cumsum(sizes + gaps) - gaps + starts[0]
    return Folded(TextBuffer(np.concatenate(pieces), new_ends - sizes, new_ends), edits, texts)


def fold_one(data: Bytes) -> tuple[Bytes, list[Edits]]:
    """Fold the bytes of one text; the edits lead back, the last one first."""
    edits: list[Edits] = []
    found = [(match.span(), _unescape(match.group())) for match in _ENTITY.finditer(data.tobytes())]
    found = [(span, new) for span, new in found if new is not None]
    if found:
        places = np.array([span for span, _ in found], np.int64)
        data, edit = apply_edits(
            data, places[:, 0], places[:, 1], [new for _, new in found if new is not None]
        )
        edits.append(edit)
    leads, kinds = _classes(data)
    ignored = leads[kinds == IGNORE]
    if len(ignored):
        data, edit = apply_edits(data, ignored, ignored + _widths(data[ignored]), None)
        edits.append(edit)
        leads, kinds = _classes(data)
    plain = data.copy()
    _in_place(plain, leads, kinds)
    composed = _composed(data, leads[kinds == COMPOSE])
    changes = _resized(data, leads[kinds == RESIZE], {begin for begin, _ in composed}) | composed
    if changes:
        places = np.array(sorted(changes), np.int64)
        plain, edit = apply_edits(
            plain, places[:, 0], places[:, 1], [changes[span] for span in sorted(changes)]
        )
        edits.append(edit)
    return plain, edits


def _classes(data: Bytes) -> tuple[Offsets, Bytes]:
    """Places of the characters beyond ASCII that folding touches, and their classes."""
    leads = np.flatnonzero(data >= 0xC2)
    if not len(leads):
        return leads, np.zeros(0, np.uint8)
    kinds = character_classes().classes[_code_points(data, leads)]
    touched = np.flatnonzero(kinds)
    return leads[touched], kinds[touched]


def _code_points(data: Bytes, leads: Offsets) -> np.ndarray:
    lead = data[leads].astype(np.int32)
    code = (lead & 0x1F) << 6 | _continuation(data, leads + 1)
    wide = np.flatnonzero(lead >= 0xE0)
    if len(wide):
        at = leads[wide]
        code[wide] = (code[wide] & 0x3FF) << 6 | _continuation(data, at + 2)
        widest = wide[lead[wide] >= 0xF0]
        at = leads[widest]
        code[widest] = (code[widest] & 0x7FFF) << 6 | _continuation(data, at + 3)
    found: np.ndarray = np.minimum(code, 0x10FFFF)
    return found


def _continuation(data: Bytes, at: Offsets) -> np.ndarray:
    return data.take(at, mode="clip").astype(np.int32) & 0x3F


def _widths(lead: Bytes) -> Offsets:
    return 2 + (lead >= 0xE0).astype(np.int64) + (lead >= 0xF0)


def _in_place(data: Bytes, leads: Offsets, kinds: Bytes) -> None:
    """Write small letters over capitals, and spaces over what separates; lengths stay."""
    capitals = leads[kinds == FOLD]
    if len(capitals):
        width = _widths(data[capitals])
        code = character_classes().small[_code_points(data, capitals)]
        for size in (2, 3, 4):
            at, rest = capitals[width == size], code[width == size]
            for step in range(size - 1, 0, -1):
                data[at + step] = 0x80 | rest & 0x3F
                rest >>= 6
            data[at] = (0xF00 >> size & 0xFF) | rest
    apart = leads[kinds == SEPARATE]
    if len(apart):
        width = _widths(data[apart])
        for step in range(4):
            data[apart[width > step] + step] = 0x20


def _rows_of(places: Offsets, starts: Offsets) -> set[int]:
    if not len(places):
        return set()
    rows: list[int] = distinct(np.searchsorted(starts, places, side="right") - 1).tolist()
    return set(rows)


def _rows_with_entities(data: Bytes, starts: Offsets, ends: Offsets) -> set[int]:
    rows = _rows_of(np.flatnonzero(data == _AMPERSAND), starts)
    return {row for row in rows if _ENTITY.search(data[starts[row] : ends[row]].tobytes())}


def _unescape(entity: bytes) -> bytes | None:
    name = entity.decode("ascii").rpartition("&")[2]
    while name.startswith("amp;") and name != "amp;":
        name = name.removeprefix("amp;")
    found = html.unescape(f"&{name}") if name.startswith("#") else html5.get(name)
    if found is None:  # no entity: what remains is the text as it was before it was escaped
        found = f"&{name}"
        if found.encode() == entity:
            return None
    return found.encode("utf-8", "replace")


def _composed(data: Bytes, marks: Offsets) -> _Changes:
    """Find what NFC changes: runs of a character and the marks after it."""
    if not len(marks):
        return {}
    stops = marks + _widths(data[marks])
    apart = np.flatnonzero(marks[1:] != stops[:-1]) + 1
    firsts = np.concatenate([[0], apart])
    lasts = np.append(apart, len(marks)) - 1
    # Most texts in scripts that use marks are composed as far as they can be.
    short = int((lasts - firsts).max()) < _MAX_RUN
    if short and unicodedata.is_normalized("NFC", data.tobytes().decode()):
        return {}
    found: _Changes = {}
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        begin = max(int(marks[first]) - 1, 0)
        while begin > 0 and data[begin] & 0xC0 == 0x80:
            begin -= 1
        for cut in range(first, last + 1, _MAX_RUN):
            end = int(stops[min(cut + _MAX_RUN - 1, last)])
            _compose(data, begin, end, found)
            begin = end
    return found


def _compose(data: Bytes, begin: int, end: int, found: _Changes) -> None:
    old = data[begin:end].tobytes().decode()
    new = unicodedata.normalize("NFC", old)
    if new == old:
        return
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    found[begin + len(old[:same].encode()), end] = "".join(map(_plain, new[same:])).encode()


def _resized(data: Bytes, capitals: Offsets, done: set[int]) -> _Changes:
    spans = zip(capitals.tolist(), (capitals + _widths(data[capitals])).tolist(), strict=True)
    return {(a, b): _plain(data[a:b].tobytes().decode()).encode() for a, b in spans if a not in done}


def _plain(character: str) -> str:
    if character.isascii():
        return character
    return " " if class_of(character) == SEPARATE else fold_character(character)

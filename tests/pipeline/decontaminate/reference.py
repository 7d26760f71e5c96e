"""The whole rule once more, slow and obvious: what the kernels are compared with."""

import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from html.entities import html5
from typing import NamedTuple

ENTITY = re.compile(r"&(?:amp;){0,8}(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});", re.ASCII)


class Word(NamedTuple):
    text: str
    start: int
    end: int


class Character(NamedTuple):
    text: str
    start: int  # characters of the original that it came from
    end: int


def words_of(text: str) -> list[Word]:
    """Words in common form, each with the characters of the original that it covers."""
    characters = composed(without_ignored(unescaped(text)))
    words: list[Word] = []
    held: list[Character] = []
    for item in [*characters, Character(" ", len(text), len(text))]:
        small = "σ" if item.text.lower()[0] == "ς" else item.text.lower()[0]
        if is_word(item.text):
            held.append(item._replace(text=small))
        elif held:
            words.append(Word("".join(part.text for part in held), held[0].start, held[-1].end))
            held = []
    return words


def unescaped(text: str) -> list[Character]:
    found: list[Character] = []
    done = 0
    for match in ENTITY.finditer(text):
        found += [Character(text[i], i, i + 1) for i in range(done, match.start())]
        name = match.group(1)
        new = html.unescape(f"&{name};") if name.startswith("#") else html5.get(f"{name};", f"&{name};")
        found += [Character(c, match.start(), match.end()) for c in new]
        done = match.end()
        if new == match.group():
            found[-len(new) :] = [Character(text[i], i, i + 1) for i in range(match.start(), match.end())]
    return found + [Character(text[i], i, i + 1) for i in range(done, len(text))]


def without_ignored(characters: Sequence[Character]) -> list[Character]:
    selectors = {0x34F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
    return [
        item
        for item in characters
        if unicodedata.category(item.text) != "Cf" and ord(item.text) not in selectors
    ]


def composed(characters: list[Character]) -> list[Character]:
    """NFC of the whole text; each new character covers the originals of the stretch it came from.

    A stretch is cut before every character that nothing before it can change: composing the two sides apart gives
    the same as composing them together.
    """
    found: list[Character] = []
    start = 0
    for stop in range(1, len(characters) + 1):
        if stop < len(characters) and _joins(characters[stop].text):
            continue
        part = characters[start:stop]
        new = unicodedata.normalize("NFC", "".join(item.text for item in part))
        same = 0
        while same < min(len(new), len(part)) and new[same] == part[same].text:
            same += 1
        found += part[:same] + [Character(c, part[same].start, part[-1].end) for c in new[same:]]
        start = stop
    return found


SECONDS = {
    int(parts[1], 16)
    for code in range(0x110000)
    if len(parts := unicodedata.decomposition(chr(code)).split()) == 2 and not parts[0].startswith("<")
}


def _joins(character: str) -> bool:
    code = ord(character)
    if character.isascii():
        return False
    jamo = 0x1161 <= code < 0x1176 or 0x11A8 <= code < 0x11C3
    changes = not unicodedata.is_normalized("NFC", character)
    return bool(unicodedata.combining(character)) or code in SECONDS or jamo or changes


def is_word(character: str) -> bool:
    code = ord(character)
    if character.isascii():
        return character.isalnum()
    if 0x80 <= code < 0xC0 or 0x2000 <= code < 0x2040 or 0x3000 <= code < 0x3040:
        return False
    category = unicodedata.category(character)
    return not (category[0] in "PSZ" or category in {"Cc", "Me"} or code in {0x2BB, 0x2BC})


def hits_of(text: str, grams: set[tuple[str, ...]], n: int) -> list[tuple[int, int, tuple[str, ...]]]:
    words = words_of(text)
    found = []
    for first in range(len(words) - n + 1):
        gram = tuple(word.text for word in words[first : first + n])
        if gram in grams:
            found.append((words[first].start, words[first + n - 1].end, gram))
    return found


def grams_of(examples: Sequence[str], n: int) -> set[tuple[str, ...]]:
    found = set()
    for example in examples:
        words = [word.text for word in words_of(example)]
        found |= {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    return found


def decontaminated(
    documents: Sequence[str],
    examples: Sequence[str],
    *,
    n: int = 13,
    window: int = 200,
    min_piece: int = 200,
    max_pieces: int = 10,
    max_documents: int = 10,
) -> list[list[str] | None]:
    """GPT-3's filter: for each document its pieces, [the text] if it is untouched, None if it is removed."""
    grams = grams_of(examples, n)
    hits = [hits_of(text, grams, n) for text in documents]
    holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, found in enumerate(hits):
        for _, _, gram in found:
            holders[gram].add(number)
    results: list[list[str] | None] = []
    for text, found in zip(documents, hits, strict=True):
        removed = bytearray(len(text))
        for start, end, gram in found:
            if len(holders[gram]) <= max_documents:
                low, high = max(0, start - window), min(len(text), end + window)
                removed[low:high] = b"\1" * (high - low)
        if not any(removed):
            results.append([text])
            continue
        pieces = []
        held = ""
        for character, gone in zip(text, removed, strict=True):
            if not gone:
                held += character
            elif held:
                pieces.append(held)
                held = ""
        if held:
            pieces.append(held)
        kept = [piece for piece in pieces if len(piece) >= min_piece]
        results.append(kept if kept and len(pieces) <= max_pieces else None)
    return results

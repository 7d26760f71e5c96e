"""Tokens, lines, paragraphs and sentences of one text by plain loops and regular expressions: what the kernels must equal."""

import re
from unicodedata import category

CITATION = re.compile(r"\[(?:[0-9]*|edit|citation needed)\]", re.ASCII)


def kind(char: str) -> str:
    if char.isspace():
        return " "
    return "w" if category(char)[0] in "LMN" or category(char) == "Cf" or char == "_" else "."


def tokens(text: str) -> list[str]:
    kinds = "".join(map(kind, text))
    for at in range(1, len(text) - 1):
        sides = text[at - 1] + text[at + 1]
        words = kind(sides[0]) == kind(sides[1]) == "w"
        if (text[at] in ".'’" and words) or (text[at] in ",:" and sides.isascii() and sides.isdigit()):
            kinds = kinds[:at] + "w" + kinds[at + 1 :]
    return [text[match.start() : match.end()] for match in re.finditer(r"w+|\.+", kinds)]


def paragraphs(text: str) -> list[str]:
    return re.split(r"\n{2,}", text.strip()) if text.strip() else []

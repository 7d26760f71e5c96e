"""Texts of the sample: passages written for this project, varied and put together by a keyed hash.

A passage may offer choices, `{oak|beech}`, and names, `{town}`, which are the same throughout one text.
Nothing is copied from elsewhere; the texts are in the public domain (CC0).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pipeline.demo.chance import Chance

TOPICS = (
    "astronomy", "building", "cooking", "economy", "gardening", "health", "history",
    "music", "ocean", "software", "sport", "travel", "weather", "words",
)  # fmt: skip
LANGUAGES = ("de", "es", "fr", "ja", "ru", "sv", "zh")

_NAME = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Bank:
    """What was written about one subject: titles, and passages that each stand alone."""

    titles: tuple[str, ...]
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """A title and the paragraphs below it."""

    title: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """The paragraphs, an empty line between two."""
        return "\n\n".join(self.paragraphs)


@cache
def bank(path: str) -> Bank:
    """Read `texts/<path>.txt`: lines that start with `# ` are titles, blocks between empty lines passages."""
    content = files("pipeline.demo").joinpath("texts", f"{path}.txt").read_text(encoding="utf-8")
    blocks = [block for block in re.split(r"\n\s*\n", content) if block.strip()]
    titles = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("# ")]
    return Bank(tuple(titles), tuple(block.strip() for block in blocks if not block.startswith("# ")))


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    lists = (block.splitlines() for block in bank("other/names").passages)
    return {lines[0].removeprefix("@"): tuple(lines[1:]) for lines in lists}


def names(chance: Chance) -> dict[str, str]:
    """Draw one person, town, year, month and weekday."""
    return {name: chance.of(name).pick(values) for name, values in _names().items()}


def fill(template: str, known: Mapping[str, str], chance: Chance) -> str:
    """Put names in and take one of each choice."""
    named = _NAME.sub(lambda found: known[found[1]], template)
    place = 0
    while found := _CHOICE.search(named):
        option = chance.of(place).pick(found[1].split("|"))
        named = named[: found.start()] + option + named[found.end() :]
        place += 1
    return named


class Writer:
    """Writes articles and remembers which passages it used, so that no two share more than half of them."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed)
        self._used: dict[str, list[frozenset[int]]] = {}

    def passages(self, path: str, count: int, key: str) -> tuple[str, ...]:
        """Return `count` passages of a bank, filled in, in an order of their own."""
        chance = self._chance.of("passages", path, key)
        templates = bank(path).passages
        chosen = self._least_shared(path, len(templates), count, chance)
        known = names(chance.of("names"))
        return tuple(fill(templates[i], known, chance.of("fill", i)) for i in chosen)

    def article(self, path: str, count: int, key: str) -> Article:
        """Return an article of `count` passages of a bank."""
        chance = self._chance.of("passages", path, key)
        title = fill(
            chance.of("title").pick(bank(path).titles), names(chance.of("names")), chance.of("title fill")
        )
        return Article(title, self.passages(path, count, key))

    def _least_shared(self, path: str, available: int, count: int, chance: Chance) -> list[int]:
        """Draw up to 40 selections and take the one that shares least with any earlier text."""
        used = self._used.setdefault(path, [])
        best, least = list(range(count)), 2.0
        for attempt in range(40):
            draw = chance.of("attempt", attempt).order(range(available))[:count]
            share = max((len(old & set(draw)) / len(old | set(draw)) for old in used), default=0.0)
            if share < least:
                best, least = draw, share
            if least <= 0.25:
                break
        used.append(frozenset(best))
        return best

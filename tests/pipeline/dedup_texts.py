"""Texts with copies among them, for tests of the search for copies."""

import json
import random

from tests.pipeline.dedup_parts import Doc

_WORDS = [f"w{number}" for number in range(3000)]


class Texts:
    """Texts by chance, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def text(self, length: int = 120) -> str:
        """Make a text of so many words."""
        return " ".join(self._chance.choices(_WORDS, k=length))

    def edited(self, original: str, words: int) -> str:
        """Replace the last `words` words: with n in all and k replaced, J = (n - 4 - k) / (n - 4 + k)."""
        return " ".join([*original.split()[:-words], *(f"new{self._chance.random()}" for _ in range(words))])


def make_corpus(texts: Texts) -> list[Doc]:
    """Make ninety texts with exact and near copies, and documents that are gone already."""
    docs = [Doc(f"d{i:03d}", texts.text(), 0.5, f"2024-01-{1 + i % 28:02d}T00:00:00Z") for i in range(90)]
    for i in range(0, 30, 3):
        docs.append(Doc(f"exact{i}", docs[i].text.upper(), 0.4))
        docs.append(Doc(f"near{i}", texts.edited(docs[i].text, 5), 0.4))
    docs += [Doc(f"gone{i}", docs[i].text, alive=False) for i in range(5)]
    docs += [Doc("one", "word"), Doc("another", "word"), Doc("other", "different"), Doc("blank", "...")]
    return docs


def spread(docs: list[Doc], seed: int) -> dict[str, list[list[Doc]]]:
    """Deal documents out to the parts of three sources."""
    docs = random.Random(seed).sample(docs, len(docs))
    return {"a": [docs[:40], docs[40:45]], "b": [docs[45:100], []], "c": [docs[100:]]}


def summary(root):
    return json.loads((root / "duplicates/summary.json").read_text())


def content(root):
    return summary(root)["levels"]["content"]

"""A small question benchmark, written for this sample, that its crawl and its models can be checked with."""

from typing import NamedTuple

from pipeline.demo.prose import bank


class Item(NamedTuple):
    """A question and its answer."""

    id: str
    question: str
    answer: str

    @property
    def text(self) -> str:
        """What must not turn up in training data."""
        return f"{self.question} {self.answer}"


def benchmark_items() -> list[Item]:
    """Return all items, in a fixed order."""
    pairs = (passage.split("\n", maxsplit=1) for passage in bank("other/benchmark").passages)
    return [Item(f"reckoning-{i:03}", question, answer) for i, (question, answer) in enumerate(pairs)]

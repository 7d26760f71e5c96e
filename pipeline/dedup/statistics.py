"""What a search for copies found, in numbers that add up over partitions in any order."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

LARGEST = 20  # clusters that are named


@dataclass
class Statistics:
    """Counts of one level of the search, documents behind in-part copies included."""

    clusters: dict[int, int] = field(default_factory=dict)  # documents of a cluster -> clusters
    pairs: dict[tuple[str, str], int] = field(default_factory=dict)  # sources of dropped and kept -> dropped
    rules: dict[str, int] = field(default_factory=dict)  # rule -> dropped
    similarity: dict[int, int] = field(
        default_factory=dict
    )  # hundredths, rounded down -> near copies dropped
    rescued: int = 0  # stay though their cluster has a better one: they resemble no kept document
    undecided: int = 0  # stay because their cluster was compared with as many kept documents as is allowed
    largest: list[tuple[int, int, str]] = field(
        default_factory=list
    )  # documents, dropped, id of the best; largest first

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Add up."""
        whole = cls()
        for part in parts:
            for name in ("clusters", "pairs", "rules", "similarity"):
                mine, theirs = getattr(whole, name), getattr(part, name)
                for key, number in theirs.items():
                    mine[key] = mine.get(key, 0) + number
            whole.rescued += part.rescued
            whole.undecided += part.undecided
            whole.largest = largest_first([*whole.largest, *part.largest])
        return whole

    def to_dict(self) -> dict[str, Any]:
        """JSON-like values in a fixed order."""
        return {
            "clusters": [list(item) for item in sorted(self.clusters.items())],
            "pairs": [[*key, number] for key, number in sorted(self.pairs.items())],
            "rules": dict(sorted(self.rules.items())),
            "similarity": [list(item) for item in sorted(self.similarity.items())],
            "rescued": self.rescued,
            "undecided": self.undecided,
            "largest": [list(item) for item in self.largest],
        }

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        return cls(
            clusters=dict(told["clusters"]),
            pairs={(dropped, kept): number for dropped, kept, number in told["pairs"]},
            rules=dict(told["rules"]),
            similarity=dict(told["similarity"]),
            rescued=told["rescued"],
            undecided=told["undecided"],
            largest=[(size, dropped, best) for size, dropped, best in told["largest"]],
        )


def largest_first(clusters: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The `LARGEST` clusters; ties by the id of their best document."""
    return sorted(clusters, key=lambda cluster: (-cluster[0], -cluster[1], cluster[2]))[:LARGEST]

"""Choices that are the same on every machine: drawn from a keyed hash, never from a generator with state."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws that depend on the seed and the key alone, not on what was drawn before.

    `random.Random` promises a stable stream for `random()` only; `choice` and `shuffle` may change between
    versions of Python.
    """

    seed: int
    key: str = ""

    def of(self, *key: object) -> "Chance":
        """Return the chances of a named thing inside this one."""
        return Chance(self.seed, "/".join((self.key, *map(str, key))))

    def below(self, limit: int) -> int:
        """Draw an integer from 0 to limit - 1."""
        digest = hashlib.blake2b(f"{self.seed}{self.key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % limit

    def pick(self, items: Sequence[T]) -> T:
        """Draw one item."""
        return items[self.below(len(items))]

    def order(self, items: Sequence[T]) -> list[T]:
        """Return all items in a drawn order."""
        rank = {i: self.of(i).below(1 << 60) for i in range(len(items))}
        return [items[i] for i in sorted(rank, key=lambda i: (rank[i], i))]

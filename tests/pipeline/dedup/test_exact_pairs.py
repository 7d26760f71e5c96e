import random
from itertools import combinations

import pyarrow as pa
import pytest

from pipeline.dedup.exact_pairs import exact_pairs
from pipeline.dedup.scheme import Scheme


def shingles(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))} if words else set()


@pytest.mark.parametrize("ngram", [1, 3, 5])
def test_the_pairs_are_those_of_a_comparison_of_all(ngram: int) -> None:
    chance = random.Random(ngram)
    words = [f"w{number}" for number in range(400)]
    texts = [" ".join(chance.choices(words, k=chance.randint(0, 60))) for _ in range(40)]
    for text in texts[:15]:
        own = text.split()
        texts.append(" ".join(word if chance.random() > 0.07 else "changed" for word in own))
    scheme = Scheme(ngram=ngram)
    wanted = {}
    for a, b in combinations(range(len(texts)), 2):
        first, second = shingles(texts[a], ngram), shingles(texts[b], ngram)
        if first and second and (value := len(first & second) / len(first | second)) >= 0.5:
            wanted[a, b] = value
    found = exact_pairs(pa.array(texts), scheme, least=0.5)
    assert len(wanted) >= 5
    assert (
        dict(
            zip(
                zip(found.first.tolist(), found.second.tolist(), strict=True),
                found.similarity.tolist(),
                strict=True,
            )
        )
        == wanted
    )


def test_no_text_no_pair() -> None:
    assert len(exact_pairs(pa.array([], pa.string()), Scheme()).first) == 0
    assert len(exact_pairs(pa.array(["", None, "..."]), Scheme()).first) == 0

"""Runs of masked words, against a direct implementation."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.hashing import BUCKETS, Tokens, count_matrix, find_tokens
from classifiers.normalise import normalise
from classifiers.prose import COMMON, common_buckets, find_runs, mask_table, run_matrix, run_names
from text.buffers import TextBuffer, text_buffer


def buffer(*texts: str | None) -> TextBuffer:
    return normalise(text_buffer(pa.array(list(texts), pa.string())), "light")


def bucket(word: str) -> int:
    return int(find_tokens(buffer(word)).buckets[0])


def runs(*texts: str, common: list[str]) -> list[list[int]]:
    found = find_runs(find_tokens(buffer(*texts)), mask_table(sorted(map(bucket, common))))
    return [part.tolist() for part in np.split(found.buckets, found.borders[1:-1])]


def test_rare_words_are_all_alike() -> None:
    history, price, other = runs("the history of", "the price of", "the history about", common=["the", "of"])
    assert history == price != other
    (links,) = runs("home contact news imprint", common=["the", "of"])
    assert len(links) == 2
    assert len(set(links)) == 1


words = st.lists(st.sampled_from(["the", "of", "cat", "dog", ","]), max_size=8)


@given(st.lists(words, max_size=6))
@settings(max_examples=60)
def test_runs_are_those_of_each_text(texts: list[list[str]]) -> None:
    common = ["the", "of", ","]
    found = runs(*(" ".join(text) for text in texts), common=common) if texts else []
    expected = [
        [tuple(word if word in common else "*" for word in text[at : at + 3]) for at in range(len(text) - 2)]
        for text in texts
    ]
    assert [len(text) for text in found] == [len(text) for text in expected]
    names: dict[int, tuple[str, ...]] = {}
    for mine, theirs in zip(found, expected, strict=True):
        for code, run in zip(mine, theirs, strict=True):
            assert names.setdefault(code, run) == run
    assert len(set(names.values())) == len(names)


def test_tokens_without_texts() -> None:
    none = np.zeros(0, np.int64)
    for rows in (0, 3):
        found = find_runs(Tokens(none, np.zeros(rows + 1, np.int64)), mask_table([1]))
        assert found.buckets.tolist() == []
        assert found.borders.tolist() == [0] * (rows + 1)


def test_the_matrix_counts_runs() -> None:
    texts = buffer("the cat of the dog of the bird of", None, "the cat", "of of of")
    common = sorted([bucket("the"), bucket("of")])
    matrix = run_matrix(texts, common)
    expected = find_runs(find_tokens(texts), mask_table(common))
    assert matrix.shape == (4, BUCKETS)
    assert np.asarray(matrix.sum(axis=1)).ravel().tolist() == [7, 0, 0, 1]
    first = Counter(expected.buckets[:7].tolist())
    assert {
        int(column): count for column, count in zip(matrix[0].indices, matrix[0].data, strict=True)
    } == first


def test_common_is_what_most_documents_hold() -> None:
    texts = buffer(*["the cat"] * 3, *["of the"] * 2, "rare")
    even = common_buckets(count_matrix(texts), np.ones(6))
    assert set(even) == set(map(bucket, ["the", "cat", "of", "rare"]))
    assert even == tuple(sorted(even))
    many = buffer(*(" ".join(f"w{number}" for number in range(row + 1)) for row in range(COMMON + 300)))
    chosen = common_buckets(count_matrix(many), np.ones(COMMON + 300))
    assert len(chosen) == COMMON
    assert bucket("w0") in chosen
    assert bucket(f"w{COMMON + 299}") not in chosen


@pytest.mark.parametrize("style", ["light", "strict"])
def test_a_run_is_shown_by_its_words(style: str) -> None:
    texts = buffer("the cat of a dog of the bird")
    common = sorted(map(bucket, ["the", "of"]))
    found = find_runs(find_tokens(texts), mask_table(common)).buckets.tolist()
    names = run_names(texts, found, common, style=style)  # type: ignore[arg-type]  # a parameter of the test
    assert names[found[0]] == ["the * of"]
    assert names[found[1]] == ["* of *"]

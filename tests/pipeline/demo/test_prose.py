"""Texts and the draws that they are made by."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.demo.benchmark import benchmark_items
from pipeline.demo.chance import Chance
from pipeline.demo.prose import LANGUAGES, TOPICS, Writer, bank, fill, names

NAMES = {"person": "Ada Lund", "town": "Elmford", "year": "1850", "month": "May", "weekday": "Monday"}
BANKS = [f"en/{topic}" for topic in TOPICS] + [f"languages/{code}" for code in LANGUAGES]


@given(st.integers(0, 2**63), st.lists(st.integers(), max_size=30))
def test_an_order_keeps_every_item_once(seed: int, items: list[int]) -> None:
    assert Counter(Chance(seed).order(items)) == Counter(items)


def test_draws_are_even() -> None:
    drawn = Counter(Chance(0).of("coin", i).below(4) for i in range(4000))
    # Four standard deviations of a binomial with n = 4000 and p = 1/4.
    assert all(abs(drawn[value] - 1000) < 4 * (4000 * 0.25 * 0.75) ** 0.5 for value in range(4))


def test_names_stand_for_the_same_throughout_and_may_stand_inside_choices() -> None:
    filled = fill("{town|in {town}} and {town}, {year}", NAMES, Chance(3))
    assert filled in {"town and Elmford, 1850", "in Elmford and Elmford, 1850"}


@pytest.mark.parametrize("path", [*BANKS, "other/narrative", "other/forum", "other/products"])
def test_every_passage_can_be_filled_in(path: str) -> None:
    for passage in bank(path).passages:
        filled = fill(passage, NAMES, Chance(1))
        assert not set(filled) & set("{}|")
        assert filled.rstrip().endswith((".", "!", "?", "。"))


@pytest.mark.parametrize("path", BANKS)
def test_every_subject_has_titles_and_passages_to_choose_from(path: str) -> None:
    assert len(bank(path).titles) >= 3
    assert len(set(bank(path).passages)) >= (12 if path.startswith("en/") else 6)


def test_an_article_repeats_no_passage() -> None:
    article = Writer(0).article("en/weather", 11, "long")
    assert len(set(article.paragraphs)) == 11


def test_names_lists_hold_no_name_twice() -> None:
    for block in bank("other/names").passages:
        lines = block.splitlines()
        assert len(lines) == len(set(lines))
    assert set(names(Chance(0))) == set(NAMES)


def test_benchmark_items_are_long_enough_to_be_found() -> None:
    items = benchmark_items()
    assert len({item.id for item in items}) == len(items) == 16
    assert all(len(item.question.split()) >= 13 and item.answer for item in items)

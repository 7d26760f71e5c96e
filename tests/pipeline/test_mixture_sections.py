"""What a recipe may say of shards and mixtures."""

from fractions import Fraction
from pathlib import Path

import pytest

from mixtures.weights import from_weights
from pipeline.errors import UsageError
from pipeline.recipe import parse_recipe

GOOD = """\
name: small
sources:
  crawl: {format: warc, paths: [a.warc.gz]}
  books: {format: text, paths: [b.txt]}
shards: {tokens: 20k, validation: 0.5%}
mixtures:
  m:
    weights: {crawl: 60, books: 40}
    tokens: 3M
"""


def complaint(old: str, new: str) -> str:
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        parse_recipe(GOOD.replace(old, new), base=Path(), file="r.yaml")
    return str(caught.value)


def test_ten_times_a_tenth_is_exact():
    names = [f"s{n}" for n in range(10)]
    sources = "".join(f"  {name}: {{format: text, paths: [b.txt]}}\n" for name in names)
    weights = ", ".join(f"{name}: 0.1" for name in names)
    text = f"name: ten\nsources:\n{sources}mixtures:\n  m: {{weights: {{{weights}}}}}\n"
    found = from_weights(parse_recipe(text, base=Path()).root.mixtures["m"].weights)
    assert (found.period, found.error) == (10, 0.0)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("22", "22"),
        ("0.1", "1/10"),
        ("1e-3", "1/1000"),
        ("1/3", "1/3"),
        ('"2.50"', "5/2"),
        ("1.5e+3", "1500"),
    ],
)
def test_a_weight_is_kept_as_it_is_written(written, value):
    recipe = parse_recipe(GOOD.replace("60", written), base=Path())
    assert Fraction(recipe.root.mixtures["m"].weights["crawl"]) == Fraction(value)
    again = parse_recipe(recipe.to_yaml(), base=Path())
    assert (again.root, again.digest) == (recipe.root, recipe.digest)


@pytest.mark.parametrize(
    "written", ["0", "-3", ".nan", ".inf", "-.inf", "many", "true", "[1]", "''", "1/0", "0.0"]
)
def test_what_is_no_weight_is_named_with_file_line_and_key(written):
    told = complaint("crawl: 60", f"crawl: {written}")
    assert told.startswith(
        "r.yaml:8: mixtures.m.weights.crawl: expected a positive number such as 22, 0.1 or 1/3"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("weights: {crawl: 60, books: 40}", "epochs: {boks: 2}", "mixtures.m.epochs: no source `boks`; did you mean `books`?"),
        ("weights: {crawl: 60, books: 40}", "sequence_length: 128", "r.yaml:7: mixtures.m: give `weights`, `epochs`"),
        ("    tokens", "    epochs: {books: 2}\n    tokens", "r.yaml:7: mixtures.m: source `books` has both a weight and epochs"),
        ("tokens: 3M", "tokens: 2k", "r.yaml:7: mixtures.m: `tokens` is 2,000, less than one sample of 2,048"),
        (", books: 40}\n    tokens: 3M", "}\n    epochs: {books: 2}", "weights and epochs in one mixture need `tokens`"),
        ("0.5%", "150%", "r.yaml:5: shards.validation: expected a share such as `5%` or `0.05` between 0 and 1, found '150%'"),
    ],
)  # fmt: skip
def test_what_a_mixture_cannot_be_is_told_with_its_line(old, new, expected):
    assert expected in complaint(old, new)


def test_tokens_may_be_left_to_the_mixture():
    recipe = parse_recipe(GOOD.replace("    tokens: 3M\n", ""), base=Path())
    assert recipe.root.mixtures["m"].tokens is None
    assert recipe.root.shards.validation == 0.005

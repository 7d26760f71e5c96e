from pathlib import Path

import pytest
import yaml

from pipeline.demo.start import starter_text
from pipeline.errors import UsageError
from pipeline.recipe import load_recipe, parse_recipe

GOOD = """\
name: small
sources:
  crawl: {format: warc, paths: [a.warc.gz], filter: web}
  books: {format: text, paths: [b.txt]}
filters:
  web: {languages: [en]}
mixtures:
  m: {weights: {crawl: 60, books: 40}, tokens: 3M}
"""


def complaint(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse_recipe(text, base=Path(), file="r.yaml")
    return str(caught.value)


def test_a_recipe_is_read_with_its_defaults():
    recipe = parse_recipe(GOOD, base=Path("/somewhere"))
    assert recipe.root.mixtures["m"].tokens == 3_000_000
    assert recipe.root.sources["crawl"].part_bytes == 128 << 20
    assert recipe.root.extract.max_depth == 2000


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "filter: web",
            "fliter: web",
            "r.yaml:3: sources.crawl: unknown key `fliter`; did you mean `filter`?",
        ),
        (
            "filter: web",
            "filter: wbe",
            "r.yaml:3: sources.crawl.filter: no filter `wbe`; did you mean `web`?",
        ),
        (
            "tokens: 3M",
            "tokens: 3Q",
            "r.yaml:8: mixtures.m.tokens: expected a count such as `300M`, `2.5k` or `1000`, found '3Q'",
        ),
        ("books: 40", "boks: 40", "r.yaml:8: mixtures.m.weights: no source `boks`; did you mean `books`?"),
        ("name: small\n", "", "r.yaml:1: `name` is missing here"),
        ("format: text", "format: txt", "r.yaml:4: sources.books.format: input should be "),
        ("paths: [b.txt]", "paths: []", "r.yaml:4: sources.books.paths: list should have at least 1 item"),
        (
            ", paths: [b.txt]",
            "",
            "r.yaml:4: sources.books: give either `paths` (files, globs, URLs) or `manifest`",
        ),
        ("name: small", "name: small\nname: large", "r.yaml:2:1: not YAML: the key `name` stands here twice"),
        ("[en]", "[en", "r.yaml:6:"),
        ("[en]", "[*english]", "r.yaml:6:21: not YAML: aliases are not supported in recipes"),
        ("[en]", "[english]", "r.yaml:6: filters.web.languages[0]: string should match pattern"),
    ],
)
def test_an_error_names_file_line_key_and_remedy(old, new, expected):
    assert expected in complaint(GOOD.replace(old, new))


def test_all_findings_are_told_at_once():
    text = (
        GOOD.replace("filter: web", "fliter: web").replace("3M", "3Q").replace("format: text", "fromat: text")
    )
    assert [line.partition(": ")[0] for line in complaint(text).splitlines()] == [
        "r.yaml:3",
        "r.yaml:4",
        "r.yaml:8",
        "r.yaml:4",
    ]
    text = GOOD.replace("filter: web", "filter: wbe").replace("books: 40", "boks: 40, crowl: 3")
    assert len(complaint(text).splitlines()) == 3


@pytest.mark.parametrize("text", ["", "[]", "just words", "3"])
def test_what_is_no_recipe_is_answered_with_a_way_on(text):
    assert "`crawlmix init` writes a recipe" in complaint(text)


def test_deep_nesting_is_one_line_and_no_crash():
    assert "not YAML" in complaint("a: " + "[" * 100_000)


def test_environment_variables_are_filled_in(monkeypatch):
    monkeypatch.setenv("CRAWL", "/data")
    text = GOOD.replace("a.warc.gz", '"${CRAWL}/${MONTH:-2020-05}.warc.gz"')
    assert parse_recipe(text, base=Path()).root.sources["crawl"].paths == ["/data/2020-05.warc.gz"]
    monkeypatch.delenv("CRAWL")
    assert "r.yaml:3: sources.crawl.paths[0]: the environment variable `CRAWL` is not set" in complaint(text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot read the recipe: No such file"),
        (b"\xff\xfe\x00", "not UTF-8 at byte 0"),
        (b"#" * (5 << 20), "this is not a recipe"),
    ],
)
def test_an_unreadable_file_is_one_line(tmp_path, content, expected):
    file = tmp_path / "r.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        load_recipe(file)


def test_the_resolved_recipe_says_the_same():
    recipe = parse_recipe(GOOD, base=Path())
    again = parse_recipe(recipe.to_yaml(), base=Path())
    assert again.root == recipe.root
    assert again.digest == recipe.digest


def test_the_digest_follows_what_is_said_not_how():
    reordered = yaml.safe_dump(dict(reversed(yaml.safe_load(GOOD).items())), sort_keys=False)
    assert parse_recipe(reordered, base=Path()).digest == parse_recipe(GOOD, base=Path()).digest
    assert (
        parse_recipe(GOOD.replace("60", "61"), base=Path()).digest != parse_recipe(GOOD, base=Path()).digest
    )


def test_the_recipe_to_start_from_is_right():
    assert parse_recipe(starter_text(), base=Path()).root.name == "demo"

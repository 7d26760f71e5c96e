from pathlib import Path

import pytest

from pipeline.recipe import load_recipe

RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_that_ships_is_right(path, monkeypatch):
    for name in ("CRAWL", "REDDIT", "BOOKS", "WIKIPEDIA", "WARC"):
        monkeypatch.setenv(name, f"/somewhere/{name.lower()}")
    assert load_recipe(path).root.name == path.stem


def test_gpt3s_mixture_has_the_published_weights(monkeypatch):
    """Brown et al. 2020, table 2.2."""
    for name in ("CRAWL", "REDDIT", "BOOKS", "WIKIPEDIA"):
        monkeypatch.setenv(name, "/somewhere")
    root = load_recipe(next(path for path in RECIPES if path.stem == "gpt3")).root
    weights = {name: int(weight) for name, weight in root.mixtures["gpt3"].weights.items()}
    assert weights == {"common_crawl": 60, "webtext2": 22, "books1": 8, "books2": 8, "wikipedia": 3}
    assert root.mixtures["gpt3"].tokens == 300 * 10**9

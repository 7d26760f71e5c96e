from pathlib import Path

import pytest

from tests.pipeline.dataset import build, write_dataset
from tests.pipeline.dedup_parts import Doc, dedup
from tests.pipeline.dedup_texts import Texts, make_corpus, spread


@pytest.fixture(scope="session")
def corpus() -> list[Doc]:
    """Texts with copies among them; seeded by 5, so tests draw theirs by other seeds."""
    return make_corpus(Texts(5))


@pytest.fixture(scope="session")
def decided(
    corpus: list[Doc], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, list[list[Doc]]]]:
    """The workspace of the search for copies in that corpus, over three sources, and its parts; not to be changed."""
    root, parts = tmp_path_factory.mktemp("decided") / "w", spread(corpus, 3)
    dedup(root, parts)
    return root, parts


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, its sources and the finished workspace `w`; for reading only."""
    folder = tmp_path_factory.mktemp("dataset")
    assert build(write_dataset(folder), folder / "w") == 0
    return folder

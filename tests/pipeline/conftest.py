from pathlib import Path

import pytest

from tests.pipeline.dataset import build, write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, its sources and the finished workspace `w`; for reading only."""
    folder = tmp_path_factory.mktemp("dataset")
    assert build(write_dataset(folder), folder / "w") == 0
    return folder

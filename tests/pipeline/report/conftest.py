import shutil

import pytest

from tests.pipeline.builds import run, sample


@pytest.fixture(scope="session")
def crawl(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("report-sample"))


@pytest.fixture(scope="session")
def built(crawl, tmp_path_factory):
    """A finished workspace; not to be changed."""
    workspace = tmp_path_factory.mktemp("report-built") / "workspace"
    run(crawl, workspace, workers=1)
    return workspace


@pytest.fixture
def copy(built, tmp_path):
    """A finished workspace of the test's own."""
    shutil.copytree(built, tmp_path / "w")
    return tmp_path / "w"

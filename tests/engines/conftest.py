"""These tests start clusters: they run as `make test-engines`, and there a missing engine fails."""

import os
from contextlib import ExitStack

import pytest

from tests.engines.builds import build, inputs
from tests.engines.clusters import Engine, engine

collect_ignore_glob = [] if os.environ.get("CRAWLMIX_ENGINES") else ["test_*.py"]


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    return inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def direct(recipe, tmp_path_factory):
    """Return the workspace that all others must equal."""
    workspace = tmp_path_factory.mktemp("direct") / "workspace"
    done = build(recipe, workspace, [], "--workers", "1")
    assert done.returncode == 0, done.stderr
    return workspace


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """Start engines by name; one at a time, since two clusters would share two cores."""
    current: dict[str, Engine] = {}
    with ExitStack() as stack:

        def start(name: str) -> Engine:
            if name not in current:
                current.clear()
                stack.close()
                current[name] = stack.enter_context(engine(name, tmp_path_factory.mktemp(name)))
            return current[name]

        yield start

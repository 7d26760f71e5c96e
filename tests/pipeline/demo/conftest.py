from pathlib import Path

import pytest

from pipeline.demo.sample import Plan, make_sample, plan_sample


@pytest.fixture(scope="package")
def plan() -> Plan:
    return plan_sample()


@pytest.fixture(scope="package")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("sample")).folder

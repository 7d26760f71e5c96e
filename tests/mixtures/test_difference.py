"""A refused resume names what changed."""

import json
from pathlib import Path

from mixtures.difference import first_difference
from tests.mixtures.corpora import make_mixture


def test_the_first_difference_is_named(tmp_path: Path) -> None:
    _, one = make_mixture(tmp_path / "a", {"web": 2, "wiki": 1})
    _, same = make_mixture(tmp_path / "b", {"web": 2, "wiki": 1})
    _, other = make_mixture(tmp_path / "c", {"web": 2, "wiki": 1}, seed=8)
    _, weighted = make_mixture(tmp_path / "d", {"web": 3, "wiki": 1})
    assert first_difference(one.to_dict(), same.to_dict()) is None
    assert first_difference(one.to_dict(), other.to_dict()) == "seed: 7 became 8"
    assert first_difference(one.to_dict(), weighted.to_dict()) == "sources[0].weight: 2 became 3"
    assert first_difference(json.loads(json.dumps(one.to_dict())), one.to_dict()) is None

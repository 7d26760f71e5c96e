from pathlib import Path

import pytest

from tests.training.corpora import make_mixture, settings
from training.ablate import Estimate, ablate
from training.errors import TrainingError


def test_the_interval_is_students() -> None:
    # Values 1, 2, 3: mean 2, standard error 1 / sqrt(3), t of two degrees of freedom 4.303.
    found = Estimate.of([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.margin == pytest.approx(4.303 / 3**0.5)
    assert Estimate.of([1.5]) == Estimate(1.5, None)


def test_more_of_the_tested_source_gives_a_lower_loss(tmp_path: Path) -> None:
    much = make_mixture(tmp_path, weights={"prose": 9, "lines": 1}, name="much")
    little = make_mixture(tmp_path, weights={"prose": 1, "lines": 9}, name="little")
    run = settings(much, tmp_path / "runs", steps=None, tokens=64 * 8 * 16, keep=1)
    told = ablate({"much": much, "little": little}, run, seeds=[0, 1], say=lambda _: None)
    losses = told.scores["loss: prose"]
    assert losses["much"].mean < losses["little"].mean - 0.1
    assert told.differences["loss: prose"]["little"].mean == pytest.approx(
        losses["little"].mean - losses["much"].mean
    )
    assert "loss: prose" in told.to_text()
    again = ablate({"much": much, "little": little}, run, seeds=[0, 1], say=lambda _: None)
    assert again == told


def test_mixtures_of_other_lengths_do_not_compare(tmp_path: Path) -> None:
    one = make_mixture(tmp_path, name="one")
    other = make_mixture(tmp_path, name="other", length=32)
    with pytest.raises(TrainingError, match="differ in tokenizer or sequence length"):
        ablate({"one": one, "other": other}, settings(one, tmp_path, tokens=10_000), seeds=[0])

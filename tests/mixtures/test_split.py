"""The validation split depends on a document's id alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.errors import MixtureError
from mixtures.split import is_validation

IDS = [f"<urn:uuid:{n}>" for n in range(20_000)]


def test_the_share_is_met_and_seeds_differ() -> None:
    held = is_validation(IDS, seed=1, fraction=0.05)
    # 4 standard errors of a share of 0.05 over 20,000 draws
    assert np.mean(held) == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 20_000) ** 0.5)
    assert np.mean(held == is_validation(IDS, seed=2, fraction=0.05)) < 0.93


def test_a_larger_share_holds_out_the_same_documents_and_more() -> None:
    small, large = (is_validation(IDS, seed=1, fraction=share) for share in (0.01, 0.1))
    assert not np.any(small & ~large)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=12), max_size=20), st.randoms())
def test_a_document_keeps_its_side_in_any_company(ids: list[str], order) -> None:
    side = dict(zip(ids, is_validation(ids, seed=3, fraction=0.5).tolist(), strict=True))
    order.shuffle(ids)
    assert is_validation(ids, seed=3, fraction=0.5).tolist() == [side[name] for name in ids]


@pytest.mark.parametrize(("fraction", "held"), [(0, False), (1, True)])
def test_none_and_all(fraction: float, held: bool) -> None:
    assert set(is_validation(IDS, seed=1, fraction=fraction).tolist()) == {held}


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(fraction: float) -> None:
    with pytest.raises(MixtureError, match="expected a fraction of the documents"):
        is_validation(IDS, seed=1, fraction=fraction)

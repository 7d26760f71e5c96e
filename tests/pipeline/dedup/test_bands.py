import numpy as np
import pytest

from pipeline.dedup.bands import PRESETS, Bands, band_keys, held_probability, probability
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import minhash
from pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("preset", "chances"),
    [
        ("fineweb", {0.5: 0.053, 0.6: 0.211, 0.7: 0.565, 0.75: 0.772, 0.8: 0.924, 0.85: 0.988, 0.9: 1.00}),
        ("strict", {0.5: 0.270, 0.6: 0.615, 0.7: 0.918, 0.75: 0.980, 0.8: 0.998, 0.85: 1, 0.9: 1}),
        ("gpt3", {0.5: 0.999, 0.6: 1, 0.7: 1, 0.8: 1, 0.9: 1}),
    ],
)
def test_presets_have_the_published_chances(preset: str, chances: dict[float, float]) -> None:
    bands = PRESETS[preset]
    found = {j: probability(j, bands.bands, bands.rows) for j in chances}
    # The table is printed to three places, 1.00 to two.
    assert found == pytest.approx(chances, abs=0.0015)


def test_the_plan_states_the_chances() -> None:
    assert PRESETS["fineweb"].describe() == (
        "14 bands of 8 rows: a pair is found with probability 0.053 at 0.5, 0.211 at 0.6, 0.565 at 0.7,"
        " 0.924 at 0.8, 1.000 at 0.9; drops verified at 0.7"
    )


def pairs_at(shared: int, size: int, pairs: int, seed: int) -> np.ndarray:
    """Hashes of `pairs` pairs of sets that share `shared` of their `size` members."""
    generator = np.random.default_rng(seed)
    common = generator.integers(0, 1 << 63, (pairs, 1, shared))
    own = generator.integers(0, 1 << 63, (pairs, 2, size - shared))
    return np.concatenate([np.broadcast_to(common, (pairs, 2, shared)), own], axis=2).astype(np.uint64)


@pytest.mark.parametrize(("shared", "size"), [(200, 300), (240, 300), (267, 300)])  # J = .5, .667, .802
@pytest.mark.parametrize("preset", ["fineweb", "strict"])
def test_found_pairs_follow_the_s_curve(preset: str, shared: int, size: int) -> None:
    bands = PRESETS[preset]
    pairs = 1500
    sets = pairs_at(shared, size, pairs, seed=shared)
    scheme = Scheme(num_hashes=bands.num_hashes)
    minima = minhash(sets.ravel(), np.arange(0, sets.size + 1, size), scheme)
    keys = band_keys(minima, bands).reshape(pairs, 2, bands.bands)
    found = (keys[:, 0] == keys[:, 1]).any(axis=1).mean()
    expected = probability(shared / (2 * size - shared), bands.bands, bands.rows)
    # Four standard deviations of a binomial share.
    assert abs(found - expected) <= 4 * (expected * (1 - expected) / pairs) ** 0.5 + 1 / pairs


@pytest.mark.parametrize(
    ("bands", "least"),
    [
        (PRESETS["fineweb"], 1),
        (PRESETS["strict"], 3),
        (PRESETS["gpt3"], 5),
        (Bands(10, 1, 0.3), 3),
        (Bands(10, 4, 0), 1),
        (Bands(10, 4, 1), 10),
    ],
)
def test_a_pair_at_the_threshold_shares_so_many_bands_on_average(bands: Bands, least: int) -> None:
    assert bands.least_shared == least


@pytest.mark.parametrize("shared", [200, 240, 267])  # of 300: J = .5, .667, .802
def test_a_held_document_is_known_again_with_the_stated_chance(shared: int) -> None:
    bands, pairs, size = PRESETS["strict"], 1500, 300
    sets = pairs_at(shared, size, pairs, seed=shared)
    scheme = Scheme(num_hashes=bands.num_hashes)
    minima = minhash(sets.ravel(), np.arange(0, sets.size + 1, size), scheme)
    keys = band_keys(minima, bands).reshape(pairs, 2, bands.bands)
    found = ((keys[:, 0] == keys[:, 1]).sum(axis=1) >= bands.least_shared).mean()
    expected = held_probability(shared / (2 * size - shared), bands)
    assert abs(found - expected) <= 4 * (expected * (1 - expected) / pairs) ** 0.5 + 1 / pairs


def test_with_one_band_needed_it_is_the_chance_of_a_candidate() -> None:
    for similarity in (0.0, 0.5, 0.8, 1.0):
        assert held_probability(similarity, PRESETS["fineweb"]) == pytest.approx(
            probability(similarity, 14, 8)
        )


def test_a_key_is_of_its_band_and_of_all_its_rows() -> None:
    minima = np.zeros((1, 6), np.uint32)
    first = band_keys(minima, Bands(bands=3, rows=2, verify=0))[0]
    assert len(set(first.tolist())) == 3
    for entry in range(6):
        changed = minima.copy()
        changed[0, entry] = 1
        differs = band_keys(changed, Bands(bands=3, rows=2, verify=0))[0] != first
        assert differs.tolist() == [band == entry // 2 for band in range(3)]
    swapped = band_keys(np.array([[1, 0, 0, 0, 0, 0]], np.uint32), Bands(bands=3, rows=2, verify=0))
    assert (
        swapped[0, 0]
        != band_keys(np.array([[0, 1, 0, 0, 0, 0]], np.uint32), Bands(bands=3, rows=2, verify=0))[0, 0]
    )


def test_too_short_signatures_are_refused() -> None:
    with pytest.raises(ValueError, match="14 bands of 8 rows need 112 hashes, not 100"):
        band_keys(np.zeros((1, 100), np.uint32), PRESETS["fineweb"])


@pytest.mark.parametrize("bad", [(0, 1, 0.5), (1, 0, 0.5), (1, 1, 1.5), (1, 1, float("nan"))])
def test_impossible_bands_are_refused(bad: tuple[int, int, float]) -> None:
    with pytest.raises(UsageError, match=r"^dedup: "):
        Bands(*bad)

"""Keep rules: published survival, exact shares, and decisions that depend on the document alone."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.errors import ClassifierError
from classifiers.keep import KeepRule, fit_alpha, keep_mask, pareto_survival, top_percent_cut
from classifiers.keyed import keyed_hashes, uniform

# Brown et al. 2020, appendix A: keep iff numpy's pareto(9) exceeds 1 - score.
SURVIVAL = [(0.0, 0.00195), (0.1, 0.00310), (0.25, 0.00650), (0.5, 0.02601), (0.75, 0.13422), (0.8, 0.19381)]
SURVIVAL += [(0.9, 0.42410), (0.95, 0.64461), (0.99, 0.91434), (1.0, 1.0)]
IDS = pa.array([f"<urn:uuid:{number:08x}>" for number in range(200_000)])
PARETO = KeepRule("pareto", 9)


@pytest.mark.parametrize(("score", "rate"), SURVIVAL)
def test_survival_is_the_published_one(score: float, rate: float) -> None:
    assert pareto_survival(score, alpha=9) == pytest.approx(rate, abs=6e-6)


@pytest.mark.parametrize(("score", "rate"), SURVIVAL)
def test_documents_survive_at_the_published_rate(score: float, rate: float) -> None:
    kept = keep_mask(np.full(len(IDS), score, np.float32), IDS, rule=PARETO, seed=0)
    error = np.sqrt(rate * (1 - rate) / len(IDS))
    assert abs(kept.mean() - pareto_survival(np.float32(score), alpha=9)) <= 4 * error


def test_the_rule_is_numpys_pareto_draw() -> None:
    draws = np.random.default_rng(0).pareto(9, 400_000)
    for score, _ in SURVIVAL:
        assert (draws > 1 - score).mean() == pytest.approx(float(pareto_survival(score, alpha=9)), abs=0.003)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50), st.data())
@settings(max_examples=40)
def test_order_and_batches_change_no_decision(scores: list[float], data: st.DataObject) -> None:
    whole = np.array(scores, np.float32)
    ids = IDS.slice(0, len(scores))
    cut = data.draw(st.integers(0, len(scores)))
    order = np.array(data.draw(st.permutations(range(len(scores)))))
    for rule in (PARETO, KeepRule("threshold", 0.5), KeepRule("none"), KeepRule("top_percent", 30)):
        border = top_percent_cut(whole, ids, percent=30, seed=3)
        kept = keep_mask(whole, ids, rule=rule, seed=3, cut=border)
        halves = [
            keep_mask(
                whole[part], ids.take(pa.array(np.arange(len(whole))[part])), rule=rule, seed=3, cut=border
            )
            for part in (slice(0, cut), slice(cut, None))
        ]
        assert np.concatenate(halves).tolist() == kept.tolist()
        shuffled = keep_mask(whole[order], ids.take(pa.array(order)), rule=rule, seed=3, cut=border)
        assert shuffled.tolist() == kept[order].tolist()


@pytest.mark.parametrize("percent", [0, 0.4, 10, 33.3, 100])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_top_percent_keeps_the_exact_share_however_many_ties(percent: float, levels: int) -> None:
    scores = (np.random.default_rng(1).integers(0, levels, 997) / levels).astype(np.float32)
    ids = IDS.slice(0, 997)
    cut = top_percent_cut(scores, ids, percent=percent, seed=5)
    kept = keep_mask(scores, ids, rule=KeepRule("top_percent", percent), seed=5, cut=cut)
    assert kept.sum() == np.ceil(percent * 997 / 100)
    if kept.any() and not kept.all():
        assert scores[kept].min() >= scores[~kept].max()


def test_a_score_that_is_no_number_is_kept_by_no_rule_but_none() -> None:
    scores = np.array([np.nan, 1.0], np.float32)
    ids = IDS.slice(0, 2)
    cut = top_percent_cut(scores, ids, percent=100, seed=0)
    for rule in (PARETO, KeepRule("threshold", 0.0), KeepRule("top_percent", 100)):
        assert keep_mask(scores, ids, rule=rule, seed=0, cut=cut).tolist() == [False, True]


def test_the_draw_is_uniform_and_differs_by_seed_and_purpose() -> None:
    draw = uniform(IDS, seed=0, purpose="pareto")
    assert draw.min() >= 0
    assert draw.max() < 1
    assert np.histogram(draw, 20, (0, 1))[0].std() < 4 * np.sqrt(len(IDS) / 20)
    for other in (uniform(IDS, seed=1, purpose="pareto"), uniform(IDS, seed=0, purpose="sample")):
        assert abs(np.corrcoef(draw, other)[0, 1]) < 0.01


def test_the_draw_of_an_id_is_fixed_for_ever() -> None:
    # BLAKE2b of the id, keyed by the seed (eight bytes) and the purpose, computed with hashlib alone.
    import hashlib

    key = (7).to_bytes(8, "little") + b"pareto"
    digest = hashlib.blake2b(b"a", digest_size=8, key=key, person=b"crawlmix-keyed").digest()
    assert keyed_hashes(pa.array(["a"]), seed=7, purpose="pareto").tolist() == [
        int.from_bytes(digest, "little")
    ]


def test_alpha_is_found_again_from_scores_that_it_made() -> None:
    rng = np.random.default_rng(2)
    crawl = rng.random(20_000)
    kept = crawl[rng.random(20_000) < pareto_survival(crawl, alpha=4)]
    assert fit_alpha(kept.astype(np.float32), crawl.astype(np.float32)) == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("best", None, "unknown keep rule `best`; known rules: pareto, threshold, top_percent, none"),
        ("pareto", None, "the keep rule `pareto` needs a number from 0 to 1e.06, got None"),
        ("threshold", 1.5, "the keep rule `threshold` needs a number from 0 to 1, got 1.5"),
        ("none", 3, "the keep rule `none` takes no number"),
    ],
)
def test_a_wrong_rule_says_what_is_known(kind: str, value: float | None, message: str) -> None:
    with pytest.raises(ClassifierError, match=message):
        KeepRule(kind, value)  # type: ignore[arg-type]


def test_top_percent_without_its_cut_is_refused() -> None:
    with pytest.raises(ClassifierError, match="whole source first"):
        keep_mask(np.ones(1, np.float32), IDS.slice(0, 1), rule=KeepRule("top_percent", 5), seed=0)

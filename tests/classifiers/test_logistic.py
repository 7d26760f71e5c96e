"""The scoring kernel against scikit-learn, and its independence of batches, order and repetition."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from classifiers.errors import ClassifierError
from classifiers.hashing import BUCKETS, count_matrix, find_tokens
from classifiers.logistic import (
    FEATURES,
    Features,
    Fold,
    LogisticWeights,
    _choose,
    balanced_log_loss,
    fit_logistic,
    log_odds,
    probabilities,
    scaled,
)
from classifiers.normalise import normalise
from classifiers.prose import run_matrix
from text.buffers import TextBuffer, text_buffer

WORDS = [
    "the",
    "a",
    "of",
    "and",
    "cat",
    "dog",
    "runs",
    ",",
    ".",
    "click",
    "here",
    "buy",
    "now",
    "|",
    "*",
    "©",
    "2020",
    "über",
    "naïve",
    "漢字",
]


def made_texts(rows: int, *, seed: int = 0) -> pa.Array:
    rng = np.random.default_rng(seed)
    return pa.array([" ".join(rng.choice(WORDS, rng.integers(0, 400))) for _ in range(rows)])


def buffer(texts: pa.Array) -> TextBuffer:
    return text_buffer(texts)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep BLAS from starting threads that only get in each other's way on vectors this short."""
    with threadpool_limits(1):
        yield


COMMON = tuple(
    sorted(set(find_tokens(normalise(buffer(pa.array(["the a b , ."])), "light")).buckets.tolist()))
)


def matrix(texts: pa.Array, features: Features) -> sp.csr_matrix:
    counts = count_matrix(buffer(texts))
    return (
        sp.hstack([counts, run_matrix(buffer(texts), COMMON)], format="csr")
        if features == "prose"
        else counts
    )


def reference(texts: pa.Array, labels: np.ndarray, features: Features, c: float) -> LogisticWeights:
    """Train with scikit-learn on the buckets that occur; the weights of the others are 0."""
    rows = scaled(matrix(texts, features), features)
    used = np.flatnonzero(rows.getnnz(axis=0))
    solver = LogisticRegression(C=c, max_iter=2000).fit(rows[:, used], labels)
    weights = np.zeros(rows.shape[1])
    weights[used] = solver.coef_[0]
    return LogisticWeights(weights, float(solver.intercept_[0]), features, common=COMMON)


@pytest.mark.parametrize("features", FEATURES)
def test_scores_are_those_of_scikit_learn(features: Features) -> None:
    ours = reference(made_texts(80), np.arange(80) % 2 == 0, features, 0.05)
    scorer = LogisticRegression()
    scorer.classes_ = np.array([False, True])
    scorer.coef_, scorer.intercept_ = ours.weights[None], np.array([ours.intercept])
    fresh = made_texts(100, seed=1)
    expected = scorer.predict_proba(scaled(matrix(fresh, features), features))[:, 1]
    assert np.abs(probabilities(log_odds(ours, buffer(fresh))) - expected).max() < 1e-6


@pytest.mark.parametrize("features", FEATURES)
def test_training_is_scikit_learns(features: Features) -> None:
    texts = made_texts(80)
    labels = np.arange(80) % 2 == 0
    counts = matrix(texts, features)
    ours = fit_logistic(
        counts,
        labels,
        np.ones(80),
        [],
        features=features,
        style="light",
        grid=[1e-3],
        common=COMMON,
        max_iterations=2000,
    ).model
    theirs = reference(texts, labels, features, 1e-3)
    assert np.abs(log_odds(ours, buffer(texts)) - log_odds(theirs, buffer(texts))).max() < 1e-3
    assert not ours.weights[np.flatnonzero(counts.getnnz(axis=0) == 0)].any()


MODELS = {
    features: LogisticWeights(
        np.random.default_rng(0).normal(size=2 * BUCKETS if features == "prose" else BUCKETS),
        0.25,
        features,
        common=COMMON,
    )
    for features in FEATURES
}


@pytest.mark.parametrize("features", FEATURES)
@given(texts=st.lists(st.text(st.sampled_from("ab .\n*é漢"), max_size=40), max_size=10), data=st.data())
@settings(max_examples=20)
def test_batches_and_order_change_no_bit(features: Features, texts: list[str], data: st.DataObject) -> None:
    model = MODELS[features]
    whole = log_odds(model, buffer(pa.array(texts, pa.string())))
    single = [log_odds(model, buffer(pa.array([text])))[0] for text in texts]
    assert whole.tolist() == single
    order = data.draw(st.permutations(range(len(texts))))
    shuffled = log_odds(model, buffer(pa.array([texts[row] for row in order], pa.string())))
    assert shuffled.tolist() == whole[np.array(order, np.int64)].tolist()


@pytest.mark.parametrize("features", FEATURES)
def test_large_batches_give_the_bits_of_single_texts(features: Features) -> None:
    texts = made_texts(150)
    whole = log_odds(MODELS[features], buffer(texts))
    assert whole.tolist() == [
        log_odds(MODELS[features], buffer(texts.slice(row, 1)))[0] for row in range(150)
    ]


@pytest.mark.parametrize("features", FEATURES)
def test_a_text_without_tokens_gets_the_intercept(features: Features) -> None:
    texts = pa.array(["", None, " \n\t ", "\u200b"], pa.string())
    assert log_odds(MODELS[features], buffer(texts)).tolist() == [0.25] * 4


@pytest.mark.parametrize("features", ["root", "l2"])
def test_length_alone_does_not_move_a_score(features: Features) -> None:
    once, often = "the cat runs , click here . ", 50
    scores = log_odds(MODELS[features], buffer(pa.array([once, once * often])))
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)


def test_probabilities_do_not_overflow() -> None:
    assert probabilities(np.array([-1e4, -1.0, 0.0, 1.0, 1e4])).tolist() == pytest.approx(
        [0, 0.2689414213699951, 0.5, 0.7310585786300049, 1]
    )


def test_the_loss_of_c_is_that_on_the_folds() -> None:
    texts = made_texts(60)
    labels = np.arange(60) % 2 == 0
    even = np.arange(60) % 4 < 2
    fit = fit_logistic(
        count_matrix(buffer(texts)),
        labels,
        np.ones(60),
        [Fold(even, ~even), Fold(~even, even)],
        features="root",
        style="light",
        grid=[1e-5, 1e-2, 10.0],
    )
    losses = [
        balanced_log_loss(scores, labels[rows])
        for scores, rows in zip(fit.unseen, (~even, even), strict=True)
    ]
    assert np.mean(losses) == fit.losses[fit.c]


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        ({0.1: [0.5], 1.0: [0.4], 10.0: [0.6]}, 1.0),
        ({0.1: [0.35, 0.50], 1.0: [0.30, 0.50], 10.0: [0.4, 0.6]}, 0.1),  # mean .4, standard error .1
        ({0.1: [0.61, 0.61], 1.0: [0.30, 0.50], 10.0: [0.4, 0.4]}, 1.0),
    ],
)
def test_the_strongest_regularisation_within_one_standard_error_is_chosen(
    losses: dict[float, list[float]], chosen: float
) -> None:
    assert _choose(losses) == chosen


@pytest.mark.parametrize("label", [True, False])
def test_one_class_is_refused(label: bool) -> None:
    with pytest.raises(ClassifierError, match="needs both classes"):
        fit_logistic(
            count_matrix(buffer(made_texts(5))),
            np.full(5, label),
            np.ones(5),
            [],
            features="root",
            style="light",
            grid=[1.0],
        )

"""Logistic regression over hashed token counts: scikit-learn trains it, a vectorised kernel scores it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from classifiers.errors import ClassifierError
from classifiers.hashing import BUCKETS, Tokens, token_batches
from classifiers.normalise import Style
from classifiers.prose import find_runs, mask_table
from text.buffers import TextBuffer

Features = Literal["prose", "root", "counts", "l2"]
FEATURES: tuple[Features, ...] = ("prose", "root", "counts", "l2")
ROW_LENGTH = 16.0  # of a row that was scaled to one length; only sets the unit in which C is measured

Weights = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LogisticWeights:
    """A trained model: log-odds = intercept + sum over buckets of weight times feature.

    Features of a text whose bucket j holds c[j] of its n tokens:
    `counts`: c[j], as GPT-3's filter; long texts saturate.
    `l2`: c[j] over the Euclidean length of c.
    `root`: sqrt(c[j] / n), which damps repetition and means the same at any length (Hellinger).
    `prose`: `root` of the tokens, and beside it `root` of the runs of three tokens (`prose.py`).
    All but the first times `ROW_LENGTH`.
    """

    weights: Weights  # (BUCKETS,); of `prose` (2 * BUCKETS,): tokens, then runs
    intercept: float
    features: Features = "root"
    style: Style = "light"
    common: tuple[int, ...] = ()  # of `prose`: buckets of the words that are not masked


def log_odds(model: LogisticWeights, texts: TextBuffer) -> Weights:
    """Score n texts: (n,) log-odds of being like the positives.

    Sums run over a text's tokens (`root`, `l2`: its buckets) in a fixed order, in float64, and never over more
    than one text: a text gets the same bits alone and in any batch. A text without tokens gets the intercept.
    """
    out = np.empty(texts.rows, np.float64)
    table = mask_table(model.common) if model.features == "prose" else None
    for first, tokens in token_batches(texts, style=model.style):
        sums = _weighted_sums(model, tokens)
        if table is not None:
            sums += _scaled_sums(model.weights[BUCKETS:], find_runs(tokens, table), root=True)
        out[first : first + len(sums)] = sums
    out += model.intercept
    return out


def probabilities(scores: Weights) -> Weights:
    """Turn log-odds into probabilities: 1 / (1 + exp(-x)), shape kept, no overflow."""
    small = np.exp(-np.abs(scores))
    result: Weights = np.where(scores >= 0, 1.0, small) / (1.0 + small)
    return result


def _weighted_sums(model: LogisticWeights, tokens: Tokens) -> Weights:
    """Sum weight times feature over each text: (rows,)."""
    rows = len(tokens.borders) - 1
    if model.features == "counts":
        owner = np.repeat(np.arange(rows), tokens.counts)
        return _totals(owner, model.weights[tokens.buckets], rows)
    return _scaled_sums(model.weights, tokens, root=model.features != "l2")


def _scaled_sums(weights: Weights, tokens: Tokens, *, root: bool) -> Weights:
    """Sum weight times count, or root of the count, over each text's buckets, rows scaled to one length: (rows,)."""
    rows = len(tokens.borders) - 1
    owner, buckets, counts = _counted(tokens)
    amounts = np.sqrt(counts) if root else counts
    sums = _totals(owner, weights[buckets] * amounts, rows)
    squares = _totals(owner, amounts * amounts, rows)
    return sums * (ROW_LENGTH / np.sqrt(np.maximum(squares, 1.0)))


def _totals(owner: npt.NDArray[np.int64], values: Weights, rows: int) -> Weights:
    """Add up the values of each row, first to last: (rows,)."""
    return np.bincount(owner, weights=values, minlength=rows).astype(np.float64, copy=False)


def _counted(tokens: Tokens) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Weights]:
    """Count equal buckets within each text: owner, bucket and count of each, sorted."""
    owner = np.repeat(np.arange(len(tokens.borders) - 1), tokens.counts)
    owner *= BUCKETS
    owner += tokens.buckets
    owner.sort()
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    counts = np.diff(firsts, append=len(owner)).astype(np.float64)
    keys = owner[firsts]
    return keys >> _BUCKET_BITS, keys & (BUCKETS - 1), counts


_BUCKET_BITS = BUCKETS.bit_length() - 1


def scaled(counts: sp.csr_matrix, features: Features) -> sp.csr_matrix:
    """Turn counts of tokens, or for `prose` of tokens and then runs, into features, as `log_odds` does."""
    if features == "counts":
        return counts
    if features == "prose":
        halves = [scaled(counts[:, half], "root") for half in (slice(BUCKETS), slice(BUCKETS, None))]
        return sp.hstack(halves, format="csr")
    rows = counts.copy()
    if features == "root":
        rows.data = np.sqrt(rows.data)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(ROW_LENGTH / np.maximum(lengths, 1.0)) @ rows)


class Fold(NamedTuple):
    """Rows to train on and rows to judge by when choosing C; both (n,) masks, disjoint."""

    training: Mask
    validation: Mask


@dataclass(frozen=True, slots=True)
class Fit:
    """What training found: the model, the C it chose, and for each C tried the mean log-loss over the folds."""

    model: LogisticWeights
    c: float
    losses: dict[float, float]
    unseen: list[
        Weights
    ]  # for each fold, log-odds of its validation rows by the chosen C, not having seen them


def fit_logistic(
    counts: sp.csr_matrix,
    labels: Mask,
    row_weights: Weights,
    folds: Sequence[Fold],
    *,
    features: Features,
    style: Style,
    grid: Sequence[float],
    common: tuple[int, ...] = (),
    max_iterations: int = 200,
) -> Fit:
    """Train with L2 regularisation; C is chosen by log-loss on the folds.

    The chosen C is then trained on all rows. Everything is deterministic: lbfgs on
    one thread from zero, or from the solution for the smaller C.

    Args:
        counts: (n, BUCKETS) token counts; for `prose` (n, 2 * BUCKETS), counts of runs beside them.
        labels: (n,) True for positives.
        row_weights: (n,) positive, mean 1, both classes the same in sum.
        folds: where C is judged; without any, the middle of `grid` is taken.
        features: what to make of the counts.
        style: how the texts were normalised.
        grid: the values of C to try, rising.
        common: for `prose`, the words that were not masked.
        max_iterations: of lbfgs; a solution that is not exact by then is taken.

    Raises:
        ClassifierError: a class is missing.
    """
    _both_classes(labels)
    rows = scaled(counts, features)
    used = np.flatnonzero(rows.getnnz(axis=0))  # the others get weight 0 under L2 whatever C is
    rows = rows[:, used]
    tried: dict[float, list[float]] = {c: [] for c in grid}
    scores: dict[float, list[Weights]] = {c: [] for c in grid}
    for fold in folds:
        path = _solve(
            rows[fold.training], labels[fold.training], row_weights[fold.training], grid, max_iterations
        )
        for c, (coefficients, intercept) in zip(grid, path, strict=True):
            scores[c].append(rows[fold.validation] @ coefficients + intercept)
            tried[c].append(balanced_log_loss(scores[c][-1], labels[fold.validation]))
    losses = {c: float(np.mean(found)) for c, found in tried.items() if found}
    best = _choose(tried) if losses else sorted(grid)[len(grid) // 2]
    ((coefficients, intercept),) = _solve(rows, labels, row_weights, [best], max_iterations)
    weights = np.zeros(counts.shape[1])
    weights[used] = coefficients
    return Fit(LogisticWeights(weights, intercept, features, style, common), best, losses, scores[best])


def _choose(losses: dict[float, list[float]]) -> float:
    """Choose the smallest C whose mean loss lies within one standard error of the best C's.

    A fold is a source that the others have not seen; the sources to come will differ as much as these do from
    each other. Source of the rule: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.10.
    """
    means = {c: float(np.mean(found)) for c, found in losses.items()}
    best = min(means, key=lambda c: (means[c], c))
    folds = len(losses[best])
    error = float(np.std(losses[best], ddof=1)) / folds**0.5 if folds > 1 else 0.0
    return min(c for c, mean in means.items() if mean <= means[best] + error)


def _both_classes(labels: Mask) -> None:
    positives = int(labels.sum())
    if positives == 0 or positives == len(labels):
        raise ClassifierError(
            f"of {len(labels)} training documents {positives} are positive: a classifier needs both classes"
        )


def _solve(
    rows: sp.csr_matrix, labels: Mask, row_weights: Weights, grid: Sequence[float], max_iterations: int
) -> list[tuple[Weights, float]]:
    """Train for each C in turn: coefficients (columns,) and intercept of each."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    for label in (False, True):  # a fold may lack the heavy rows of a class
        row_weights = np.where(labels == label, row_weights / row_weights[labels == label].sum(), row_weights)
    row_weights = row_weights * (len(labels) / 2)
    solver = LogisticRegression(solver="lbfgs", max_iter=max_iterations, tol=1e-4, warm_start=True)
    path = []
    # Several threads add up in an order of their own, and the weights would depend on the machine.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for c in grid:
            solver.set_params(C=c).fit(rows, labels, sample_weight=row_weights)
            path.append((solver.coef_[0].astype(np.float64), float(solver.intercept_[0])))
    return path


def balanced_log_loss(scores: Weights, labels: Mask) -> float:
    """Mean of the two classes' mean log-loss, from log-odds; both classes must be there."""
    losses = np.logaddexp(0.0, np.where(labels, -scores, scores))
    return float((losses[labels].mean() + losses[~labels].mean()) / 2)

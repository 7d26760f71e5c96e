"""Keep rules: which documents stay, given their quality scores."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifiers.errors import ClassifierError
from classifiers.keyed import keyed_hashes, uniform

Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RULES = ("pareto", "threshold", "top_percent", "none")


@dataclass(frozen=True, slots=True)
class KeepRule:
    """A rule and its one number: `pareto` alpha, `threshold` least score, `top_percent` share of documents in percent."""

    kind: Literal["pareto", "threshold", "top_percent", "none"]
    value: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in RULES:
            raise ClassifierError(f"unknown keep rule `{self.kind}`; known rules: {', '.join(RULES)}")
        limits = {"pareto": (0.0, 1e6), "threshold": (0.0, 1.0), "top_percent": (0.0, 100.0)}
        if self.kind == "none":
            if self.value is not None:
                raise ClassifierError("the keep rule `none` takes no number")
            return
        low, high = limits[self.kind]
        if self.value is None or not low <= self.value <= high:
            raise ClassifierError(
                f"the keep rule `{self.kind}` needs a number from {low:g} to {high:g}, got {self.value}"
            )

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind}({self.value:g})"


@dataclass(frozen=True, slots=True)
class Cut:
    """The border of `top_percent` in one source: kept is what ranks at or above (score, then smaller key)."""

    score: float
    key: int


def pareto_survival(scores: npt.ArrayLike, *, alpha: float) -> npt.NDArray[np.float64]:
    """Probability that a document with this score is kept: (2 - score) ** -alpha, shape of `scores`.

    The rule keeps a document if a draw of numpy's `pareto(alpha)` exceeds 1 - score; that is the Lomax
    distribution, P(X > x) = (1 + x) ** -alpha. Source: Brown et al. 2020, appendix A, where alpha is 9.
    """
    return (2.0 - np.asarray(scores, np.float64)) ** -alpha


def keep_mask(
    scores: Scores, ids: pa.Array | pa.ChunkedArray, *, rule: KeepRule, seed: int, cut: Cut | None = None
) -> Mask:
    """Say for each of n documents whether the rule keeps it: (n,), row order unchanged.

    Args:
        scores: (n,) from 0 to 1; NaN is kept by `none` alone.
        ids: (n,) document ids; the draw and the order of ties come from them, never from the position.
        rule: what to apply.
        seed: of the build.
        cut: for `top_percent`, the border found by `top_percent_cut` over the whole source.

    Raises:
        ClassifierError: lengths differ, or `top_percent` comes without its cut.
    """
    if len(scores) != len(ids):
        raise ClassifierError(f"{len(scores)} scores for {len(ids)} document ids")
    value = 0.0 if rule.value is None else rule.value
    if rule.kind == "none":
        return np.ones(len(scores), bool)
    if rule.kind == "threshold":
        above: Mask = np.asarray(scores, np.float64) >= value
        return above
    if rule.kind == "pareto":
        return uniform(ids, seed=seed, purpose="pareto") < pareto_survival(scores, alpha=value)
    if cut is None:
        raise ClassifierError(
            "`top_percent` needs the scores of the whole source first: call top_percent_cut"
        )
    exact = np.asarray(scores, np.float64)
    keys = keyed_hashes(ids, seed=seed, purpose="top_percent")
    ranked: Mask = (exact > cut.score) | ((exact == cut.score) & (keys <= np.uint64(cut.key)))
    return ranked


def top_percent_cut(scores: Scores, ids: pa.Array | pa.ChunkedArray, *, percent: float, seed: int) -> Cut:
    """Find the border that keeps exactly ceil(percent / 100 * n) of a whole source's n documents.

    Documents rank by score; equal scores rank by the keyed hash of their id, so the order of rows does not
    matter. Documents that share score and id stand or fall together. NaN scores are never kept.

    Args:
        scores: (n,) of all documents of the source.
        ids: (n,) their ids.
        percent: share to keep, 0 to 100.
        seed: the one later given to `keep_mask`.
    """
    KeepRule("top_percent", percent)
    exact = np.asarray(scores, np.float64)
    keys = keyed_hashes(ids, seed=seed, purpose="top_percent")
    rated = np.flatnonzero(~np.isnan(exact))
    wanted = min(int(np.ceil(percent * len(exact) / 100)), len(rated))
    if wanted == 0:
        return Cut(score=float("inf"), key=0)
    order = rated[np.lexsort((keys[rated], -exact[rated]))]
    last = order[wanted - 1]
    return Cut(score=float(exact[last]), key=int(keys[last]))


def fit_alpha(positives: Scores, crawl: Scores, *, bins: int = 20) -> float:
    """Find the alpha for which the scores of kept crawl documents are distributed most like those of the positives.

    The paper chose its alpha that way. The distance is the largest gap between the two cumulative
    distributions (Kolmogorov-Smirnov) with crawl documents weighted by their chance to be kept; alphas from 0
    to 20 in steps of 1/4 are tried, the smallest of the best wins.

    Args:
        positives: (p,) scores of held-out positives.
        crawl: (c,) scores of raw crawl documents.
        bins: number of quantiles of the positives at which the distributions are compared.

    Raises:
        ClassifierError: one of the two is empty.
    """
    if len(positives) == 0 or len(crawl) == 0:
        raise ClassifierError("choosing alpha needs scores of positives and of crawl documents")
    at = np.quantile(np.asarray(positives, np.float64), np.linspace(0, 1, bins + 1))
    ranked = np.sort(np.asarray(positives, np.float64))
    wanted = np.searchsorted(ranked, at, side="right") / len(ranked)
    found = np.sort(np.asarray(crawl, np.float64))
    upto = np.searchsorted(found, at, side="right")
    best = (np.inf, 0.0)
    for alpha in np.arange(0, 20.25, 0.25):
        mass = np.concatenate([[0.0], np.cumsum(pareto_survival(found, alpha=alpha))])
        gap = float(np.max(np.abs(mass[upto] / mass[-1] - wanted)))
        best = min(best, (gap, float(alpha)))
    return best[1]

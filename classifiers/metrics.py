"""Figures that judge a classifier: ranking, precision and recall, calibration, softness."""

from typing import Any

import numpy as np
import numpy.typing as npt

from classifiers.keep import pareto_survival

Scores = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def auc(positives: Scores, negatives: Scores) -> float:
    """Chance that a positive outranks a negative, ties counting half; NaN when one of the two is empty."""
    if len(positives) == 0 or len(negatives) == 0:
        return float("nan")
    ranked = np.sort(negatives)
    below = np.searchsorted(ranked, positives, side="left")
    upto = np.searchsorted(ranked, positives, side="right")
    return float((below + upto).sum() / (2 * len(positives) * len(negatives)))


def precision_recall(scores: Scores, labels: Mask, thresholds: npt.ArrayLike) -> list[dict[str, float]]:
    """Precision and recall of `score >= threshold`, for each threshold; a precision of nothing kept is 1."""
    rows = []
    for threshold in np.asarray(thresholds, np.float64):
        kept = scores >= threshold
        right = int((kept & labels).sum())
        rows.append(
            {
                "threshold": float(threshold),
                "precision": right / int(kept.sum()) if kept.any() else 1.0,
                "recall": right / max(1, int(labels.sum())),
            }
        )
    return rows


def calibration(scores: Scores, labels: Mask, *, bins: int = 10) -> list[dict[str, float]]:
    """Mean score and share of positives in equal bins of the score, empty bins left out.

    Both classes weigh the same, as in training; `count` is the plain number of documents.
    """
    weights = np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum()))
    place = np.minimum((np.asarray(scores, np.float64) * bins).astype(np.int64), bins - 1)
    rows = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            rows.append(
                {
                    "mean_score": float(np.average(scores[inside], weights=weights[inside])),
                    "share_positive": float(np.average(labels[inside], weights=weights[inside])),
                    "count": int(inside.sum()),
                }
            )
    return rows


def histogram(scores: Scores, *, bins: int = 20) -> list[int]:
    """Count scores in equal bins from 0 to 1: (bins,)."""
    place = np.minimum((np.asarray(scores, np.float64) * bins).astype(np.int64), bins - 1)
    return [int(count) for count in np.bincount(place, minlength=bins)]


def softness(scores: Scores, labels: Mask, *, alpha: float) -> dict[str, float]:
    """Say whether the Pareto rule still chooses softly: what it keeps of each class, and the share of middling scores.

    A model without regularisation scores everything near 0 or 1, and the rule becomes a threshold.
    """
    kept = pareto_survival(scores, alpha=alpha)
    middle = (scores > 0.05) & (scores < 0.95)
    return {
        "kept_negatives": _mean(kept[~labels]),
        "kept_positives": _mean(kept[labels]),
        "between_05_and_95": _mean(middle),
    }


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")

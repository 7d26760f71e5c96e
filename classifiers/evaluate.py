"""What a classifier does to held-out documents: everything a user should know before trusting it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifiers.documents import read_documents
from classifiers.errors import ClassifierError
from classifiers.hashing import BUCKETS, Tokens, find_tokens, text_batches, token_names
from classifiers.keep import KeepRule, fit_alpha, keep_mask, top_percent_cut
from classifiers.metrics import auc, calibration, histogram, precision_recall, softness
from classifiers.model_file import SHORT_WORDS, LogisticModel, QualityModel, load_model
from classifiers.normalise import normalise
from classifiers.page import metrics_page
from classifiers.prose import find_runs, mask_table, run_names
from text.buffers import text_buffer

Mask = npt.NDArray[np.bool_]

THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)
TOP_PERCENT = 10.0
LENGTHS = (100, 300, 1_000, 3_000, 10_000)  # characters at which documents are cut to see what length does
FEATURES_SHOWN = 40  # of either sign
SOURCE_ROWS = 2_000  # documents of a source that length and features are looked up on


def evaluate(
    model_folder: Path, positives: Sequence[Path], negatives: Sequence[Path], out: Path
) -> dict[str, Any]:
    """Judge a model by JSON Lines files; writes `metrics.json` and `metrics.html` to `out` and returns the metrics.

    Raises:
        ClassifierError: the model or a file cannot be read, or one of the classes has no files.
    """
    model = load_model(model_folder)
    if not positives or not negatives:
        raise ClassifierError("judging a classifier needs files of positives and of negatives")
    parts = [pa.Table.from_batches(read_documents(files)) for files in (positives, negatives)]
    labels = np.repeat([True, False], [part.num_rows for part in parts])
    metrics = {"fingerprint": model.fingerprint, **evaluate_scores(model, pa.concat_tables(parts), labels)}
    write_metrics(out, metrics)
    return metrics


def evaluate_scores(
    model: QualityModel, documents: pa.Table, labels: Mask, *, alpha: float = 9.0, seed: int = 0
) -> dict[str, Any]:
    """Score labelled documents and describe the result.

    Args:
        model: what to judge.
        documents: columns `id`, `text`, `source`.
        labels: (n,) True for positives.
        alpha: of the Pareto rule.
        seed: of the keep rules.

    Returns:
        Plain JSON values: `auc`, `auc_by_source` (each positive source against all negatives), `precision_recall`,
        `calibration`, `histogram_by_source`, `keep_rate_by_source` under each rule, `softness`,
        `suggested_alpha`, `score_by_length`, `short_documents` and, of logistic models, `strongest_features`.
    """
    scores = model.score(documents["text"])
    names = np.asarray(documents["source"].to_pylist(), object)
    negatives = scores[~labels]
    by_source = {
        source: auc(scores[labels & (names == source)], negatives)
        for source in sorted(set(names[labels].tolist()))
    }
    groups = _groups(names, labels)
    metrics: dict[str, Any] = {
        "auc": auc(scores[labels], negatives),
        "auc_by_source": by_source,
        "documents": {"positive": int(labels.sum()), "negative": int((~labels).sum())},
        "precision_recall": precision_recall(scores, labels, THRESHOLDS),
        "calibration": calibration(scores, labels),
        "histogram_by_source": {name: histogram(scores[rows]) for name, rows in groups.items()},
        "keep_rate_by_source": _keep_rates(scores, documents["id"], groups, alpha, seed),
        "softness": softness(scores, labels, alpha=alpha),
        "score_by_length": _score_by_length(model, documents, groups),
        "short_documents": _short(documents),
    }
    if labels.any() and (~labels).any():
        metrics["suggested_alpha"] = fit_alpha(scores[labels], negatives)
    if isinstance(model, LogisticModel):
        metrics["strongest_features"] = strongest_features(model, documents)
    return metrics


def write_metrics(out: Path, metrics: dict[str, Any]) -> None:
    """Write `metrics.json` and the page `metrics.html`."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_finite(metrics), indent=2, sort_keys=True, allow_nan=False)
    (out / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (out / "metrics.html").write_text(metrics_page(_finite(metrics)), encoding="utf-8")


def strongest_features(model: LogisticModel, documents: pa.Table) -> list[dict[str, Any]]:
    """Name the buckets that move scores most in these documents: weight, share of documents, tokens seen in them.

    Ranked by weight times the share of documents that hold the bucket, so that a rare word with a large weight
    does not hide what decides. Most positive first.
    """
    texts = text_buffer(documents["text"].slice(0, 5 * SOURCE_ROWS))
    weights = model.weights
    table = mask_table(weights.common) if weights.features == "prose" else None
    seen = np.zeros(len(weights.weights))
    for part in text_batches(texts):
        tokens = find_tokens(normalise(part, weights.style))
        seen[:BUCKETS] += _documents_with(tokens)
        if table is not None:
            seen[BUCKETS:] += _documents_with(find_runs(tokens, table))
    share = seen / max(1, texts.rows)
    pull = share * weights.weights
    order = np.argsort(-pull, kind="stable")
    chosen = [int(bucket) for bucket in order[:FEATURES_SHOWN] if pull[bucket] > 0]
    chosen += [int(bucket) for bucket in order[-FEATURES_SHOWN:] if pull[bucket] < 0]
    names = token_names(texts, [bucket for bucket in chosen if bucket < BUCKETS], style=weights.style)
    runs = [bucket - BUCKETS for bucket in chosen if bucket >= BUCKETS]
    if runs:
        found = run_names(texts, runs, weights.common, style=weights.style)
        names |= {bucket + BUCKETS: those for bucket, those in found.items()}
    return [
        {
            "tokens": names[bucket],
            "weight": float(weights.weights[bucket]),
            "share_of_documents": float(share[bucket]),
            "bucket": bucket,
        }
        for bucket in chosen
    ]


def _documents_with(tokens: Tokens) -> npt.NDArray[np.int64]:
    """Count the texts that hold each bucket: (BUCKETS,)."""
    owner = np.repeat(np.arange(len(tokens.counts)), tokens.counts)
    return np.bincount(np.unique(owner * BUCKETS + tokens.buckets) % BUCKETS, minlength=BUCKETS)


def _groups(names: npt.NDArray[np.object_], labels: Mask) -> dict[str, Mask]:
    """Rows of each source; one that stands in both classes is shown twice."""
    groups = {}
    for source in sorted(set(names.tolist())):
        rows = names == source
        both = labels[rows].any() and not labels[rows].all()
        for name, mask in (("positive", rows & labels), ("negative", rows & ~labels)):
            if mask.any():
                groups[f"{source} ({name})" if both else source] = mask
    return groups


def _keep_rates(
    scores: npt.NDArray[np.float32], ids: pa.ChunkedArray, groups: dict[str, Mask], alpha: float, seed: int
) -> dict[str, dict[str, float]]:
    rules = [KeepRule("none"), KeepRule("pareto", alpha), *(KeepRule("threshold", at) for at in THRESHOLDS)]
    kept = {str(rule): keep_mask(scores, ids, rule=rule, seed=seed) for rule in rules}
    top = KeepRule("top_percent", TOP_PERCENT)
    cut = top_percent_cut(scores, ids, percent=TOP_PERCENT, seed=seed)
    kept[str(top)] = keep_mask(scores, ids, rule=top, seed=seed, cut=cut)
    return {
        name: {rule: float(mask[rows].mean()) for rule, mask in kept.items()} for name, rows in groups.items()
    }


def _score_by_length(
    model: QualityModel, documents: pa.Table, groups: dict[str, Mask]
) -> dict[str, list[dict[str, float]]]:
    """Mean score of the same documents cut to several lengths; those shorter than a length are left out at it."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, rows in groups.items():
        texts = documents["text"].filter(pa.array(rows)).slice(0, SOURCE_ROWS).to_pylist()
        found[name] = []
        for chars in LENGTHS:
            cut = [text[:chars] for text in texts if len(text) >= chars]
            if cut:
                mean = float(np.mean(model.score(pa.array(cut, pa.string())), dtype=np.float64))
                found[name].append({"chars": chars, "mean_score": mean, "documents": len(cut)})
    return found


def _short(documents: pa.Table) -> dict[str, int]:
    short = sum(
        int((find_tokens(normalise(part)).counts < SHORT_WORDS).sum())
        for part in text_batches(text_buffer(documents["text"]))
    )
    return {"under_words": SHORT_WORDS, "documents": short}


def _finite(value: Any) -> Any:
    """Replace NaN, which JSON does not know, by null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value

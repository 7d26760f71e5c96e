"""Training a quality classifier from samples of good text and of raw crawl."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from classifiers.documents import read_documents
from classifiers.errors import ClassifierError
from classifiers.evaluate import evaluate_scores, write_metrics
from classifiers.fasttext_model import FastTextOptions, save_fasttext, train_fasttext
from classifiers.hashing import count_matrix
from classifiers.logistic import FEATURES, Features, fit_logistic, probabilities
from classifiers.metrics import auc
from classifiers.model_file import load_model, save_logistic
from classifiers.normalise import NORMALISERS, Style
from classifiers.prose import common_buckets, run_matrix
from classifiers.sampling import Sampler, even_sample
from classifiers.splits import held_out, row_weights, source_folds
from text.buffers import text_buffer

# Of the log-loss on unseen sources: rising by about 3 from much too strong to much too weak.
C_GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
MIN_DOCUMENTS = 4  # of a class: two to train on, two to hold out
SAME_SHARE = 0.9  # of one class's texts found in the other: the two are taken for the same


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to sample, split, train and judge."""

    kind: Literal["logistic", "fasttext"] = "logistic"
    features: Features = "prose"
    style: Style = "light"
    documents_per_class: int = 6_000
    max_chars: int = 5_000  # of a document; longer ones give pieces
    pieces: int = 8  # of a long document, at most
    held_out: float = 0.15  # share of groups kept back to judge the model
    seed: int = 0
    grid: tuple[float, ...] = C_GRID
    alpha: float = 9.0  # of the Pareto rule in the report; Brown et al. 2020, appendix A
    fasttext: FastTextOptions = field(default_factory=FastTextOptions)

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise ClassifierError(f"unknown features `{self.features}`; known: {', '.join(FEATURES)}")
        if self.style not in NORMALISERS:
            raise ClassifierError(f"unknown style `{self.style}`; known: {', '.join(NORMALISERS)}")
        if self.kind not in {"logistic", "fasttext"}:
            raise ClassifierError(f"unknown kind of classifier `{self.kind}`; known: logistic, fasttext")
        if not 0 < self.held_out < 0.9:
            raise ClassifierError(f"`held_out` must lie between 0 and 0.9, got {self.held_out}")
        if not self.grid or min(self.grid) <= 0 or list(self.grid) != sorted(set(self.grid)):
            raise ClassifierError(f"`grid` must hold rising positive numbers, got {self.grid}")

    def sampler(self) -> Sampler:
        """Return an empty sampler for one class, with these options."""
        return Sampler(
            limit=self.documents_per_class, max_chars=self.max_chars, pieces=self.pieces, seed=self.seed
        )


def train(
    positives: Sequence[Path], negatives: Sequence[Path], out: Path, options: TrainOptions | None = None
) -> dict[str, Any]:
    """Train on JSON Lines files; writes the model, `metrics.json` and `metrics.html` to `out` and returns the metrics.

    Raises:
        ClassifierError: a file is unreadable or holds no text, a class is empty, the classes are the same.
    """
    options = options or TrainOptions()
    for name, files in (("positives", positives), ("negatives", negatives)):
        if not files:
            raise ClassifierError(f"no files of {name}: a classifier needs documents of both classes")
    shared = {Path(path).resolve() for path in positives} & {Path(path).resolve() for path in negatives}
    if shared:
        raise ClassifierError(
            f"{min(shared)}: given as positives and as negatives: a classifier cannot tell them apart"
        )
    return train_on_samples(
        sample_documents(read_documents(positives), options),
        sample_documents(read_documents(negatives), options),
        out,
        options,
    )


def sample_documents(batches: Iterable[pa.RecordBatch], options: TrainOptions) -> pa.Table:
    """Sample one class from batches of documents (columns of `TRAINING_DOCUMENTS`)."""
    sampler = options.sampler()
    for batch in batches:
        sampler.add(batch)
    return sampler.table()


def train_on_samples(
    positives: pa.Table,
    negatives: pa.Table,
    out: Path,
    options: TrainOptions,
    *,
    positive_sources: Sequence[str] = (),
    negative_sources: Sequence[str] = (),
) -> dict[str, Any]:
    """Train on samples of the two classes; writes the model, `metrics.json` and `metrics.html` to `out`.

    Args:
        positives: a sample (columns of `sampling.SAMPLE`), merged over all parts.
        negatives: likewise, of raw crawl.
        out: folder for the model and its metrics.
        options: how to train.
        positive_sources: sources that must have given documents.
        negative_sources: likewise.

    Returns:
        The metrics: `auc` of held-out positives against held-out negatives, `auc_by_source` for each positive
        source, `auc_unseen_source` where the model was trained without the source, and what `evaluate_scores` gives.

    Raises:
        ClassifierError: a class or a named source has no usable documents, or the classes are the same.
    """
    sample, labels = _check(positives, negatives, positive_sources, negative_sources, options)
    out_mask, split_by = held_out(sample, share=options.held_out, seed=options.seed)
    for name, mask in (("positive", labels), ("negative", ~labels)):
        if (mask & ~out_mask).sum() < 2 or not (mask & out_mask).any():
            raise ClassifierError(
                f"of {int(mask.sum())} {name} documents, {int((mask & out_mask).sum())} would be held out:"
                " give documents of more domains or more documents"
            )
    training = sample.filter(pa.array(~out_mask)).combine_chunks()
    training_labels = labels[~out_mask]
    facts: dict[str, Any] = {
        "options": asdict(options),
        "documents": _counts(sample, labels, out_mask),
        "split_by": split_by,
        "sample_sha256": _sample_digest(sample, labels),
    }
    if options.kind == "logistic":
        facts |= _train_logistic(training, training_labels, out, options, facts)
    else:
        data = train_fasttext(
            training["text"],
            training_labels,
            options=options.fasttext,
            style=options.style,
            seed=options.seed,
        )
        save_fasttext(out, data, style=options.style, quantised=options.fasttext.quantise, training=facts)
    model = load_model(out)
    judged = sample.filter(pa.array(out_mask)).combine_chunks()
    metrics = {
        "fingerprint": model.fingerprint,
        "training": facts,
        **evaluate_scores(model, judged, labels[out_mask], alpha=options.alpha, seed=options.seed),
        "auc_unseen_source": facts.pop("auc_unseen_source", {}),
    }
    write_metrics(out, metrics)
    return metrics


def _check(
    positives: pa.Table,
    negatives: pa.Table,
    positive_sources: Sequence[str],
    negative_sources: Sequence[str],
    options: TrainOptions,
) -> tuple[pa.Table, np.ndarray]:
    for name, table, sources in (
        ("positives", positives, positive_sources),
        ("negatives", negatives, negative_sources),
    ):
        found = set(table["source"].to_pylist())
        for source in sources:
            if source not in found:
                raise ClassifierError(f"source `{source}` of the {name} gave no document with text")
        if table.num_rows < MIN_DOCUMENTS:
            raise ClassifierError(
                f"{table.num_rows} {name} with text; a classifier needs at least {MIN_DOCUMENTS} documents of either class"
            )
    parts = [even_sample(table, total=options.documents_per_class) for table in (positives, negatives)]
    texts = [set(part["text"].to_pylist()) for part in parts]
    same = texts[0] & texts[1]
    if len(same) >= SAME_SHARE * min(map(len, texts)):
        raise ClassifierError(
            f"{len(same)} of {min(map(len, texts))} texts are positives and negatives: a classifier cannot tell them apart"
        )
    # A page that is both says nothing: crawl holds some of what others link to.
    parts = [
        part.filter(pc.invert(pc.is_in(part["text"], value_set=pa.array(sorted(same), pa.string()))))
        for part in parts
    ]
    labels = np.repeat([True, False], [part.num_rows for part in parts])
    return pa.concat_tables(parts).combine_chunks(), labels


def _train_logistic(
    training: pa.Table, labels: np.ndarray, out: Path, options: TrainOptions, facts: dict[str, Any]
) -> dict[str, Any]:
    texts = text_buffer(training["text"])
    counts = count_matrix(texts, style=options.style)
    sources = training["source"].to_pylist()
    groups = training["group"].to_pylist()
    folds = source_folds(sources, groups, labels, seed=options.seed)
    weights = row_weights(sources, groups, labels)
    common: tuple[int, ...] = ()
    if options.features == "prose":
        common = common_buckets(counts[labels], weights[labels])
        counts = sp.hstack([counts, run_matrix(texts, common, style=options.style)], format="csr")
    fit = fit_logistic(
        counts,
        labels,
        weights,
        folds,
        features=options.features,
        style=options.style,
        grid=options.grid,
        common=common,
    )
    found = {"c": fit.c, "log_loss_by_c": {f"{c:g}": loss for c, loss in fit.losses.items()}}
    save_logistic(out, fit.model, training={**facts, **found})
    names = np.asarray(sources, object)
    unseen: dict[str, float] = {}
    if len(set(names[labels])) > 1:
        for fold, scores in zip(folds, fit.unseen, strict=True):
            fold_names, fold_labels = names[fold.validation], labels[fold.validation]
            for source in sorted(set(fold_names[fold_labels])):
                rows = fold_labels & (fold_names == source)
                unseen[source] = auc(probabilities(scores[rows]), probabilities(scores[~fold_labels]))
    return {**found, "auc_unseen_source": dict(sorted(unseen.items()))}


def _counts(sample: pa.Table, labels: np.ndarray, out: np.ndarray) -> dict[str, dict[str, int]]:
    names = np.asarray(sample["source"].to_pylist(), object)
    return {
        source: {
            "positive": int(labels[names == source].sum()),
            "negative": int((~labels[names == source]).sum()),
            "held_out": int(out[names == source].sum()),
        }
        for source in sorted(set(names))
    }


def _sample_digest(sample: pa.Table, labels: np.ndarray) -> str:
    digest = hashlib.sha256(labels.tobytes())
    for name, text in zip(sample["id"].to_pylist(), sample["text"].to_pylist(), strict=True):
        digest.update(json.dumps([name, text]).encode())
    return digest.hexdigest()

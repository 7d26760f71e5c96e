"""fastText over word pairs, as DataComp-LM's filter, under the same interface as the logistic model."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifiers.errors import ClassifierError
from classifiers.fasttext_file import DamagedModelError, check_fasttext
from classifiers.hashing import text_batches
from classifiers.model_file import require_same, require_style, write_model
from classifiers.normalise import NORMALISERS, Style, normalise
from text.buffers import TextBuffer, text_buffer

POSITIVE, NEGATIVE = "__label__positive", "__label__negative"


@dataclass(frozen=True, slots=True)
class FastTextOptions:
    """How to train; the vectors are small because larger ones bought nothing (dim 100: same AUC, a third of the speed)."""

    dim: int = 16
    epochs: int = 5
    learning_rate: float = 0.1
    word_ngrams: int = 2
    buckets: int = 1 << 20  # of word pairs
    quantise: bool = False  # a file some 60 times smaller, AUC about .001 lower


def train_fasttext(
    texts: pa.Array | pa.ChunkedArray,
    labels: npt.NDArray[np.bool_],
    *,
    options: FastTextOptions,
    style: Style,
    seed: int,
) -> bytes:
    """Train on n documents; returns the bytes of fastText's model file.

    One thread and a seed: fastText with more threads gives another model each time. The order of documents is
    drawn from the seed, for fastText never shuffles.

    Args:
        texts: (n,) strings.
        labels: (n,) True for positives.
        options: of fastText.
        style: how texts are normalised.
        seed: below 2**31.
    """
    lines = _lines(text_buffer(texts), style)
    order = np.random.default_rng(seed).permutation(len(lines))
    with tempfile.TemporaryDirectory() as folder:
        sample, model_path = Path(folder, "sample.txt"), Path(folder, "model.bin")
        with sample.open("w", encoding="utf-8") as file:
            for row in order.tolist():
                words = lines[row].replace("__label__", "label")  # a text must not label itself
                file.write(f"{POSITIVE if labels[row] else NEGATIVE} {words}\n")
        settings = {
            "dim": options.dim,
            "epoch": options.epochs,
            "lr": options.learning_rate,
            "wordNgrams": options.word_ngrams,
            "bucket": options.buckets,
            "minCount": 2,
            "thread": 1,
            "verbose": 0,
            "seed": seed,
        }
        model = fasttext.train_supervised(str(sample), **settings)
        if options.quantise:
            model.quantize(input=str(sample), retrain=False, qnorm=True, thread=1)
        model.save_model(str(model_path))
        return model_path.read_bytes()


def save_fasttext(
    folder: Path, data: bytes, *, style: Style, quantised: bool, training: Mapping[str, Any]
) -> str:
    """Write a fastText model; returns its fingerprint."""
    description = {
        "kind": "fasttext",
        "style": style,
        "normaliser": NORMALISERS[style].name,
        "data": {
            "file": "model.ftz" if quantised else "model.bin",
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    }
    return write_model(folder, description, data, training=training)


@dataclass(slots=True)
class FastTextModel:
    """A fastText model; it is loaded from its file when first used, in each process anew."""

    path: Path
    style: Style
    fingerprint: str
    _model: Any = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return FastTextModel, (self.path, self.style, self.fingerprint)

    def score(self, texts: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """Score n documents: (n,) float32. An empty one gets the score of a text without known words."""
        if self._model is None:
            self._model = _open(self.path)
        lines = _lines(text_buffer(texts), self.style)
        return np.array([_positive(self._model, line) for line in lines], np.float32)


def load_fasttext(path: Path, whole: Mapping[str, Any]) -> FastTextModel:
    """Make a model of a checked description; its file is walked through before fastText itself reads it."""
    style = require_style(path, whole)
    require_same(path, whole, {"normaliser": NORMALISERS[style].name})
    data_path = path.with_name(whole["data"]["file"])
    try:
        check_fasttext(data_path)
    except DamagedModelError as error:
        raise ClassifierError(f"{data_path}: {error}") from None
    model = _open(data_path)
    if sorted(model.get_labels()) != [NEGATIVE, POSITIVE]:
        raise ClassifierError(
            f"{data_path}: a fastText model with other labels than {POSITIVE} and {NEGATIVE}"
        )
    return FastTextModel(data_path, style, whole["fingerprint"], model)


def _open(path: Path) -> Any:
    try:
        return fasttext.load_model(str(path))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise ClassifierError(f"{path}: fastText cannot read it: {error}") from None


def _positive(model: Any, line: str) -> float:
    # `predict` of the Python class copies every result through numpy; the binding below it does not.
    for score, label in model.f.predict(line + "\n", 2, 0.0, "strict"):
        if label == POSITIVE:
            return min(1.0, max(0.0, float(score)))
    return 0.5


def _lines(texts: TextBuffer, style: Style) -> Sequence[str]:
    """Normalise texts to one line each, some at a time: temporaries do not grow with the number of texts."""
    lines: list[str] = []
    for part in text_batches(texts):
        clean = normalise(part, style)
        whole = clean.data.tobytes()
        spans = zip(clean.starts.tolist(), clean.ends.tolist(), strict=True)
        lines += [whole[start:end].decode("utf-8", "replace") for start, end in spans]
    return lines

"""A trained classifier on disk: a folder with `model.json` and one data file; loading it never executes code."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifiers.errors import ClassifierError
from classifiers.hashing import BUCKETS, HASHER
from classifiers.logistic import FEATURES, LogisticWeights, log_odds, probabilities
from classifiers.normalise import NORMALISERS, Style
from classifiers.prose import RUNS
from text.buffers import text_buffer

FORMAT = "crawlmix-quality-model"
VERSION = 1
MODEL_FILE = "model.json"
SHORT_WORDS = 20  # scores of shorter documents mean little (RedPajama-Data issue 44)
MAX_JSON_BYTES = 1 << 20
MAX_DATA_BYTES = 2 << 30


class QualityModel(Protocol):
    """Judges documents; every kind of classifier has this face."""

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of everything that decides a score."""
        ...

    def score(self, texts: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """Probability that each of n documents is like the positives: (n,) float32, 0 to 1.

        An empty or null document gets the score of a text without words: the same for all.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """Hashed token counts and logistic regression, as GPT-3's filter."""

    weights: LogisticWeights
    fingerprint: str

    def score(self, texts: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """Score n documents: (n,) float32."""
        return probabilities(log_odds(self.weights, text_buffer(texts))).astype(np.float32)


def save_logistic(folder: Path, weights: LogisticWeights, *, training: Mapping[str, Any]) -> str:
    """Write a logistic model; returns its fingerprint.

    Args:
        folder: made if absent; a model in it is replaced.
        weights: the model.
        training: facts about the training, kept in the file (plain JSON values).
    """
    data = _npy(weights.weights)
    description = {
        "kind": "logistic",
        "hasher": HASHER,
        "style": weights.style,
        "normaliser": NORMALISERS[weights.style].name,
        "buckets": BUCKETS,
        "features": weights.features,
        "intercept": weights.intercept.hex(),
        **({"runs": RUNS, "common": list(weights.common)} if weights.features == "prose" else {}),
        "data": {"file": "weights.npy", "sha256": hashlib.sha256(data).hexdigest()},
    }
    return write_model(folder, description, data, training=training)


def write_model(
    folder: Path, description: Mapping[str, Any], data: bytes, *, training: Mapping[str, Any]
) -> str:
    """Write a model's two files, the description last, each by rename; returns the fingerprint."""
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint = _fingerprint(description)
    whole = {
        "format": FORMAT,
        "version": VERSION,
        **description,
        "fingerprint": fingerprint,
        "training": dict(training),
    }
    _replace(folder / description["data"]["file"], data)
    _replace(folder / MODEL_FILE, (json.dumps(whole, indent=2, sort_keys=True) + "\n").encode())
    return fingerprint


def load_model(folder: Path | str) -> QualityModel:
    """Read a model.

    Raises:
        ClassifierError: the folder holds no model, a file is damaged, or the model was made by another version
            of the features; the message names the file.
    """
    folder = Path(folder)
    path = folder / MODEL_FILE
    whole = _read_description(path)
    kind = whole.get("kind")
    if not isinstance(kind, str) or kind not in _LOADERS:
        raise ClassifierError(
            f"{path}: unknown kind of model `{str(kind)[:40]}`; known kinds: {', '.join(_LOADERS)}"
        )
    name, digest = _data_entry(path, whole)
    data_path = folder / name
    data = _read(data_path, MAX_DATA_BYTES)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ClassifierError(
            f"{data_path}: its SHA-256 is not the one in {MODEL_FILE}: the file is damaged, or of another model"
        )
    description = {key: value for key, value in whole.items() if key not in _UNSIGNED}
    if whole.get("fingerprint") != _fingerprint(description):
        raise ClassifierError(
            f"{path}: its fingerprint does not fit its contents: the file was changed by hand or damaged"
        )
    return _LOADERS[kind](path, whole, data)


_UNSIGNED = {"format", "version", "fingerprint", "training"}


def _load_logistic(path: Path, whole: dict[str, Any], data: bytes) -> QualityModel:
    style = require_style(path, whole)
    require_same(path, whole, {"hasher": HASHER, "normaliser": NORMALISERS[style].name, "buckets": BUCKETS})
    if whole.get("features") not in FEATURES:
        raise ClassifierError(
            f"{path}: `features` must be one of {', '.join(FEATURES)}, got {str(whole.get('features'))[:40]}"
        )
    try:
        intercept = float.fromhex(whole["intercept"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ClassifierError(f"{path}: `intercept` must be a number as hexadecimal text") from None
    common: tuple[int, ...] = ()
    if whole["features"] == "prose":
        require_same(path, whole, {"runs": RUNS})
        common = _read_common(path, whole)
    halves = 2 if whole["features"] == "prose" else 1
    weights = _read_npy(path.with_name(whole["data"]["file"]), data, halves * BUCKETS)
    if not np.isfinite(intercept):
        raise ClassifierError(f"{path}: `intercept` is not finite")
    model = LogisticWeights(weights, intercept, whole["features"], style, common)
    return LogisticModel(model, whole["fingerprint"])


def _read_common(path: Path, whole: Mapping[str, Any]) -> tuple[int, ...]:
    common = whole.get("common")
    if (
        not isinstance(common, list)
        or not all(type(bucket) is int and 0 <= bucket < BUCKETS for bucket in common)
        or common != sorted(set(common))
    ):
        raise ClassifierError(f"{path}: `common` must hold rising numbers of buckets, 0 to {BUCKETS - 1}")
    return tuple(common)


def _load_fasttext(path: Path, whole: dict[str, Any], _data: bytes) -> QualityModel:
    from classifiers.fasttext_model import load_fasttext

    return load_fasttext(path, whole)


_LOADERS: dict[str, Callable[[Path, dict[str, Any], bytes], QualityModel]] = {
    "logistic": _load_logistic,
    "fasttext": _load_fasttext,
}


def require_style(path: Path, whole: Mapping[str, Any]) -> Style:
    """Read the style of normalisation from a description."""
    for style in NORMALISERS:
        if whole.get("style") == style:
            return style
    raise ClassifierError(
        f"{path}: `style` must be one of {', '.join(NORMALISERS)}, got {str(whole.get('style'))[:40]}"
    )


def require_same(path: Path, whole: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse a model whose features are made in another way than this version makes them."""
    for key, value in expected.items():
        if whole.get(key) != value:
            raise ClassifierError(
                f"{path}: made with {key} `{str(whole.get(key))[:60]}`, this version has `{value}`: train the model again"
            )


def _read_description(path: Path) -> dict[str, Any]:
    try:
        whole = json.loads(_read(path, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ClassifierError):
            raise
        raise ClassifierError(f"{path}: not JSON: the file is damaged, or is no model") from None
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise ClassifierError(f"{path}: not a model of crawlmix: `format` must be `{FORMAT}`")
    if whole.get("version") != VERSION:
        raise ClassifierError(
            f"{path}: format version {str(whole.get('version'))[:20]}; this version reads {VERSION}"
        )
    return whole


def _data_entry(path: Path, whole: Mapping[str, Any]) -> tuple[str, str]:
    entry = whole.get("data")
    if isinstance(entry, dict):
        name, digest = entry.get("file"), entry.get("sha256")
        # A name, never a path: a model file must not choose what is read.
        if (
            isinstance(name, str)
            and isinstance(digest, str)
            and name == Path(name).name
            and name not in {"", ".", ".."}
        ):
            return name, digest
    raise ClassifierError(f"{path}: `data` must hold `file` (a name without folder) and `sha256`")


def _read(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise ClassifierError(f"{path}: larger than {limit:,} bytes: not a model file")
        return path.read_bytes()
    except OSError as error:
        raise ClassifierError(
            f"{path}: cannot be read ({error.strerror}); give the folder that `classifier train` wrote"
        ) from None


def _fingerprint(description: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def _npy(array: npt.NDArray[np.float64]) -> bytes:
    import io

    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _read_npy(path: Path, data: bytes, size: int) -> npt.NDArray[np.float64]:
    import io

    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ClassifierError(f"{path}: not an array of numbers ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.float64 or array.shape != (size,):
        raise ClassifierError(f"{path}: expected {size} numbers of type float64")
    if not np.isfinite(array).all():
        raise ClassifierError(f"{path}: holds numbers that are not finite")
    return array


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + f".{os.getpid()}.tmp")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)

"""Model files: plain data that is read back to the bit, or refused with one clear line."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from classifiers.errors import ClassifierError
from classifiers.hashing import BUCKETS
from classifiers.logistic import LogisticWeights
from classifiers.model_file import load_model, save_logistic

TEXTS = pa.array(["a good text", "click here", "", None, "漢字 é"], pa.string())
WEIGHTS = LogisticWeights(np.random.default_rng(0).normal(size=BUCKETS), 0.125, "root", "light")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_logistic(tmp_path / "model", WEIGHTS, training={"documents": 3})
    return tmp_path / "model"


def test_a_model_is_read_back_to_the_bit(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    scores = model.score(TEXTS)
    assert scores.dtype == np.float32
    assert model.score(TEXTS.slice(1, 2)).tolist() == scores[1:3].tolist()
    assert save_logistic(tmp_path / "again", WEIGHTS, training={}) == model.fingerprint
    assert load_model(tmp_path / "again").score(TEXTS).tolist() == scores.tolist()


def test_the_files_are_the_same_bytes_each_time(folder: Path, tmp_path: Path) -> None:
    save_logistic(tmp_path / "again", WEIGHTS, training={"documents": 3})
    for name in ("model.json", "weights.npy"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.npy"]


def _edit(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "model.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def _cut(folder: Path) -> None:
    path = folder / "weights.npy"
    path.write_bytes(path.read_bytes()[:-100])


def _flip(folder: Path) -> None:
    path = folder / "weights.npy"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, r"weights\.npy: its SHA-256 is not the one in model\.json"),
        (_flip, r"weights\.npy: its SHA-256 is not the one in model\.json"),
        (lambda folder: (folder / "weights.npy").unlink(), r"weights\.npy: cannot be read"),
        (lambda folder: (folder / "model.json").unlink(), r"model\.json: cannot be read"),
        (lambda folder: (folder / "model.json").write_text("{"), r"model\.json: not JSON"),
        (lambda folder: (folder / "model.json").write_bytes(b"\xff\xfe"), r"model\.json: not JSON"),
        (lambda folder: (folder / "model.json").write_text("[" * 100_000), r"model\.json: not JSON"),
        (lambda folder: (folder / "model.json").write_text("[]"), r"model\.json: not a model of crawlmix"),
        (_edit(format="other"), r"model\.json: not a model of crawlmix"),
        (_edit(version=2), r"model\.json: format version 2; this version reads 1"),
        (_edit(kind="tree"), r"model\.json: unknown kind of model `tree`; known kinds: logistic, fasttext"),
        (_edit(kind=["x"]), r"model\.json: unknown kind of model"),
        (_edit(style=["light"]), r"model\.json: its fingerprint does not fit"),
        (_edit(intercept="0x1p+3"), r"model\.json: its fingerprint does not fit its contents"),
        (_edit(data={"file": "../weights.npy", "sha256": ""}), r"model\.json: `data` must hold `file`"),
        (_edit(data=None), r"model\.json: `data` must hold `file`"),
    ],
)
def test_a_damaged_or_foreign_model_is_one_clear_error(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)
    with pytest.raises(ClassifierError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["hasher", "normaliser", "buckets"])
def test_a_model_with_other_features_is_refused(
    folder: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import classifiers.model_file as module

    _edit(**{key: "older"})(folder)
    monkeypatch.setattr(
        module,
        "_fingerprint",
        lambda _: json.loads((folder / "model.json").read_text())["fingerprint"],
    )
    with pytest.raises(
        ClassifierError, match=f"made with {key} `older`, this version has .* train the model again"
    ):
        load_model(folder)


def test_a_pickle_in_place_of_weights_is_not_run(folder: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (folder / "ran",))

    import hashlib

    import classifiers.model_file as module

    data = pickle.dumps(Bomb())
    np.save(folder / "weights.npy", np.array([Bomb()], object), allow_pickle=True)
    for bomb in (data, (folder / "weights.npy").read_bytes()):
        (folder / "ran").unlink(missing_ok=True)
        whole = json.loads((folder / "model.json").read_text())
        description = {key: value for key, value in whole.items() if key not in module._UNSIGNED}
        description["data"] = {"file": "weights.npy", "sha256": hashlib.sha256(bomb).hexdigest()}
        module.write_model(folder, description, bomb, training={})
        with pytest.raises(ClassifierError, match=r"weights\.npy"):
            load_model(folder)
        assert not (folder / "ran").exists()

from pathlib import Path

import fasttext
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.fasttext_file import DamagedModelError, check_fasttext
from tests.shared_data import shared

LINES = [
    f"__label__{'even' if number % 2 == 0 else 'odd'} the number {number} is {'even' if number % 2 == 0 else 'odd'}"
    for number in range(300)
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    (folder / "lines.txt").write_text("\n".join(LINES))
    model = fasttext.train_supervised(
        str(folder / "lines.txt"), dim=4, epoch=1, bucket=300, minn=2, maxn=3, thread=1, verbose=0
    )
    model.save_model(str(folder / "dense.bin"))
    model.quantize(str(folder / "lines.txt"), qnorm=True, retrain=False, thread=1, verbose=0)
    model.save_model(str(folder / "quantised.ftz"))
    words = fasttext.train_unsupervised(
        str(folder / "lines.txt"), dim=2, epoch=1, bucket=10, thread=1, verbose=0, minCount=1
    )
    words.save_model(str(folder / "vectors.bin"))
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["dense.bin", "quantised.ftz"])
def test_what_fasttext_writes_is_whole(models: dict[str, Path], name: str) -> None:
    check_fasttext(models[name])


def test_the_published_model_is_whole() -> None:
    check_fasttext(shared("ref/langid/lid.176.ftz"))


@pytest.mark.parametrize("name", ["dense.bin", "quantised.ftz"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_model_cut_anywhere_is_refused(
    models: dict[str, Path], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    whole = models[name].read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DamagedModelError, match=r"cut off|not a fastText model"):
        check_fasttext(cut)


def test_a_model_with_a_tail_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(models["dense.bin"].read_bytes() + b"tail")
    with pytest.raises(DamagedModelError, match="4 bytes too long"):
        check_fasttext(path)


def test_word_vectors_are_no_classifier(models: dict[str, Path]) -> None:
    with pytest.raises(DamagedModelError, match="not trained as a classifier"):
        check_fasttext(models["vectors.bin"])

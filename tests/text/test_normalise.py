import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import text.normalise
from text.normalise import normalise, text_hashes
from text.words import word_batches


def alike(*texts: str | None) -> bool:
    hashes = text_hashes(pa.array(texts, pa.string()))
    return len(np.unique(hashes, axis=0)) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The quick, brown fox.", "the QUICK \u2014 brown\n\nfox"),
        ("Caf\u00e9 \u00c9t\u00e9", "cafe\u0301 \u00e9te\u0301"),
        ("\u041f\u0420\u0418\u0412\u0415\u0422", "\u043f\u0440\u0438\u0432\u0435\u0442"),
    ],
)
def test_dress_does_not_count(first: str, second: str) -> None:
    assert alike(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a b", "b a"),
        ("a a", "a"),
        ("ab", "a b"),
        ("...", "!!!"),
        ("", "."),
        ("a b c d", "a c b d"),
        ("0", ""),
    ],
)
def test_words_their_number_and_their_order_count(first: str, second: str) -> None:
    assert not alike(first, second)


def test_null_is_an_empty_text() -> None:
    assert alike(None, "")


@given(st.lists(st.text("aB .\u00e9", max_size=25), max_size=8), st.integers(4, 20), st.data())
def test_batches_and_pieces_change_no_hash(texts: list[str], size: int, data: st.DataObject) -> None:
    array = pa.array(texts, pa.string())
    expected = text_hashes(array).tolist()
    cut = data.draw(st.integers(0, len(texts)))
    assert text_hashes(array.slice(0, cut)).tolist() + text_hashes(array.slice(cut)).tolist() == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            text.normalise,
            "word_batches",
            lambda buffer, overlap: word_batches(buffer, overlap=overlap, batch_bytes=size, piece_bytes=size),
        )
        assert text_hashes(array).tolist() == expected


def test_a_hundred_thousand_orders_of_the_same_words_stay_apart() -> None:
    generator = np.random.default_rng(0)
    words = [f"w{i}" for i in range(12)]
    texts = {" ".join(generator.permutation(words)) for _ in range(100_000)}
    hashes = text_hashes(pa.array(sorted(texts)))
    assert len(np.unique(hashes[:, 0])) == len(np.unique(hashes[:, 1])) == len(texts)


def test_normalise_keeps_nulls() -> None:
    texts = pa.array(["\u0130X", None, " \u2026 "])
    assert normalise(texts).to_pylist() == ["i\u0307x", None, " \u2026 "]

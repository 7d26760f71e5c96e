import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import text.normalise
from text.buffers import text_buffer
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


def test_many_orders_of_the_same_words_stay_apart() -> None:
    generator = np.random.default_rng(0)
    words = [f"w{i}" for i in range(12)]
    texts = {" ".join(generator.permutation(words)) for _ in range(20_000)}
    hashes = text_hashes(pa.array(sorted(texts)))
    assert len(np.unique(hashes[:, 0])) == len(np.unique(hashes[:, 1])) == len(texts)


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def test_normalise_keeps_nulls() -> None:
    assert normalise(pa.array(["A\u0300X", None, " \u2026 "])).to_pylist() == ["\u00e0x", None, " \u2026 "]


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=12), max_size=6))
def test_normalise_is_nfc_and_lower_case(texts: list[str | None]) -> None:
    composed = pa.array([text and nfc(text) for text in texts], pa.string())
    # Punctuation of these two blocks separates words in any form and is left alone.
    marks = dict.fromkeys([*range(0x2000, 0x2040), *range(0x3000, 0x3040)], " ")
    found = [text and text.translate(marks) for text in normalise(pa.array(texts, pa.string())).to_pylist()]
    assert found == [text and text.translate(marks) for text in pc.utf8_lower(composed).to_pylist()]


def test_every_character_that_nfc_can_change_is_seen() -> None:
    """All of them, for the Unicode version of the running Python."""
    later = {chr(code) for code in range(0x1161, 0x11C3)}  # Hangul vowels and finals join what stands before
    changing = set(later)
    for code in range(0x80, 0x110000):
        character = chr(code)
        if 0xD800 <= code < 0xE000 or 0x2000 <= code < 0x2040 or 0x3000 <= code < 0x3040:
            continue
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            changing.add(chr(int(parts[1], 16)))
        if unicodedata.combining(character) or nfc(character) != character:
            changing.add(character)
    changing = {character for character in changing if not character.isascii()}
    assert [
        c for c in sorted(changing) if not text.normalise._may_compose(text_buffer(pa.array([c])))[0]
    ] == []


def test_an_endless_run_of_marks_costs_no_time_and_stays_as_it_is() -> None:
    hostile = "a" + "\u0301\u0327" * 100_000
    usual = "e\u0301 " * 1000
    assert normalise(pa.array([usual, hostile, usual])).to_pylist() == [
        "\u00e9 " * 1000,
        hostile,
        "\u00e9 " * 1000,
    ]


@pytest.mark.parametrize(("marks", "composed"), [(256, True), (257, False)])
def test_a_run_is_counted_inside_one_text(marks: int, composed: bool) -> None:
    texts = ["e" + "\u0301" * marks, "\u0301" * (marks - 1) + " e\u0301"]
    assert normalise(pa.array(texts)).to_pylist() == [nfc(texts[0]) if composed else texts[0], nfc(texts[1])]

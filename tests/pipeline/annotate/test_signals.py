import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.annotate.c4 import keep_spans
from pipeline.annotate.signals import SETS, compute_signals
from pipeline.errors import UsageError
from tests.pipeline.annotate import reference

PLAIN = {
    "lengths": reference.lengths,
    "gopher_quality": reference.gopher_quality,
    "gopher_repetition": reference.gopher_repetition,
    "fineweb": reference.fineweb,
}
PARTS = [
    "the", "cat", "sat", "of", "with", "Be", " ", " ", " ", "\n", "\n\n", ".", "...", "…", "#", "•", "- ", "!", '"', "?",
    "[12]", "[edit]", "[", "]", "[citation needed]", "{", "Lorem ipsum", "lorem", "JavaScript", "use cookies", "Privacy policy",
    "'", "’", ",", "5", "é", "漢字", "。", "हिन्दी", "🙂", "_", "\t", "\r", "\0", "x" * 1001,
]  # fmt: skip
SENTENCE = "The cat sat with the dog.[1] "
TEXTS = st.one_of(
    st.text(max_size=50),
    st.lists(st.sampled_from(PARTS), max_size=40).map("".join),
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=120).map(" ".join),  # full of repeats
    st.lists(st.sampled_from([SENTENCE, "\n", "\n\n", "It is so.", "go\n", "use {it} now.", " - no"]), max_size=12).map("".join),
)  # fmt: skip


@pytest.mark.parametrize("name", list(PLAIN))
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_signals_equal_the_plain_reading(name: str, texts: list[str]) -> None:
    found = compute_signals(pa.array(texts), sets=[name]).to_pylist()
    for row, text in zip(found, texts, strict=True):
        expected = PLAIN[name](text)
        assert {key: row[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "min_words", "marks"), [("c4_paper", 3, '.?!"'), ("c4_tfds", 5, '.?!"'), ("c4_fineweb", 3, None)]
)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_c4_keeps_the_lines_of_the_plain_reading(
    name: str, min_words: int, marks: str | None, texts: list[str]
) -> None:
    array = pa.array(texts)
    found = compute_signals(array, sets=[name])
    left = keep_spans(array, found.column(f"{name}_kept")).to_pylist()
    for row, text, rest in zip(found.to_pylist(), texts, left, strict=True):
        signals, expected = reference.c4(text, min_words=min_words, marks=marks)
        assert rest == expected
        assert {key: row[f"{name}_{key}"] for key in signals} == signals


@given(texts=st.lists(TEXTS, max_size=6), data=st.data())
@settings(max_examples=20, deadline=None)
def test_neighbours_and_order_change_no_signal(texts: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    cut = data.draw(st.integers(0, len(texts)))
    whole = compute_signals(pa.array(texts, pa.string()), sets=list(SETS))
    shuffled = compute_signals(pa.array([texts[i] for i in order], pa.large_string()), sets=list(SETS))
    assert shuffled.equals(whole.take(pa.array(order, pa.int64())))
    parts = [
        compute_signals(pa.array(part, pa.string()), sets=list(SETS)) for part in (texts[:cut], texts[cut:])
    ]
    assert (
        pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([whole]).combine_chunks())
    )


def test_batches_of_the_kernel_change_no_signal() -> None:
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(PARTS, size=size)) for size in rng.integers(0, 200, 60)]
    whole = compute_signals(pa.array(texts), sets=list(SETS))
    single = [compute_signals(pa.array([text]), sets=list(SETS)) for text in texts]
    assert (
        pa.Table.from_batches(single).combine_chunks().equals(pa.Table.from_batches([whole]).combine_chunks())
    )


def test_a_text_that_is_missing_has_null_signals() -> None:
    found = compute_signals(pa.array([None, "", "The cat sat."]), sets=list(SETS)).to_pylist()
    assert set(found[0].values()) == {None}
    assert all(value in (0, []) for value in found[1].values())
    assert None not in found[2].values()


def test_no_documents_give_no_rows_and_all_columns() -> None:
    none = compute_signals(pa.array([], pa.string()), sets=list(SETS))
    assert none.num_rows == 0
    assert none.schema == compute_signals(pa.array(["x"]), sets=list(SETS)).schema


def test_every_signal_says_its_unit() -> None:
    schema = compute_signals(pa.array(["x"]), sets=list(SETS)).schema
    units = {field.name: field.metadata[b"unit"].decode() for field in schema}
    assert units["duplicate_5gram_chars_share"] == "share, 0 to 1"
    assert units["mean_word_chars"] == "characters"
    assert units["tokens"] == "count"
    assert units["hashes_per_token"] == "per token"
    assert units["c4_paper_kept"] == "bytes"


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["gopher_qualty"], "unknown set of signals `gopher_qualty`; did you mean `gopher_quality`?"),
        ([], "no set of signals asked for"),
    ],
)
def test_an_unknown_set_names_the_nearest(sets: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        compute_signals(pa.array(["x"]), sets=sets)


MEGABYTE = 1 << 20
HOSTILE = {
    "one long line": " ".join(map(str, range(1_400_000))),
    "one repeating line": "word and more " * (MEGABYTE // 14),
    "one long word": "x" * (10 * MEGABYTE),
    "200,000 lines": "x\n" * 200_000,
    "200,000 different lines": "".join(f"{chr(0x4E00 + i % 20000)}\n" for i in range(200_000)),
    "emoji": "🙂" * 250_000,
    "right to left": "كتب الولد الدرس في البيت. " * 10_000,
    "chinese": "他们在学校里学习。" * 40_000,
    "nulls": "\0" * MEGABYTE,
    "citations": "[1]" * 30_000,
    "open brackets": "[" * MEGABYTE,
    "full stops": "." * MEGABYTE,
    "braces": "{ a b c. }\n" * 20_000,
    "cookies": "we use cookies. " * 20_000,
    "spaces": " \t" * 500_000,
    "newlines": "\n" * MEGABYTE,
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_texts_get_signals(name: str) -> None:
    found = compute_signals(pa.array([HOSTILE[name], "next"]), sets=list(SETS))
    assert found.column("characters").to_pylist() == [len(HOSTILE[name]), 4]
    assert np.isfinite(
        [value for value in found.to_pylist()[0].values() if not isinstance(value, list)]
    ).all()

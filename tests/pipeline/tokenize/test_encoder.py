"""Ids are those of `tokenizers`, whatever encodes."""

import gzip
import itertools
import json
import logging
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokenize import encoder as module
from pipeline.tokenize.chunks import CHUNK_CHARS, safe_chunks
from pipeline.tokenize.encoder import NASTY, Encoder
from pipeline.tokenize.tokenizer import load_tokenizer
from tests.shared_data import shared

CORPORA = [
    "articles/articles", "books/books", "wikipedia/enwiki_plain", "wikipedia/langid_eval_paragraphs", "webtext/webtext63",
    "unfiltered/ccnet_en_head_dolma", "unfiltered/informal_web_nltk", "unfiltered/advdec_pile", "benchmarks/humaneval",
]  # fmt: skip


@pytest.fixture(scope="module")
def gpt2() -> Encoder:
    return Encoder.load("gpt2")


def reference(text: str) -> list[int]:
    return load_tokenizer("gpt2").base.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("corpus", CORPORA)
def test_real_text_has_the_ids_of_tokenizers(gpt2: Encoder, corpus: str) -> None:
    assert gpt2.engine == "tiktoken"
    with gzip.open(shared(f"ref/{corpus}.jsonl.gz"), "rt") as lines:
        texts = [json.loads(line)["text"][:20_000] for line in itertools.islice(lines, 40)]
    found = gpt2.encode_batch(pa.array(texts))
    expected = [[*reference(text), 50256] for text in texts]
    assert found.lengths.tolist() == [len(ids) for ids in expected]
    assert found.tokens.tolist() == list(itertools.chain(*expected))


ODD = st.text(
    st.sampled_from(" \t\n\r\x0b\x0c\x85\xa0\u2003\u3000aB1é'.,!中😀\u0301\u200d\x00")
    | st.characters(exclude_categories=("Cs",))
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ODD | st.sampled_from(NASTY), max_size=6))
def test_odd_text_has_the_ids_of_tokenizers(gpt2: Encoder, texts: list[str]) -> None:
    found = gpt2.encode_batch(pa.array(texts, pa.large_string()))
    expected = [[*reference(text), 50256] if text else [] for text in texts]
    assert found.tokens.tolist() == list(itertools.chain(*expected))
    assert found.tokens.dtype == np.uint16


@settings(max_examples=150, deadline=None)
@given(ODD, st.integers(1, 20))
def test_chunks_join_to_the_ids_of_the_whole(text: str, limit: int) -> None:
    chunks = list(safe_chunks(text, limit))
    assert "".join(chunks) == text
    assert list(itertools.chain(*(reference(chunk) for chunk in chunks))) == reference(text)


def test_long_text_is_cut_into_chunks_of_bounded_size() -> None:
    chunks = list(safe_chunks("some words and\n\nlines " * 100_000))
    assert max(map(len, chunks)) < CHUNK_CHARS + 10
    assert "".join(chunks) == "some words and\n\nlines " * 100_000


@pytest.mark.parametrize("unit", ["a", " ", "\n", "é", "😀", "!", "1"])
@pytest.mark.parametrize("end", ["", "x"])
def test_a_long_run_of_one_character_ends_and_is_exact(gpt2: Encoder, unit: str, end: str) -> None:
    text = unit * 150_000 + end
    assert gpt2.encode(text).tolist() == reference(text)


def test_a_million_spaces_before_a_word_do_not_exhaust_the_pattern(gpt2: Encoder) -> None:
    tokens = gpt2.encode(" " * 1_100_000 + "x")
    # GPT-2 has no token of many spaces: each is 220, and the last one joins the word, " x".
    assert (len(tokens), set(tokens[:-1].tolist()), int(tokens[-1])) == (1_100_000, {220}, 2124)


def test_text_that_spells_the_end_of_text_stays_text(gpt2: Encoder) -> None:
    texts = ["<|endoftext|>", "a <|endoftext|><|endoftext|> b", "<|endoftext|>\n", "plain"]
    found = gpt2.encode_batch(pa.array(texts))
    ends = np.cumsum(found.lengths) - 1
    assert np.flatnonzero(found.tokens == 50256).tolist() == ends.tolist()
    for text, first, end in zip(texts, [0, *(ends + 1).tolist()], ends.tolist(), strict=False):
        assert gpt2.tokenizer.decode(found.tokens[first:end].tolist()) == text


def test_empty_and_missing_texts_write_nothing(gpt2: Encoder) -> None:
    found = gpt2.encode_batch(pa.array(["", "Hello world", None, ""]))
    assert found.tokens.tolist() == [15496, 995, 50256]
    assert found.lengths.tolist() == [0, 3, 0, 0]
    assert gpt2.encode_batch(pa.array([], pa.string())).tokens.dtype == np.uint16


def test_batches_do_not_matter(gpt2: Encoder) -> None:
    texts = pa.array([*NASTY, "", *NASTY])
    whole = gpt2.encode_batch(texts)
    parts = [gpt2.encode_batch(texts.slice(start, 3)) for start in range(0, len(texts), 3)]
    assert np.array_equal(np.concatenate([part.tokens for part in parts]), whole.tokens)
    chunked = gpt2.encode_batch(pa.chunked_array([texts.slice(0, 5), texts.slice(5)]))
    assert np.array_equal(chunked.tokens, whole.tokens)


def test_an_encoder_travels_to_another_process(gpt2: Encoder) -> None:
    other = pickle.loads(pickle.dumps(gpt2))
    assert other.engine == "tiktoken"
    assert other.encode("It's a small world").tolist() == reference("It's a small world")


def test_a_difference_on_real_text_gives_up_the_fast_path_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = Encoder(load_tokenizer("gpt2"))
    found.encode_batch(pa.array(["Hello there"]))
    exact = module.FastEncoder.encode
    monkeypatch.setattr(module.FastEncoder, "encode", lambda fast, text: exact(fast, text.swapcase()))
    found.check(["Hello there"])  # all of its words are known
    assert found.engine == "tiktoken"
    with caplog.at_level(logging.WARNING):
        found.check(["Hello world, this_is_a_long_word_for_the_table"])
    assert (found.engine, found.reason) == (
        "tokenizers",
        "ids differ on the text that starts 'Hello world, this_is_a_long_word_for_the'",
    )
    assert "encoding with tokenizers" in caplog.text
    assert found.encode("Hello world").tolist() == [15496, 995]

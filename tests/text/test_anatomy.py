import gzip
import json
import re
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import shared
from tests.text import reference
from text.anatomy import Anatomy
from text.buffers import Offsets

SAMPLES = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab.,:'’ \n\n?!\"')]A1_漢。é\u0301\u200d🙂\t\r\0…-", max_size=60),
    st.lists(st.sampled_from(["Mr", "U", ".", "S", " ", "\n", "said", '."', "[12]", "[", "]", "?", "etc", "…", "’", "'", "1", ",", ":"]), max_size=25).map("".join),
)  # fmt: skip


def cut(texts: Anatomy, starts: Offsets, ends: Offsets, borders: Offsets) -> list[list[str]]:
    data = bytes(texts.data)
    spans = [data[a:b].decode() for a, b in zip(starts, ends, strict=True)]
    return [spans[a:b] for a, b in pairwise(borders)]


@given(st.lists(SAMPLES, max_size=6))
@settings(max_examples=100, deadline=None)
def test_tokens_lines_and_paragraphs_are_those_of_the_plain_reading(texts: list[str]) -> None:
    found = Anatomy.of(pa.array(texts, pa.string()))
    tokens, lines, paragraphs = found.tokens, found.lines, found.paragraphs
    assert cut(found, tokens.starts, tokens.ends, tokens.borders) == [
        reference.tokens(text) for text in texts
    ]
    assert cut(found, lines.starts, lines.ends, lines.borders) == [text.split("\n") for text in texts]
    assert cut(found, paragraphs.starts, paragraphs.ends, paragraphs.borders) == [
        reference.paragraphs(text) for text in texts
    ]
    assert found.token_chars.tolist() == [len(token) for text in texts for token in reference.tokens(text)]
    assert cut(found, lines.inner_starts, lines.inner_ends, lines.borders) == [
        [line.strip() for line in text.split("\n")] for text in texts
    ]
    assert lines.blank.tolist() == [not line.strip() for text in texts for line in text.split("\n")]


@given(
    st.text(alphabet=st.characters(max_codepoint=0x24F, categories=["L", "Nd", "P", "S", "Zs"]), max_size=80)
)
def test_without_marks_tokens_are_those_of_the_usual_expression(text: str) -> None:
    found = Anatomy.of(pa.array([text]))
    expected = re.findall(r"\w(?:\w|[.'](?=\w)|(?<=[0-9])[,:](?=[0-9]))*|[^\w\s]+", text)
    assert cut(found, found.tokens.starts, found.tokens.ends, found.tokens.borders) == [expected]


@given(st.lists(SAMPLES, max_size=6), st.data())
@settings(max_examples=40, deadline=None)
def test_neighbours_change_nothing(texts: list[str], data: st.DataObject) -> None:
    def anatomy(texts: list[str | None]) -> list[list[list[str]]]:
        found = Anatomy.of(pa.array(texts, pa.large_string()))
        spans = (found.tokens, found.paragraphs, found.sentences)
        return [cut(found, part.starts, part.ends, part.borders) for part in spans]

    at = data.draw(st.integers(0, len(texts)))
    whole, first, second = anatomy(texts), anatomy(texts[:at]), anatomy(texts[at:])
    assert whole == [a + b for a, b in zip(first, second, strict=True)]
    assert anatomy([None, *texts]) == [[[], *part] for part in whole]


@given(st.lists(SAMPLES, max_size=8), st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_batches_hold_every_text_once(texts: list[str], batch_bytes: int) -> None:
    batches = list(Anatomy.of(pa.array(["skip", *texts])[1:]).batches(batch_bytes))
    read = [
        bytes(batch.data[a:b]).decode()
        for batch in batches
        for a, b in zip(batch.texts.starts, batch.texts.ends, strict=True)
    ]
    assert read == texts


@given(st.lists(SAMPLES, max_size=4))
@settings(max_examples=100, deadline=None)
def test_sentences_cover_all_tokens_and_no_newline(texts: list[str]) -> None:
    found = Anatomy.of(pa.array(texts, pa.string()))
    spans = cut(found, found.sentences.starts, found.sentences.ends, found.sentences.borders)
    for text, sentences in zip(texts, spans, strict=True):
        assert not any("\n" in sentence for sentence in sentences)
        assert [token for sentence in sentences for token in reference.tokens(sentence)] == reference.tokens(
            text
        )


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n\t", []),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("No mark\nhere either", ["No mark", "here either"]),
        ("Pi is 3.14 or so. See example.org for more.", ["Pi is 3.14 or so.", "See example.org for more."]),
        ("Dr. J. Smith vs. Mr. Doe. He won.", ["Dr. J. Smith vs. Mr. Doe.", "He won."]),
        (
            'He said "Stop." (Really!) And "why?" she asked.',
            ['He said "Stop."', "(Really!)", 'And "why?"', "she asked."],
        ),
        ("Claimed.[12] Denied.[citation needed] Done.", ["Claimed.[12]", "Denied.[citation needed] Done."]),
        ("今日は。元気です！はい", ["今日は。", "元気です！", "はい"]),
        ("क्या हाल है। ठीक है।", ["क्या हाल है।", "ठीक है।"]),
        ("Wait... what?! Yes.", ["Wait...", "what?!", "Yes."]),
        (
            "The U.S. and J. R. Smith agree at 5 p.m. today. He won't.",
            ["The U.S. and J. R. Smith agree at 5 p.m. today.", "He won't."],
        ),
        ("etc., and more. End", ["etc., and more.", "End"]),
    ],
)
def test_sentences_by_example(text: str, sentences: list[str]) -> None:
    found = Anatomy.of(pa.array(["x Mr", text, ". y"]))
    spans = found.sentences
    assert cut(found, spans.starts, spans.ends, spans.borders)[1] == sentences


@pytest.mark.parametrize(
    "text",
    ["x" * (1 << 20), "a b " * (1 << 18), "é\n" * 200_000, "🙂" * 200_000, "\0" * 100_000, ". " * 200_000],
)
def test_monotonous_texts_are_read_whole(text: str) -> None:
    found = Anatomy.of(pa.array([text]))
    spans = (found.tokens, found.lines, found.paragraphs, found.sentences)
    assert int(found.tokens.counts[0]) == len(re.findall(r"\w+|[^\w\s]+", text))
    assert all(len(part.starts) == part.borders[-1] for part in spans)


def test_on_real_pages_the_plain_reading_is_met() -> None:
    with gzip.open(shared("ref/wikipedia/langid_eval_paragraphs.jsonl.gz"), "rt", encoding="utf-8") as rows:
        texts = [json.loads(row)["text"] for row in rows]
    found = Anatomy.of(pa.array(texts))
    assert cut(found, found.tokens.starts, found.tokens.ends, found.tokens.borders) == [
        reference.tokens(text) for text in texts
    ]

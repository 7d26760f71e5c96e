import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.decontaminate.decide import contamination_columns, decide
from pipeline.decontaminate.run import text_lengths
from pipeline.decontaminate.scan import scan
from pipeline.decontaminate.settings import FilterSettings
from pipeline.decontaminate.statistics import part_statistics
from tests.pipeline.decontaminate.made import judged, made_words, make_index, prose, results
from tests.pipeline.decontaminate.reference import decontaminated, grams_of, hits_of
from tests.shared_data import shared

GPT3 = FilterSettings()
EXAMPLE = " ".join(made_words(20, seed=99))
GRAM = " ".join(EXAMPLE.split()[:13])
FILLER = prose(400, seed=7)


def rows(path: str, count: int) -> list[str]:
    with gzip.open(shared(path), "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in islice(lines, count)]


def length(text: str, characters: int) -> str:
    """Text of exactly so many characters that ends between words."""
    return (text[: characters - 1]).rstrip().ljust(characters, ".")


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_rule_equals_its_plain_reading_on_random_documents(tmp_path: Path, data: st.DataObject) -> None:
    vocabulary = ["ba", "Ce", "d\u00e9", "\u00c9f", "g\u00adu", "h&amp;i", "o\u0301", "\u0130k", "\U0001f600"]
    word = st.sampled_from(vocabulary)
    text = st.lists(
        st.tuples(word, st.sampled_from([" ", ". ", "\r\n", "\u2014", "-", "\u201d "])), max_size=60
    ).map(lambda items: "".join(map("".join, items)))
    examples = data.draw(st.lists(text, min_size=1, max_size=4))
    documents = data.draw(st.lists(text, min_size=1, max_size=8))
    n = data.draw(st.integers(1, 5))
    numbers = {
        "window": data.draw(st.integers(0, 12)),
        "min_piece": data.draw(st.integers(0, 20)),
        "max_pieces": data.draw(st.integers(0, 4)),
        "max_documents": data.draw(st.integers(0, 4)),
    }
    rule = FilterSettings(
        ngram=n,
        window_chars=numbers["window"],
        min_piece_chars=numbers["min_piece"],
        max_pieces=numbers["max_pieces"],
        max_documents=numbers["max_documents"],
        analysis=data.draw(st.booleans()),
    )
    index = make_index(tmp_path, {"made": [*examples, "some words that are no one's"]}, rule)
    _, decision = judged(documents, index, rule)
    assert results(documents, decision) == decontaminated(
        documents, [*examples, "some words that are no one's"], n=n, **numbers
    )


def test_the_rule_equals_its_plain_reading_on_real_documents(tmp_path: Path) -> None:
    examples = rows("ref/benchmarks/gsm8k_test.jsonl.gz", 30)
    documents = [text[:20_000] for text in rows("ref/articles/articles.jsonl.gz", 14)]
    for number, example in enumerate(examples):
        text = documents[number % 12]
        middle = (number * 7919) % len(text)
        documents[number % 12] = text[:middle] + example + text[middle:]
    documents += [examples[0], examples[1] * 2, ""]
    index = make_index(tmp_path, {"gsm8k": examples})
    hits, decision = judged(documents, index, GPT3)
    expected = decontaminated(documents, examples)
    assert results(documents, decision) == expected
    assert len(hits.row) == sum(len(hits_of(text, grams_of(examples, 13), 13)) for text in documents)
    assert sum(item is None or len(item) > 1 for item in expected) > 8


@pytest.mark.parametrize("pieces", [10, 11])
def test_eleven_pieces_remove_a_document_and_ten_do_not(tmp_path: Path, pieces: int) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    text = f" {GRAM} ".join([FILLER[:900]] * pieces)
    _, decision = judged([text], index, GPT3)
    assert decision.rules == [None if pieces == 10 else "too_many_pieces"]
    assert len(decision.pieces.row) == (10 if pieces == 10 else 0)


@pytest.mark.parametrize(("characters", "stay"), [(199, 1), (200, 2)])
def test_pieces_of_200_characters_stay_and_shorter_ones_go(
    tmp_path: Path, characters: int, stay: int
) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    text = length(FILLER, 400 + characters) + GRAM + "." + length(FILLER, 800)
    text = text[: 200 + characters] + text[200 + characters :]
    _, decision = judged([text], index, FilterSettings(window_chars=400))
    assert len(decision.pieces.row) == stay
    assert decision.pieces.sizes.tolist()[:-1] == [characters] * (stay - 1)


def test_pieces_are_counted_before_short_ones_are_dropped(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    text = f" {GRAM} ".join([FILLER[:450]] * 10 + [FILLER[:900]])  # ten short pieces and a long one
    _, decision = judged([text], index, GPT3)
    assert decision.rules == ["too_many_pieces"]


@pytest.mark.parametrize(("documents", "touched"), [(10, True), (11, False)])
def test_an_ngram_in_more_than_ten_documents_is_ignored(
    tmp_path: Path, documents: int, touched: bool
) -> None:
    index = make_index(tmp_path, {"made": [GRAM]})
    texts = [
        f"{FILLER[i:900]} {GRAM}. {GRAM}. {FILLER[i:900]}" for i in range(documents)
    ]  # twice counts once
    _, decision = judged(texts, index, GPT3)
    assert decision.touched.all() == touched
    assert decision.touched.any() == touched


@pytest.mark.parametrize("characters", [0, 1, 199, 5000])
def test_a_document_without_a_match_is_untouched_whatever_its_length(tmp_path: Path, characters: int) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    text = FILLER[:characters]
    _, decision = judged([text], index, GPT3)
    assert results([text], decision) == [[text]]


@pytest.mark.parametrize("split", [6, 12])
def test_an_ngram_does_not_reach_from_one_document_into_the_next(tmp_path: Path, split: int) -> None:
    words = GRAM.split()
    index = make_index(tmp_path, {"made": [GRAM], "short": [" ".join(words[:9])]})
    assert [table.n for table in index.tables] == [9, 13]
    texts = [
        " ".join([*made_words(30, seed=3), *words[:split]]),
        " ".join([*words[split:], *made_words(30, seed=4)]),
    ]
    hits = scan(pa.array(texts), index)
    assert hits.row.tolist() == [0] * (split == 12)
    assert index.sizes(hits.gram).tolist() == [9] * (split == 12)
    assert len(scan(pa.array([" ".join([*words[:12]])]), index).row) == 1


def test_every_ngram_of_a_long_text_is_found_once(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"made": [f"{GRAM} {GRAM}"], "short": [" ".join(f"{GRAM} {GRAM}".split()[i : i + 9]) for i in range(13)]})  # fmt: skip
    assert [table.n for table in index.tables] == [9, 13]
    text = f"{GRAM} " * 30_000  # several pieces, a match at each word
    hits = scan(pa.array([text]), index)
    sizes = index.sizes(hits.gram)
    assert len(text) > 2_000_000
    for n in (9, 13):
        assert len(np.unique(hits.start[sizes == n])) == np.count_nonzero(sizes == n) == 13 * 30_000 - n + 1


def test_windows_that_touch_leave_no_piece_between(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"made": [GRAM]})
    text = FILLER[:600] + " " + GRAM + " " + length(FILLER, 398) + " " + GRAM + " " + FILLER[:600]
    _, decision = judged([text], index, GPT3)
    assert len(decision.spans.row) == 1
    assert len(decision.pieces.row) == 2


@pytest.mark.parametrize("text", [GRAM, f"{GRAM} {FILLER}", f"{FILLER} {GRAM}", f"{FILLER}\n{GRAM}"])
def test_matches_at_the_borders_of_a_document(tmp_path: Path, text: str) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    hits = scan(pa.array(["", text]), index)
    assert [text[a:b] for a, b in zip(hits.start, hits.end, strict=True)] == [GRAM]
    assert hits.row.tolist() == [1]


def test_offsets_are_characters_of_the_text_as_given(tmp_path: Path) -> None:
    example = "caf\u00e9 " + " ".join(made_words(12, seed=5))
    index = make_index(tmp_path, {"made": [example]})
    dressed = example.replace(" ", "\r\n", 3).replace("\u00e9", "e\u0301").upper()
    text = "\U0001f600 \u0130 \u00e9\u00ad \u201cquoted\u201d &amp; " + dressed + " \U0001f600 end"
    hits = scan(pa.array([text]), index)
    assert [text[a:b] for a, b in zip(hits.start, hits.end, strict=True)] == [dressed]


def test_a_book_is_cut_at_its_start_middle_and_end_and_at_the_borders_of_pieces(tmp_path: Path) -> None:
    book = FILLER * 8000  # 20 MB and more
    places = [0, 1 << 20, (1 << 20) - 40, 5_000_003, len(book) // 2, (8 << 20) - 7, len(book)]
    text = ""
    done = 0
    for place in sorted(places):
        text += book[done:place] + f" {GRAM} "
        done = place
    short = " ".join(GRAM.split()[:9])
    index = make_index(tmp_path, {"made": [EXAMPLE], "short": [short]})
    assert [table.n for table in index.tables] == [9, 13]
    assert len(text) > 20_000_000
    hits = scan(pa.array(["before", text, "after"], pa.large_string()), index)
    found = [text[a:b] for a, b in zip(hits.start, hits.end, strict=True)]
    assert found == [short, GRAM] * len(places)
    assert hits.row.tolist() == [1] * len(found)


def test_splitting_a_batch_changes_no_hit(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE], "short": [" ".join(made_words(9, seed=8))]})
    texts = [f"{FILLER[: 50 * i]} {EXAMPLE} {FILLER[:300]} \u00c9\u00ad" for i in range(12)] + [None, ""]
    whole = scan(pa.array(texts), index)
    for cut in (1, 5, 13):
        parts = [
            scan(pa.array(texts[:cut], pa.string()), index),
            scan(pa.array(texts[cut:], pa.string()), index),
        ]
        for number, column in enumerate(whole):
            joined = np.concatenate([parts[0][number], parts[1][number] + (cut if number == 0 else 0)])
            assert joined.tolist() == column.tolist()


def test_a_chance_hit_of_a_hash_is_told_from_a_match(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"made": [GRAM]}, FilterSettings(analysis=False))
    text = np.array(index.text)
    text[0] = ord("q")  # the example now has another word behind the same hash
    forged = type(index)(**{**vars(index), "text": text})
    assert len(scan(pa.array([GRAM]), index).row) == 1
    assert len(scan(pa.array([GRAM]), forged).row) == 0


@pytest.mark.parametrize("mode", ["drop", "tag"])
def test_other_modes_leave_texts_whole(tmp_path: Path, mode: str) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    texts = [FILLER, f"{FILLER} {EXAMPLE} {FILLER}"]
    _, decision = judged(texts, index, FilterSettings(mode=mode))  # type: ignore[arg-type]
    assert decision.rules == [None, "contaminated" if mode == "drop" else None]
    assert [texts[1][a:b] for a, b in zip(decision.spans.start, decision.spans.end, strict=True)] == [EXAMPLE]


@pytest.mark.parametrize(("words", "removed"), [(15, True), (14, False)])
def test_ratio_removes_what_holds_enough_of_one_example(tmp_path: Path, words: int, removed: bool) -> None:
    rule = FilterSettings(mode="ratio", ngram=8, min_ratio=0.6)
    index = make_index(tmp_path, {"made": [EXAMPLE]}, rule)  # 20 words: 13 8-grams, of which 8 are 61 %
    text = f"{FILLER} {' '.join(EXAMPLE.split()[:words])} {FILLER}"
    _, decision = judged([text, FILLER], index, rule)
    assert decision.removed.tolist() == [removed, False]


@pytest.mark.parametrize("texts", [[], [None], ["", None, ""]])
def test_no_text_has_no_hits_and_stays(tmp_path: Path, texts: list[str | None]) -> None:
    index = make_index(tmp_path, {"made": [EXAMPLE]})
    array = pa.array(texts, pa.string())
    hits = scan(array, index)
    assert len(hits.row) == 0
    decision = decide(hits, text_lengths(array), hits.gram, index, GPT3)
    assert contamination_columns(decision, index)["fate"].to_pylist() == ["kept"] * len(texts)
    statistics = part_statistics(hits, text_lengths(array), decision, index)
    assert (statistics.documents, statistics.untouched) == (len(texts), len(texts))


@pytest.mark.parametrize(("characters", "found"), [(True, 1), (False, 0)])
def test_scripts_without_spaces_match_inside_a_clause_if_characters_are_words(
    tmp_path: Path, characters: bool, found: int
) -> None:
    clause = "\u4eca\u65e5\u306f\u5929\u6c17\u304c\u3068\u3066\u3082\u826f\u3044\u3067\u3059"  # 13 characters
    rule = FilterSettings(characters=characters, analysis=False)
    index = make_index(tmp_path, {"made": [clause, EXAMPLE]}, rule)
    text = f"\u5f7c\u306f{clause}\u306d\u3002"
    hits = scan(pa.array([text]), index)
    assert [text[a:b] for a, b in zip(hits.start, hits.end, strict=True)] == [clause] * found

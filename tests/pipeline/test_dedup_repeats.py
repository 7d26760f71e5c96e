"""Lines that several documents hold: the stage over parts as dedup leaves them, and whole builds."""

import json
import random

import pyarrow.parquet as pq
import pytest

from pipeline.cli.main import run as command
from pipeline.errors import UsageError
from pipeline.pool import WorkerPool
from pipeline.recipe import parse_recipe
from pipeline.report.dedup_facts import dedup_facts
from pipeline.report.explain import explain
from pipeline.report.explain_text import explanation_text
from tests.pipeline.builds import run, tree
from tests.pipeline.dedup_parts import Doc, cut_repeats

MENU = "Home | About us\n"
FOOT = "Write to us@example.org!"


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as workers:
        yield workers


def own(number):
    return "".join(f"Sentence {number} {line} is found nowhere else.\n" for line in range(5))


def page(number, begins=MENU):
    return f"{begins}{own(number)}{FOOT}"


@pytest.fixture
def parts():
    """Twenty pages with one menu and foot, one that is nothing but these, and a book that quotes the menu."""
    pages = [Doc(f"c{n}", page(n), 0.5) for n in range(20)]
    pages[7] = Doc("c7", page(7, begins="HOME: about us.\n"), 0.5)
    stub = Doc("stub", f"{MENU}--\n{FOOT}", 0.4)
    books = [*(Doc(f"b{n}", own(100 + n)) for n in range(5)), Doc("quote", MENU + own(200), 0.1)]
    return {"crawl": [pages[:12], [*pages[12:], stub]], "books": [books]}


def summary(root):
    return json.loads((root / "repeats/summary.json").read_text())


def test_a_line_stays_in_the_best_document_and_goes_out_of_the_others(tmp_path, parts, pool):
    _, texts = cut_repeats(tmp_path / "w", parts, "priority: [books, crawl], repeats: {unit: line}", pool)
    assert texts["quote"] == MENU + own(200)
    # Of pages as good as each other the id decides where the foot stays.
    feet = {name for name, text in texts.items() if text.endswith(FOOT)}
    assert len(feet) == 1
    assert feet != {"stub"}
    for number in range(20):
        assert texts[f"c{number}"] == own(number) + (FOOT if f"c{number}" in feet else "")
    assert "stub" not in texts
    told = summary(tmp_path / "w")
    assert (told["repeated"], told["distinct"]) == (2, 2 + 26 * 5)
    assert [largest[0] for largest in told["largest"]] == [22, 21]
    crawl = told["sources"]["crawl"]
    size = sum(len(doc.text) for docs in parts["crawl"] for doc in docs)
    assert crawl == {
        "documents": 21,
        "bytes": size,
        "documents_cut": 21,
        "spans_cut": 21 + 20,
        "bytes_cut": 21 * len(MENU) + 20 * len(FOOT),  # `HOME: about us.` has as many bytes
        "documents_removed": 1,
    }
    rows = pq.read_table(tmp_path / "w/repeats/crawl/part-00001.parquet").to_pylist()
    assert rows[-1] == {
        "cut": [{"start": 0, "end": len(MENU)}, {"start": len(MENU) + 3, "end": len(MENU) + 3 + len(FOOT)}],
        "spans_cut": 2,
        "bytes_cut": len(MENU) + len(FOOT),
        "fate": "removed",
        "rule": "repeated_text",
        "detail": "all its lines stand in other documents",
    }


@pytest.mark.parametrize(
    ("settings", "menus", "quote"),
    [
        ("repeats: {keep: none}", 0, False),
        ("protected: [crawl], repeats: {keep: best}", 21, False),
        ("protected: [crawl], repeats: {keep: none}", 21, False),
        ("scope: source, repeats: {unit: line}", 1, True),
    ],
)
def test_where_a_line_stays(tmp_path, parts, pool, settings, menus, quote):
    _, texts = cut_repeats(tmp_path / "w", parts, settings, pool)
    begins = {name for name, text in texts.items() if text.lower().startswith("home")}
    assert (len(begins - {"quote"}), "quote" in begins) == (menus, quote)


def test_order_and_cut_of_the_parts_change_nothing(tmp_path, parts, pool):
    _, texts = cut_repeats(tmp_path / "w", parts, "repeats: {unit: line}", pool)
    docs = [doc for part in parts["crawl"] for doc in part]
    random.Random(1).shuffle(docs)
    turned = {"crawl": [docs[:3], [], docs[3:]], "books": [parts["books"][0][::-1]]}
    assert cut_repeats(tmp_path / "turned", turned, "repeats: {unit: line}", pool)[1] == texts


def test_runs_of_three_sentences(tmp_path, pool):
    shared = "All rights reserved. Do not copy. Ask us first. "
    wide = "\u7248\u6743\u6240\u6709\u3002\u4e0d\u5f97\u8f6c\u8f7d\u3002\u8054\u7cfb\u6211\u4eec\u3002"
    docs = [Doc(f"r{n}", f"Text {n} begins. {shared}It ends {n}.") for n in range(3)]
    docs += [Doc(f"s{n}", f"Other {n}. One. Two. Three. Last {n}.") for n in range(2)]
    docs += [Doc(f"z{n}", f"\u7b2c{n}\u7bc7\u3002{wide}\u5b8c{n}\u3002") for n in range(3)]
    settings = "repeats: {unit: three_sentences, max_documents: 2, keep: none}"
    _, texts = cut_repeats(tmp_path / "w", {"s": [docs]}, settings, pool)
    assert texts == {
        **{f"r{n}": f"Text {n} begins. It ends {n}." for n in range(3)},
        **{f"s{n}": docs[3 + n].text for n in range(2)},
        **{f"z{n}": f"\u7b2c{n}\u7bc7\u3002\u5b8c{n}\u3002" for n in range(3)},
    }


@pytest.mark.slow
def test_another_limit_redoes_what_it_affects(tmp_path, parts, pool):
    settings = "priority: [books, crawl], repeats: {max_documents: 1}"
    made, texts = cut_repeats(tmp_path / "w", parts, settings, pool)
    assert made == 3
    before = tree(tmp_path / "w/repeats")
    assert cut_repeats(tmp_path / "w", parts, settings, pool) == (0, texts)
    assert tree(tmp_path / "w/repeats") == before
    # Nothing stands in 2 to 20 documents.
    assert cut_repeats(tmp_path / "w", parts, settings.replace("1", "20"), pool) == (0, texts)
    assert summary(tmp_path / "w")["max_documents"] == 20
    # At 21 the foot is left alone: the book, which has none, stands.
    made, texts = cut_repeats(tmp_path / "w", parts, settings.replace("1", "21"), pool)
    assert made == 2
    assert (made + 1, texts) == cut_repeats(tmp_path / "new", parts, settings.replace("1", "21"), pool)
    assert tree(tmp_path / "w/repeats") == tree(tmp_path / "new/repeats")
    # A new part is read by itself; it shares nothing, so the others stand.
    parts["books"].append([Doc("fresh", own(300))])
    assert (
        cut_repeats(tmp_path / "w", parts, settings.replace("1", "21"), pool)[0] == 4
    )  # dedup is of all parts


@pytest.mark.slow
def test_one_line_in_fifty_thousand_documents_and_as_often_in_one(tmp_path, pool):
    docs = [Doc(f"d{n}", f"the same line\nline {n}") for n in range(50_000)]
    docs.append(Doc("long", "over and over\n" * 500_000 + "the same line"))
    parts = {"s": [docs[:20_000], docs[20_000:]]}
    _, texts = cut_repeats(tmp_path / "w", parts, "repeats: {keep: none}", pool)
    assert texts["d7"] == "line 7"
    assert texts["long"] == "over and over\n" * 500_000
    assert summary(tmp_path / "w")["largest"][0][0] == 50_001


def test_documents_of_one_line_of_no_words_and_of_nothing(tmp_path, pool):
    docs = [
        Doc("one", "word"),
        Doc("two", "WORD!\n"),
        Doc("marks", "--- !!"),
        Doc("blank", ""),
        Doc("gone", "word", alive=False),
    ]
    parts = {"a": [docs], "b": [[]], "c": []}
    _, texts = cut_repeats(tmp_path / "w", parts, "exact: false, repeats: {unit: line}", pool)
    assert len(texts) == 3
    assert texts.keys() > {"marks", "blank"}
    rows = pq.read_table(tmp_path / "w/repeats/a/part-00000.parquet").to_pylist()
    assert sorted(row["fate"] or "" for row in rows) == ["", "kept", "kept", "kept", "removed"]
    assert [row["spans_cut"] for row in rows[2:]] == [0, 0, None]


def test_it_cannot_go_with_increments(tmp_path):
    recipe = "name: d\nsources:\n  s: {format: wet, paths: [x]}\ndedup: {increments: true, repeats: {unit: line}}\n"
    with pytest.raises(UsageError, match="`repeats` counts lines over all parts"):
        parse_recipe(recipe, base=tmp_path)


RECIPE = """\
name: lines
sources:
  crawl: {format: jsonl, paths: [crawl.jsonl], pii: [email]}
  books: {format: jsonl, paths: [books.jsonl]}
dedup: {preset: null, priority: [books, crawl], repeats: {unit: line, keep: none}}
mixtures:
  m: {weights: {crawl: 50, books: 50}, sequence_length: 32, tokens: 2k}
"""


@pytest.mark.slow
def test_a_build_with_it_shows_what_it_did_and_leaves_nothing_when_it_is_off(tmp_path, parts, capsys):
    for source, files in parts.items():
        rows = [{"id": doc.id, "text": doc.text} for docs in files for doc in docs]
        (tmp_path / f"{source}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = run(tmp_path, tmp_path / "w", RECIPE)
    again = run(tmp_path, tmp_path / "two", RECIPE, workers=2)
    assert again.dataset_digest == outcome.dataset_digest
    assert tree(tmp_path / "w/repeats") == tree(tmp_path / "two/repeats")
    assert outcome.ledger["sources"]["crawl"]["removed"] == {"repeated_text": 1}
    assert outcome.ledger["repeats"]["sources"]["crawl"]["documents_cut"] == 21

    shown = explanation_text(explain(str(tmp_path / "w"), "stub"))
    assert "=> removed at repeats by `repeated_text` (all its lines stand in other documents)" in shown
    shown = explanation_text(explain(str(tmp_path / "w"), "c7"))
    assert "2 passages cut whose lines or sentences other documents hold:\n      HOME: about us." in shown
    assert (
        "2 of 132 different lines stand in more than 1 document; they stay nowhere."
        in (tmp_path / "w/report.html").read_text()
    )
    largest = dedup_facts(str(tmp_path / "w"), sample=10)["repeats"]["largest"]
    assert [(told["documents"], told["text"].lower()[:8]) for told in largest] == [
        (22, "home | a"),
        (21, "write to"),
    ]

    (tmp_path / "ids.txt").write_text("c3\n")
    assert command(["exclude", str(tmp_path / "w"), "--ids", str(tmp_path / "ids.txt")]) == 0
    ledger = json.loads((tmp_path / "w/ledger.json").read_text())
    assert ledger["stages"]["exclude"]["removed"] == {"excluded": 1}
    assert ledger["stages"]["repeats"]["in"] == 27
    capsys.readouterr()

    plain = RECIPE.replace(", repeats: {unit: line, keep: none}", "")
    outcome = run(tmp_path, tmp_path / "two", plain)
    assert {stage["name"]: stage["done"] for stage in outcome.stages}["dedup"] == 0
    assert not list((tmp_path / "two/repeats").rglob("*.parquet"))
    assert "repeats" not in outcome.ledger

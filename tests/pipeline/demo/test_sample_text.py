"""What the sample's documents say: distinct where they should be, alike where they should be, and readable."""

from collections import Counter
from itertools import combinations

import pyarrow as pa
import pytest

from classifiers.language import LanguageModel
from pipeline.demo.benchmark import benchmark_items
from pipeline.demo.sample import Plan

COPIES = {"near_duplicate", "exact_duplicate", "near_duplicate_of_webtext2"}
STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
Shingles = frozenset[str]


def shingles(text: str, language: str = "en") -> Shingles:
    """Five words; where no spaces part the words, eight characters."""
    if language in {"ja", "zh"}:
        return frozenset(text[i : i + 8] for i in range(len(text) - 7))
    words = text.lower().split()
    return frozenset(" ".join(words[i : i + 5]) for i in range(len(words) - 4))


def jaccard(left: Shingles, right: Shingles) -> float:
    return len(left & right) / len(left | right)


@pytest.fixture(scope="module")
def texts(plan: Plan) -> dict[str, tuple[str, str]]:
    """Language and text by URL or id, of all that is no copy on purpose."""
    found = {
        page.url: (page.language, page.text) for page in plan.pages if page.text and page.kind not in COPIES
    }
    found |= {document["id"]: ("en", document["text"]) for document in (*plan.webtext2, *plan.wikipedia)}
    return found | {name: ("en", text) for name, text in plan.books.items()}


def test_no_two_documents_are_alike_by_accident(texts: dict[str, tuple[str, str]]) -> None:
    sets = {name: shingles(text, language) for name, (language, text) in texts.items()}
    alike = [
        (a, b) for a, b in combinations(sets, 2) if sets[a] & sets[b] and jaccard(sets[a], sets[b]) >= 0.5
    ]
    assert alike == []


def test_copies_on_purpose_are_alike(plan: Plan) -> None:
    originals = {page.url: page.text for page in plan.pages} | {
        each["id"]: each["text"] for each in plan.webtext2
    }
    copies = [page for page in plan.pages if page.of]
    assert Counter(page.kind for page in copies) == {
        "near_duplicate": 24,
        "exact_duplicate": 10,
        "near_duplicate_of_webtext2": 8,
    }
    for page in copies:
        assert page.of is not None
        likeness = jaccard(shingles(originals[page.of]), shingles(page.text))
        assert likeness == 1 if page.kind == "exact_duplicate" else 0.8 <= likeness < 1


def test_exact_copies_have_the_same_body(plan: Plan) -> None:
    bodies = {page.url: page.body for page in plan.pages}
    assert all(
        page.body == bodies[page.of] for page in plan.pages if page.kind == "exact_duplicate" and page.of
    )


def test_english_documents_are_prose_by_gophers_rules(plan: Plan) -> None:
    """Rae et al. 2021, appendix A1.1: length, mean word length, stop words, letters."""
    english = [page.text for page in plan.pages if page.text and page.language == "en"]
    english += [document["text"] for document in (*plan.webtext2, *plan.wikipedia)] + list(
        plan.books.values()
    )
    for text in english:
        words = text.split()
        assert 50 <= len(words) <= 100_000
        assert 3 <= sum(map(len, words)) / len(words) <= 10
        assert len(STOP_WORDS & set(words)) >= 2
        assert sum(any(c.isalpha() for c in word) for word in words) >= 0.8 * len(words)


def test_articles_are_150_to_700_words_long(plan: Plan) -> None:
    lengths = [len(page.text.split()) for page in plan.pages if page.kind == "article"]
    assert len(lengths) == 190
    assert [length for length in lengths if not 150 <= length <= 700] == []


def test_pages_are_in_the_language_that_they_claim(texts: dict[str, tuple[str, str]]) -> None:
    named = LanguageModel.load().identify(pa.array([text for _, text in texts.values()])).language.to_pylist()
    assert named == [language for language, _ in texts.values()]


def test_two_long_pages_hold_a_benchmark_item_in_their_middle_and_no_other_document_does(plan: Plan) -> None:
    def thirteen_grams(text: str) -> set[str]:
        words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
        return {" ".join(words[i : i + 13]) for i in range(len(words) - 12)}

    items = {item.id: item for item in benchmark_items()}
    known = {gram: item.id for item in items.values() for gram in thirteen_grams(item.text)}
    documents = {page.url: page.text for page in plan.pages}
    documents |= {each["id"]: each["text"] for each in (*plan.webtext2, *plan.wikipedia)} | plan.books
    hits = {
        name: {known[gram] for gram in thirteen_grams(text) & known.keys()}
        for name, text in documents.items()
    }
    planted = [page for page in plan.pages if page.kind == "benchmark"]
    assert {name: found for name, found in hits.items() if found} == {
        page.url: {page.detail} for page in planted
    }
    for page in planted:
        assert page.detail is not None
        start = page.text.index(items[page.detail].text)
        rest = len(page.text) - start - len(items[page.detail].text)
        assert start > 1000
        assert rest > 1000


def test_only_one_document_spells_the_special_token(texts: dict[str, tuple[str, str]]) -> None:
    assert [name for name, (_, text) in texts.items() if "<|endoftext|>" in text] == [
        "https://tokens.example/"
    ]

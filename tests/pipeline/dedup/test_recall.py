"""Found pairs against exact Jaccard similarity, on real texts that were edited."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pytest

from pipeline.dedup.bands import PRESETS, band_keys, probability, recall
from pipeline.dedup.buckets import bucket_edges, unique_edges
from pipeline.dedup.choose import choose
from pipeline.dedup.components import components
from pipeline.dedup.partition import pack, unpack
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import signatures, similarity
from tests.shared_data import shared


def real_texts(count: int) -> list[str]:
    with gzip.open(shared("ref/articles/articles.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [
            " ".join(json.loads(line)["text"].split()[:400])
            for line, _ in zip(lines, range(count), strict=False)
        ]


def shingles(text: str) -> set[tuple[str, ...]]:
    """Without the product's code, for texts of ASCII letters and digits alone."""
    words = text.lower().split()
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def edited_pairs(low: float, high: float, count: int) -> tuple[list[str], np.ndarray]:
    """Real texts, each followed by a copy with words replaced until their Jaccard similarity lies in [low, high]."""
    generator = np.random.default_rng(0)
    texts, exact = [], []
    for text in real_texts(4 * count):
        words = ["".join(filter(str.isalnum, word)) for word in text.split()]
        words = [word for word in words if word.isascii() and word]
        if len(words) < 200 or len(exact) == count:
            continue
        original, copy = shingles(" ".join(words)), list(words)
        for place in generator.permutation(len(words)):
            copy[place] = f"edited{place}"
            edited = shingles(" ".join(copy))
            jaccard = len(original & edited) / len(original | edited)
            if jaccard <= high:
                break
        if jaccard >= low:
            texts += [" ".join(words), " ".join(copy)]
            exact.append(jaccard)
    return texts, np.array(exact)


@pytest.mark.parametrize(("preset", "floor"), [("fineweb", 0.92), ("strict", 0.99)])
def test_recall_on_edited_texts_is_what_theory_says(preset: str, floor: float) -> None:
    bands = PRESETS[preset]
    texts, exact = edited_pairs(0.80, 0.82, 400)
    assert len(exact) > 300
    close = 0.0
    seeds = 4  # independent hash functions: four times the pairs
    shares = []
    for seed in range(1, seeds + 1):
        minima = signatures(pa.array(texts), Scheme(num_hashes=bands.num_hashes, seed=seed)).minima
        keys = band_keys(minima, bands)
        found = (keys[::2] == keys[1::2]).any(axis=1)
        shares.append(found.mean())
        error = similarity(minima[::2], minima[1::2]) - exact
        close = max(close, float(np.sqrt((error**2).mean())))
    expected = recall(exact, bands)
    pairs = seeds * len(exact)
    assert abs(np.mean(shares) - expected) <= 4 * (expected * (1 - expected) / pairs) ** 0.5 + 1 / pairs
    assert np.mean(shares) >= floor - 2 * (floor * (1 - floor) / pairs) ** 0.5
    assert close <= 0.045


def kept_rows(texts: list[str | None], order: np.ndarray, preset: str) -> tuple[set[int], int]:
    """Rows that stay when the texts come in this order; the place of a text is its row in `texts`."""
    bands = PRESETS[preset]
    scheme = Scheme(num_hashes=bands.num_hashes)
    signed = signatures(pa.array([texts[i] for i in order], pa.string()), scheme)
    ids = order.astype(np.uint64)
    packed = pack(band_keys(signed.minima[signed.valid], bands), ids[signed.valid], 2)
    found = [bucket_edges(*unpack([(keys, numbers)])).edges for _, keys, numbers in packed]
    edges = unique_edges(np.concatenate([np.zeros((0, 2), np.uint64), *found]))
    clusters = components(edges)
    row = np.argsort(order)[clusters.nodes.astype(np.int64)]
    choice = choose(clusters.labels, clusters.nodes.astype(np.int64), signed.minima[row], verify=bands.verify)
    dropped = clusters.nodes[~choice.kept].astype(np.int64).tolist()
    return set(range(len(texts))) - set(dropped), len(edges)


def test_order_of_documents_changes_nothing_and_pairs_are_real() -> None:
    texts, exact = edited_pairs(0.5, 0.95, 150)
    rows = np.arange(len(texts))
    kept, _ = kept_rows(texts, rows, "strict")
    shuffled, _ = kept_rows(texts, np.random.default_rng(1).permutation(rows), "strict")
    assert kept == shuffled
    assert 0 < len(texts) - len(kept) <= len(exact)
    assert probability(0.95, 20, 6) == pytest.approx(1)


def test_found_pairs_are_similar() -> None:
    texts, exact = edited_pairs(0.55, 0.8, 300)
    bands = PRESETS["fineweb"]
    minima = signatures(pa.array(texts), Scheme()).minima
    keys = band_keys(minima, bands)
    found = (keys[::2] == keys[1::2]).any(axis=1) & (similarity(minima[::2], minima[1::2]) >= bands.verify)
    # A drop is verified, so what is dropped is similar up to the error of an estimate over 112 entries.
    assert (exact[found] >= 0.6).all()


def test_empty_and_one_word_documents_do_not_merge() -> None:
    texts = ["", None, "", "   ", "...", "one", "two", "three", "one two", "two one"]
    kept, edges = kept_rows(texts, np.arange(len(texts)), "gpt3")
    assert (kept, edges) == (set(range(len(texts))), 0)


def test_equal_pages_stay_one() -> None:
    texts = ["the same page of some seven words"] * 3000
    kept, edges = kept_rows(texts, np.arange(3000), "fineweb")
    assert (kept, edges) == ({0}, 2999)

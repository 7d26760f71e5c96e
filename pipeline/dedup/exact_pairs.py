"""Exact Jaccard similarity of the similar pairs among some texts: what a search by signatures is measured with."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.scheme import Scheme
from text.buffers import Hashes, text_buffer
from text.distinct import distinct, run_starts
from text.hashes import gram_hashes
from text.normalise import normalise
from text.words import word_batches

MAX_HOLDERS = 32  # a shingle that more texts hold proposes no pair
MAX_PAIRS = 50_000  # that are compared; those that share the most rare shingles
_LEAST_SHARED = (
    0.25  # share of the rare shingles of the poorer text; less cannot be a pair at .5 but by chance
)
_PIECE_ROWS = 256

Indices = npt.NDArray[np.int64]


class Pairs(NamedTuple):
    """Pairs of texts and how similar they are."""

    first: Indices  # (m,) smaller row
    second: Indices  # (m,)
    similarity: npt.NDArray[np.float64]  # (m,) Jaccard similarity of the sets of hashed shingles


def exact_pairs(texts: pa.Array, scheme: Scheme, *, least: float = 0.5) -> Pairs:
    """Find the pairs of texts whose similarity is at least `least`, without signatures.

    Pairs come from an inverted index of the shingles that at most `MAX_HOLDERS` texts hold; so of a large cluster of
    equal texts no pair is found, and nothing that costs more than `MAX_HOLDERS` / 2 times the shingles is done.
    """
    sets = shingle_sets(texts, scheme)
    sizes = np.array([len(own) for own in sets], np.int64)
    hashes = np.concatenate(sets) if sets else np.zeros(0, np.uint64)
    holder = np.repeat(np.arange(len(sets)), sizes)
    order = np.argsort(hashes, kind="stable")
    hashes, holder = hashes[order], holder[order]
    begin = run_starts(hashes)
    count = np.diff(np.append(begin, len(hashes)))
    rare = count <= MAX_HOLDERS
    rare_sizes = np.bincount(holder[np.repeat(rare, count)], minlength=len(sets))
    codes = [np.zeros(0, np.int64)]
    for size in range(2, MAX_HOLDERS + 1):
        starts = begin[count == size]
        if len(starts):
            members = holder[starts[:, None] + np.arange(size)]
            a, b = np.triu_indices(size, 1)
            codes.append((members[:, a] * len(sets) + members[:, b]).ravel())
    found = np.sort(np.concatenate(codes))
    at = run_starts(found)
    shared = np.diff(np.append(at, len(found)))
    first, second = found[at] // max(1, len(sets)), found[at] % max(1, len(sets))
    likely = np.flatnonzero(shared >= _LEAST_SHARED * np.minimum(rare_sizes[first], rare_sizes[second]))
    likely = np.sort(likely[np.argsort(-shared[likely], kind="stable")[:MAX_PAIRS]])
    first, second = first[likely], second[likely]
    similarity = np.array(
        [jaccard(sets[a], sets[b]) for a, b in zip(first.tolist(), second.tolist(), strict=True)], np.float64
    )
    similar = similarity >= least
    return Pairs(first[similar], second[similar], similarity[similar])


def shingle_sets(texts: pa.Array, scheme: Scheme) -> list[Hashes]:
    """Distinct hashed shingles of each text, rising, as its signature is made of."""
    sets: list[Hashes] = []
    for begin in range(0, len(texts), _PIECE_ROWS):
        piece = normalise(texts.slice(begin, _PIECE_ROWS))
        own: list[list[Hashes]] = [[] for _ in range(len(piece))]
        for batch in word_batches(text_buffer(piece), overlap=scheme.ngram - 1, rule=scheme.word_rule):
            grams = gram_hashes(batch.words, scheme.ngram)
            for row, (a, b) in enumerate(zip(grams.borders[:-1], grams.borders[1:], strict=True)):
                own[batch.first_row + row].append(grams.hashes[a:b])
        sets += [distinct(np.concatenate(pieces)) if pieces else np.zeros(0, np.uint64) for pieces in own]
    return sets


def jaccard(first: Hashes, second: Hashes) -> float:
    """Share of the union of two rising sets that both hold; 0 for two empty ones."""
    both = np.sort(np.concatenate([first, second]))
    common = int((both[1:] == both[:-1]).sum())
    union = len(both) - common
    return common / union if union else 0.0

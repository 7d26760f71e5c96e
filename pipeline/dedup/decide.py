"""Which copies stay, for whole components of members; and what that comes to in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.choose import Choice, choose
from pipeline.dedup.columns import fixed_width, one_array
from pipeline.dedup.members import RANK_SHIFT
from pipeline.dedup.row_gaps import parts_of, rows_of
from pipeline.dedup.statistics import Statistics, largest_first
from text.buffers import Hashes
from text.hashes import fmix64, hash_strings

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# The decision about a member on its way back to its part.
DECISIONS = pa.schema(
    [
        ("row", pa.uint32()),
        ("cluster", pa.large_string()),  # id of the best; null: the member itself, or what it is a copy of
        ("duplicate_of", pa.large_string()),  # null: it stays
        ("similarity", pa.float32()),
        ("rule", pa.dictionary(pa.int8(), pa.string())),
    ]
)
RULES = pa.array(["exact_duplicate", "near_duplicate", "duplicate_url"])
EXACT, NEAR, URL = range(3)


@dataclass(frozen=True)
class Terms:
    """What a decision goes by."""

    sources: tuple[str, ...]  # by rank
    protected: tuple[str, ...]  # sources of which nothing is dropped
    num_hashes: int  # of a signature; 0: there are none, copies of a text are all there is
    verify: float  # least share of equal signature entries
    by_url: bool = False  # documents of one URL are copies, whatever their text


def decide(batches: Sequence[pa.RecordBatch], terms: Terms) -> tuple[dict[int, pa.RecordBatch], Statistics]:
    """Choose the copies that stay; the same for every order of batches and rows.

    Args:
        batches: of `MEMBERS`; hold all members of each component in them.
        terms: what to go by.

    Returns:
        Rows of `DECISIONS` by number of the part, rows rising; and the statistics of these components.
    """
    table = pa.Table.from_batches(batches)
    numbers, labels, twins = (table[name].to_numpy() for name in ("number", "label", "twin"))
    standing = table["standing"].to_numpy()
    ids = one_array(table["id"])
    places = _places(standing, table["date"].to_numpy(), hash_strings(ids), twins, numbers)
    ranks = (standing >> RANK_SHIFT).astype(np.int64)
    protected = np.array([name in terms.protected for name in terms.sources], bool)[ranks]
    minima = _comparable(table["signature"], labels, twins, terms)
    choice = choose(labels, places, minima, protected, verify=terms.verify)
    of = choice.duplicate_of
    dropped = ~choice.kept
    exact = dropped & (twins == twins[of])
    best = _best(labels, places, protected)
    code = np.where(exact, EXACT, NEAR) if not terms.by_url else np.full(len(of), URL)
    similarity = np.where(exact, np.float32(1), choice.similarity)
    unnamed = (best == np.arange(len(best))) | (dropped & (best == of))
    batch = pa.record_batch(
        [
            pa.array(rows_of(numbers), pa.uint32()),
            ids.take(pa.array(best, mask=unnamed)),
            ids.take(pa.array(of, mask=~dropped)),
            pa.array(similarity, pa.float32(), mask=~dropped | terms.by_url),
            pa.DictionaryArray.from_arrays(pa.array(code, pa.int8(), mask=~dropped), RULES),
        ],
        schema=DECISIONS,
    )
    copies = table["copies"].to_numpy().astype(np.int64)
    statistics = _count(terms, choice, labels, ranks, protected, copies, code, similarity, best, ids)
    return _by_part(batch, numbers), statistics


def _places(standing: Hashes, date: Hashes, name: Hashes, twins: Hashes, numbers: Hashes) -> Indices:
    """Place of each member in the order of `priority`; documents of one id go by their text, then by number."""
    order = np.lexsort((numbers, twins, name, date, standing))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def _comparable(
    column: pa.ChunkedArray, labels: Hashes, twins: Hashes, terms: Terms
) -> npt.NDArray[np.uint16]:
    """Signatures of n members: (n, num_hashes); where there is none, one that equals that of its twins only."""
    size = len(labels)
    if terms.by_url:
        return np.zeros((size, 1), np.uint16)  # nothing to compare: `verify` is 0
    if terms.num_hashes == 0:
        return twins.astype("<u8").view("<u2").reshape(size, 4)  # nothing but copies of a text has company
    minima = np.zeros((size, terms.num_hashes), np.uint16)
    signed = np.zeros(size, bool)
    first = 0
    for chunk in column.chunks:
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        signed[first : first + len(chunk)] = valid
        minima[first + np.flatnonzero(valid)] = fixed_width(
            chunk.drop_null(), 2 * terms.num_hashes, np.uint16
        )
        first += len(chunk)
    order = np.lexsort((~signed, twins, labels))
    head = np.ones(size, bool)
    head[1:] = (labels[order][1:] != labels[order][:-1]) | (twins[order][1:] != twins[order][:-1])
    donor = order[np.flatnonzero(head)[np.cumsum(head) - 1]]
    unsigned, giver = order[~signed[order]], donor[~signed[order]]
    made_up = ~signed[giver]
    minima[unsigned[~made_up]] = minima[giver[~made_up]]
    steps = np.arange(1, terms.num_hashes + 1, dtype=np.uint64)
    minima[unsigned[made_up]] = fmix64(twins[unsigned[made_up]][:, None] + steps[None, :]).astype(np.uint16)
    return minima


def _best(labels: Hashes, places: Indices, protected: Flags) -> Indices:
    """Row of the best member of each member's component: (n,)."""
    order = np.lexsort((places, ~protected, labels))
    head = np.ones(len(order), bool)
    head[1:] = labels[order][1:] != labels[order][:-1]
    best = np.empty(len(order), np.int64)
    best[order] = order[np.flatnonzero(head)[np.cumsum(head) - 1]]
    return best


def _count(
    terms: Terms,
    choice: Choice,
    labels: Hashes,
    ranks: Indices,
    protected: Flags,
    copies: Indices,
    code: Indices,
    similarity: npt.NDArray[np.float32],
    best: Indices,
    ids: pa.Array,
) -> Statistics:
    dropped, of = ~choice.kept, choice.duplicate_of
    # Copies that a member stands for go with it; of a kept one's, all but itself go for it, if they may.
    with_it = np.where(dropped, copies, np.where(protected, 0, copies - 1))
    rule = np.where(dropped, code, URL if terms.by_url else EXACT)
    pairs = _add_up(ranks * len(terms.sources) + ranks[of], with_it)
    near = dropped & (code == NEAR)
    _, component = np.unique(labels, return_inverse=True)
    sizes, gone = np.bincount(component, copies), np.bincount(component, with_it)
    heads = np.flatnonzero(best == np.arange(len(best)))
    by_size = heads[np.argsort(-sizes[component[heads]], kind="stable")]
    # All as large as the last that is named are candidates: their order must not depend on that of the rows.
    least = np.sort(sizes)[-min(20, len(sizes))] if len(sizes) else 0
    candidates = by_size[sizes[component[by_size]] >= least]
    names = ids.take(pa.array(candidates)).to_pylist()
    named = zip(
        sizes[component[candidates]].astype(int).tolist(),
        gone[component[candidates]].astype(int).tolist(),
        names,
        strict=True,
    )
    late = choice.kept & (choice.rounds > 0) & ~protected
    return Statistics(
        clusters=_add_up(sizes.astype(np.int64), np.ones(len(sizes), np.int64)),
        pairs={
            (terms.sources[key // len(terms.sources)], terms.sources[key % len(terms.sources)]): number
            for key, number in pairs.items()
        },
        rules={RULES[key].as_py(): number for key, number in _add_up(rule, with_it).items()},
        similarity=_add_up(np.floor(similarity[near] * 100 + 1e-4).astype(np.int64), copies[near]),
        rescued=int(late.sum()) - choice.undecided,
        undecided=choice.undecided,
        largest=largest_first(named),
    )


def _add_up(keys: Indices, numbers: Indices) -> dict[int, int]:
    found, place = np.unique(keys, return_inverse=True)
    sums = np.bincount(place, numbers, minlength=len(found)).astype(np.int64)
    return {key: number for key, number in zip(found.tolist(), sums.tolist(), strict=True) if number}


def _by_part(batch: pa.RecordBatch, numbers: Hashes) -> dict[int, pa.RecordBatch]:
    order = np.argsort(numbers)
    parts = parts_of(numbers[order])
    begin = np.flatnonzero(np.diff(parts, prepend=-1))
    stops = np.append(begin[1:], len(parts))
    return {
        int(parts[a]): batch.take(pa.array(order[a:b]))
        for a, b in zip(begin.tolist(), stops.tolist(), strict=True)
    }

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.repeats_tally import NOBODY, Held, by_partition, chosen_spans, count_spans, join

# Parts of documents, each a key and the spans that it holds, in order.
DOCUMENTS = st.tuples(st.integers(0, 9), st.lists(st.integers(0, 12), max_size=6))
PARTS = st.lists(st.lists(DOCUMENTS, max_size=5), max_size=5)
SPREAD = 0x9E3779B97F4A7C15  # spans over all partitions and high bits


def arrays(part):
    rows = np.array([row for row, (_, spans) in enumerate(part) for _ in spans], np.int64)
    hashes = np.array([span * SPREAD % 2**64 for _, spans in part for span in spans], np.uint64)
    return hashes, rows, np.array([key for key, _ in part], np.uint64)


def cuts(parts, max_documents, keep_best, partitions, order=None):
    """Which spans of each document go, by the packed exchange."""
    sent = defaultdict(list)
    numbers = order or range(len(parts))
    for number in numbers:
        for partition, held in by_partition(count_spans(*arrays(parts[number])), partitions):
            sent[partition].append((number, Held.from_bytes(*held.to_bytes())))
    found = []
    gone = [np.zeros(len(arrays(part)[0]), bool) for part in parts]
    for elements in sent.values():
        answers, totals = join(*zip(*elements, strict=True), max_documents=max_documents, keep_best=keep_best)
        found.append(totals)
        for number, repeated in answers.items():
            gone[number] |= chosen_spans(*arrays(parts[number]), repeated)
    return [mask.tolist() for mask in gone], found


@given(PARTS, st.integers(0, 3), st.booleans(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_a_span_of_many_documents_stays_in_the_best_or_nowhere(
    parts, max_documents, keep_best, partitions, draw
):
    holders = defaultdict(list)
    for part in parts:
        for key, spans in part:
            for span in set(spans):
                holders[span].append(key)
    repeated = {span: keys for span, keys in holders.items() if len(keys) > max_documents}
    expected = [
        [
            span in repeated and not (keep_best and key == min(repeated[span]))
            for key, spans in part
            for span in spans
        ]
        for part in parts
    ]
    gone, totals = cuts(parts, max_documents, keep_best, partitions)
    assert gone == expected
    assert sum(found.distinct for found in totals) == len(holders)
    assert sum(found.repeated for found in totals) == len(repeated)
    largest = sorted((size for found in totals for size, _ in found.largest), reverse=True)
    assert largest == sorted(map(len, repeated.values()), reverse=True)
    order = list(range(len(parts)))
    draw.shuffle(order)
    assert cuts(parts, max_documents, keep_best, partitions, order)[0] == expected


def test_spans_that_share_the_bits_a_sort_looks_at_are_told_apart():
    hashes = np.array([1, 2, 1, 2, 3], np.uint64)
    held = count_spans(hashes, np.arange(5), np.arange(5, dtype=np.uint64))
    assert [column.tolist() for column in held] == [[1, 2, 3], [2, 2, 1], [0, 1, 4]]


def test_a_line_that_a_part_holds_a_million_times_travels_once():
    rows = np.arange(1_000_000)
    held = count_spans(np.full(1_000_000, 7, np.uint64), rows, rows.astype(np.uint64))
    assert [column.tolist() for column in held] == [[7], [1_000_000], [0]]
    assert sum(map(len, held.to_bytes())) == 20
    repeated = join([0], [held], max_documents=1, keep_best=False)[0][0]
    assert repeated.keeps.tolist() == [NOBODY]


@pytest.mark.parametrize(
    "packed", [(b"1234567", b"1", b""), (b"12345678", b"12", b"12345678"), (b"12345678", b"1", b"")]
)
def test_bytes_that_are_no_spans_are_refused(packed):
    with pytest.raises(ValueError, match="are no packed spans"):
        Held.from_bytes(*packed)

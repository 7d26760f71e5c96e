import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.partition import ROWS_PER_PARTITION, pack, pack_edges, partitions_per_band, unpack


@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 5), st.integers(0, 9))
def test_the_shuffle_holds_every_key_once_and_equal_keys_meet(
    rows: int, bands: int, per_band: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    keys = generator.integers(0, 20, (rows, bands)).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    ids = generator.permutation(rows).astype(np.uint64)
    place: dict[tuple[int, int], int] = {}
    found = set()
    for partition, packed_keys, packed_ids in pack(keys, ids, per_band):
        for key, number in zip(*unpack([(packed_keys, packed_ids)]), strict=True):
            band = partition // per_band
            assert place.setdefault((band, int(key)), partition) == partition
            found.add((band, int(key), int(number)))
    expected = {(b, int(keys[r, b]), int(ids[r])) for r in range(rows) for b in range(bands)}
    assert found == expected


def test_a_document_costs_sixteen_bytes_a_band() -> None:
    keys = np.random.default_rng(0).integers(0, 1 << 63, (1000, 14)).astype(np.uint64)
    packed = pack(keys, np.arange(1000, dtype=np.uint64), 4)
    assert sum(len(a) + len(b) for _, a, b in packed) == 1000 * 224
    assert len(packed) == 14 * 4


@pytest.mark.parametrize(
    ("documents", "partitions"),
    [(0, 1), (ROWS_PER_PARTITION, 1), (ROWS_PER_PARTITION + 1, 2), (3_000_000_000, 358)],
)
def test_partitions_follow_the_number_of_documents(documents: int, partitions: int) -> None:
    assert partitions_per_band(documents) == partitions


def test_partitions_have_an_end() -> None:
    with pytest.raises(ValueError, match="need more than 65,536 partitions"):
        partitions_per_band(10**12)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30),
    st.integers(1, 4),
    st.integers(0, 1),
)
def test_edges_of_a_node_meet(edges: list[tuple[int, int]], partitions: int, by: int) -> None:
    array = np.array(edges, np.uint64).reshape(-1, 2)
    place: dict[int, int] = {}
    found = []
    for partition, first, second in pack_edges(array, partitions, by=by):
        for edge in zip(*(part.tolist() for part in unpack([(first, second)])), strict=True):
            assert place.setdefault(edge[by], partition) == partition
            found.append(edge)
    assert sorted(found) == sorted(edges)


@pytest.mark.parametrize("element", [(b"12345678", b""), (b"123", b"123")])
def test_torn_elements_are_refused(element: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="a packed element holds"):
        unpack([element])

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.row_gaps import numbers_of, pack_rows, parts_of, rows_of, unpack_keys, unpack_rows


@given(
    st.sets(st.integers(0, (1 << 32) - 1) | st.integers(0, 300), min_size=1), st.integers(0, (1 << 32) - 1)
)
def test_rows_come_back_as_numbers(rows: set[int], part: int) -> None:
    given_rows = np.array(sorted(rows), np.int64)
    numbers = unpack_rows(pack_rows(part, given_rows))
    assert numbers.tolist() == [part << 32 | row for row in sorted(rows)]
    assert numbers.tolist() == numbers_of(part, given_rows).tolist()
    assert set(parts_of(numbers).tolist()) == {part}
    assert rows_of(numbers).tolist() == sorted(rows)


def test_a_dense_part_costs_a_byte_a_row() -> None:
    assert len(pack_rows(7, np.arange(0, 100_000, 3))) == 33_334 - 1 + 9


@pytest.mark.parametrize("rows", [[], [3, 3], [3, 2], [-1, 2], [1 << 32]])
def test_what_cannot_be_packed_is_refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="part 1: rows to pack must rise"):
        pack_rows(1, np.array(rows, np.int64))


@pytest.mark.parametrize(
    "data", [b"", b"12345678", b"\0\0\0\0\x03\0\0\0\0", pack_rows(0, np.array([1, 70_000]))[:-1]]
)
def test_damage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="are no packed rows"):
        unpack_rows(data)


def test_keys_and_rows_must_be_as_many() -> None:
    packed = pack_rows(0, np.array([1, 2]))
    keys, numbers = unpack_keys([(np.array([5, 6], "<u8").tobytes(), packed)])
    assert (keys.tolist(), numbers.tolist()) == ([5, 6], [1, 2])
    with pytest.raises(ValueError, match="24 bytes of keys for 2 rows"):
        unpack_keys([(b"x" * 24, packed)])
    assert [len(part) for part in unpack_keys([])] == [0, 0]

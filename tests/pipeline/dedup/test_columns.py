import numpy as np
import pyarrow as pa
import pytest

from pipeline.dedup.columns import fixed_width, to_binary

ROWS = [b"abcdefgh", b"ijklmnop", b"qrstuvwx", b"12345678"]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(8)])
def test_binary_values_are_seen_as_numbers_wherever_the_array_begins(kind: pa.DataType) -> None:
    array = pa.array([b"xxxxxxxx", *ROWS], kind)[1:]
    assert (
        fixed_width(array, 8, np.uint16).tolist()
        == np.frombuffer(b"".join(ROWS), "<u2").reshape(4, 4).tolist()
    )
    assert fixed_width(array[:0], 8, np.uint16).shape == (0, 4)


@pytest.mark.parametrize(
    "array", [pa.array([b"12", b"123456"]), pa.array([b"1234", None]), pa.array([b"12345"], pa.binary(5))]
)
def test_other_widths_and_nulls_are_refused(array: pa.Array) -> None:
    with pytest.raises(ValueError, match="expected"):
        fixed_width(array, 4, np.uint32)


def test_numbers_become_binary_values_and_back() -> None:
    values = np.arange(12, dtype=np.uint32).reshape(4, 3)
    assert fixed_width(to_binary(values), 12, np.uint32).tolist() == values.tolist()
    masked = to_binary(values, np.array([False, True, False, True]))
    assert masked.to_pylist() == [values[0].tobytes(), None, values[2].tobytes(), None]
    masked.validate(full=True)

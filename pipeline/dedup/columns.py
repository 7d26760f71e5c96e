"""Between Arrow's binary columns and arrays of numbers, without a Python object for each value."""

from typing import Any

import numpy as np
import pyarrow as pa


def fixed_width(array: pa.Array, width: int, dtype: Any) -> Any:
    """View n binary values of `width` bytes as an (n, width / itemsize) array of little-endian numbers.

    Args:
        array: `binary`, `large_binary` or `fixed_size_binary`, without nulls.
        width: bytes of each value.
        dtype: of the numbers.

    Raises:
        ValueError: a value is null or of another length.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    columns = width // kind.itemsize
    if array.null_count:
        raise ValueError("expected binary values without nulls")
    size = len(array)
    if size == 0:
        return np.zeros((0, columns), dtype)
    if pa.types.is_fixed_size_binary(array.type):
        if array.type.byte_width != width:
            raise ValueError(f"expected values of {width} bytes, found {array.type.byte_width}")
        data, begin = array.buffers()[1], array.offset * width
    else:
        wide = pa.types.is_large_binary(array.type)
        offset_kind = np.dtype("<i8" if wide else "<i4")
        _, offsets, data = array.buffers()
        borders = np.frombuffer(offsets, offset_kind, size + 1, array.offset * offset_kind.itemsize)
        if int(borders[-1]) - int(borders[0]) != size * width or (np.diff(borders) != width).any():
            raise ValueError(f"expected values of {width} bytes, found other lengths")
        begin = int(borders[0])
    values = np.frombuffer(data, kind, size * columns, begin).reshape(size, columns)
    return values.astype(dtype, copy=False)


def to_binary(values: Any, mask: Any = None) -> pa.Array:
    """Turn (n, k) numbers into n values of `large_binary`, little-endian; null where the (n,) `mask` is true."""
    data = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    width = data.shape[1] * data.itemsize
    if mask is None:
        offsets = np.arange(len(data) + 1, dtype=np.int64) * width
    else:
        data = data[~mask]
        offsets = np.concatenate([[0], np.cumsum(np.where(mask, 0, width))]).astype(np.int64)
    valid = None if mask is None else pa.array(~mask).buffers()[1]
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def one_array(column: Any, kind: pa.DataType | None = None) -> pa.Array:
    """Put a column's chunks together, cast to `kind` where given."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column if kind is None or column.type == kind else column.cast(kind)

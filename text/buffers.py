"""Arrow string arrays as one run of bytes with the borders of each text."""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class TextBuffer(NamedTuple):
    """n texts in UTF-8: text i is `data[starts[i]:ends[i]]`; a null is an empty text.

    Offsets rise from text to text, but texts need not touch: what lies between them belongs to none.
    """

    data: Bytes  # read-only view of Arrow's memory
    starts: Offsets  # (n,)
    ends: Offsets  # (n,)

    @property
    def rows(self) -> int:
        """Number of texts."""
        return len(self.starts)

    @property
    def sizes(self) -> Offsets:
        """Bytes of each text: (n,)."""
        return self.ends - self.starts

    def part(self, first: int, stop: int) -> Self:
        """Texts first to stop - 1 of the same buffer; nothing is copied."""
        return self._replace(starts=self.starts[first:stop], ends=self.ends[first:stop])


def text_buffer(texts: pa.Array | pa.ChunkedArray) -> TextBuffer:
    """View an array of strings as bytes.

    Nothing is copied for `string` and `large_string` arrays of one chunk, at any offset; several chunks,
    dictionaries and string views are put together first.

    Raises:
        TypeError: the array does not hold strings (bytes need not be UTF-8, so `binary` is refused).
    """
    array = _one_array(texts)
    wide = pa.types.is_large_string(array.type)
    size = len(array)
    _, offsets, data = array.buffers()
    if size == 0 or offsets is None:
        empty = np.zeros(size, np.int64)
        return TextBuffer(np.zeros(0, np.uint8), empty, empty)
    kind = np.dtype("<i8") if wide else np.dtype("<i4")
    borders = np.frombuffer(offsets, kind, count=size + 1, offset=array.offset * kind.itemsize)
    starts: Offsets = borders[:-1].astype(np.int64)
    ends: Offsets = borders[1:].astype(np.int64)
    if array.null_count:  # Arrow allows a null to own bytes
        ends = np.where(np.asarray(array.is_valid()), ends, starts)
    return TextBuffer(np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8), starts, ends)


def _one_array(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    kind = texts.type
    if pa.types.is_null(kind):
        return pa.nulls(len(texts), pa.string())
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value)):
        raise TypeError(f"expected an array of strings, got {kind}")
    if value is not kind or pa.types.is_string_view(kind):
        texts = texts.cast(pa.large_string())
    if isinstance(texts, pa.ChunkedArray):
        if texts.num_chunks == 1:
            return texts.chunk(0)
        # Wide offsets first: chunks of `string` may hold more than 2 GiB together.
        return pa.concat_arrays(
            [chunk.cast(pa.large_string()) for chunk in texts.chunks] or [pa.array([], pa.string())]
        )
    return texts

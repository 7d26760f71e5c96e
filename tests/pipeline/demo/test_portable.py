"""Every coding is undone by a library that had no part in making it, and leaves that library no choice."""

import gzip
import zlib
from io import BytesIO

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.bufferedreaders import ChunkedDataReader

from pipeline.demo.portable import BLOCK_BYTES, brotli_stored, chunked, gzip_member, zlib_stream

payloads = st.one_of(
    st.binary(max_size=300), st.text(min_size=1, max_size=40).map(lambda text: (text * 300).encode())
)


@given(payloads)
@settings(max_examples=40, deadline=None)
def test_each_coding_is_undone_by_a_foreign_library(data: bytes) -> None:
    assert gzip.decompress(gzip_member(data)) == data
    assert zlib.decompress(zlib_stream(data)) == data
    assert (
        ChunkedDataReader(BytesIO(chunked(data, chunk_bytes=7)), raise_exceptions=True).read(1 << 20) == data
    )
    if 0 < len(data) <= 1 << 16:
        assert brotli.decompress(brotli_stored(data)) == data


@pytest.mark.parametrize("size", [1, 16, 17, 1 << 16])
def test_brotli_states_any_length_that_fits(size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    assert brotli.decompress(brotli_stored(data)) == data


@pytest.mark.parametrize("size", [0, (1 << 16) + 1])
def test_brotli_refuses_what_one_block_cannot_hold(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 65,536 bytes"):
        brotli_stored(bytes(size))


def test_a_member_names_neither_time_nor_system() -> None:
    assert gzip_member(b"x")[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_repetition_is_not_compressed_away() -> None:
    # A library that searched for matches would need less than a byte per repetition; which matches it finds is
    # its own affair and would differ elsewhere. Huffman coding alone spends at least one bit on each byte.
    data = b"a" * (4 * BLOCK_BYTES)
    assert len(gzip_member(data)) > len(data) / 8

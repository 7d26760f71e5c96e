import gzip
import random
import zlib
from functools import partial

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.http_body import Body, dechunk, decode_body

PAGE = b"<!doctype html><html><p>" + b"caf\xc3\xa9, th\xe9 and sugar. " * 400 + b"</html>"
LIMIT = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return squeeze.compress(data) + squeeze.flush()


def chunked(data: bytes, size: int = 1000, extension: bytes = b"") -> bytes:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n\r\n"


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("coding", PACK)
def test_each_coding_is_undone(coding):
    assert decode_body(PACK[coding](PAGE), None, coding, LIMIT) == Body(PAGE)


def test_deflate_without_its_wrapper_is_undone():
    assert decode_body(raw_deflate(PAGE), None, "deflate", LIMIT) == Body(PAGE)


@pytest.mark.parametrize(
    "coding", ["", "identity", "none", "utf-8", "foo", "gzip", "deflate", "br", "zstd", "br, gzip"]
)
def test_a_coding_that_lies_leaves_the_body(coding):
    assert decode_body(PAGE, None, coding, LIMIT) == Body(PAGE)


def test_codings_are_undone_from_the_last_to_the_first():
    packed = gzip.compress(brotli.compress(gzip.compress(PAGE)))
    assert decode_body(packed, None, "gzip, br,gzip", LIMIT) == Body(PAGE)


def test_another_coding_than_declared_is_recognised():
    assert decode_body(gzip.compress(PAGE), None, "br", LIMIT) == Body(PAGE)


def test_more_layers_than_any_server_stacks_are_refused():
    assert decode_body(PAGE, None, ", ".join(["gzip"] * 5), LIMIT).error == "bad_content_encoding"


def test_what_is_neither_coded_nor_text_fails():
    assert decode_body(bytes(range(256)) * 4, None, "br", LIMIT).error == "bad_content_encoding"


def test_gzip_members_follow_each_other():
    assert decode_body(gzip.compress(PAGE) + gzip.compress(PAGE), None, "gzip", LIMIT) == Body(PAGE * 2)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_cut_body_gives_its_beginning_marked(coding):
    noisy = PAGE + random.Random(5).randbytes(400_000)
    packed = PACK[coding](noisy)
    body = decode_body(packed[: len(packed) // 2], None, coding, LIMIT)
    assert body.truncated in {"cut_encoding", "bad_encoding"}
    assert noisy.startswith(body.data)
    assert len(body.data) > 100


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_stops_at_the_limit(coding):
    pack = PACK[coding] if coding != "br" else partial(brotli.compress, quality=5)  # 11 takes seconds
    bomb = pack(bytes(LIMIT * 64))
    assert decode_body(bomb, None, coding, LIMIT) == Body(error="too_large")
    assert decode_body(pack(bomb), None, f"{coding}, {coding}", LIMIT) == Body(error="too_large")


def test_the_limit_itself_is_allowed():
    exact = b"x" * LIMIT
    for coding in ("gzip", "deflate", "br", "zstd"):
        assert decode_body(PACK[coding](exact), None, coding, LIMIT) == Body(exact)
        assert decode_body(PACK[coding](exact + b"x"), None, coding, LIMIT).error == "too_large"


@pytest.mark.parametrize("extension", [b"", b";name=value", b"  ", b'; q="\xff"'])
def test_chunks_are_joined(extension):
    assert decode_body(chunked(PAGE, extension=extension), "chunked", None, LIMIT) == Body(PAGE)


def test_chunks_go_before_content_codings():
    assert decode_body(chunked(gzip.compress(PAGE)), "Chunked", "gzip", LIMIT) == Body(PAGE)
    assert decode_body(chunked(gzip.compress(PAGE)), "gzip, chunked", None, LIMIT) == Body(PAGE)


@pytest.mark.parametrize("body", [PAGE, b"", b"beef\r\nis what this page is about", b"12", b"fffffffff\r\nx"])
def test_a_plain_body_said_to_be_chunked_is_left(body):
    decoded = dechunk(body)
    assert decoded.data == body or decoded.truncated == "cut_chunks"
    if body in {PAGE, b""}:
        assert decoded == Body(body)


@pytest.mark.parametrize("keep", [1005, 1500, 3000])
def test_cut_chunks_are_marked(keep):
    body = dechunk(chunked(PAGE)[:keep])
    assert body.truncated == "cut_chunks"
    assert PAGE.startswith(body.data)
    assert len(body.data) >= keep * 0.9


def test_bad_chunks_are_marked():
    whole = chunked(PAGE)
    body = dechunk(whole[:1007] + b"junk" + whole[1011:])
    assert body == Body(PAGE[:1000], "bad_chunks")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["gzip", "deflate", "br", "zstd", "foo"]), st.booleans())
def test_any_body_ends_within_the_limit(raw, coding, chunks):
    body = decode_body(raw, "chunked" if chunks else None, coding, 2000)
    assert len(body.data) <= 2000
    assert body.error in {None, "too_large", "bad_content_encoding"}

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.limits import Limits, find_excess
from pipeline.extract.nesting import Nesting, measure
from tests.pipeline.extract.pages import ENDLESS_DEPTH, nested, small_crawl

UNKNOWN = Nesting(0, 0, 0, 0, 0)


def exact(page: bytes) -> Nesting:
    octets = np.frombuffer(page, dtype=np.uint8)
    return measure(page, octets, np.flatnonzero(octets == ord("<")), enough=UNKNOWN)


@pytest.mark.parametrize(
    ("page", "rule"),
    [
        (b"x" * (4 << 20), None),
        (b"x" * ((4 << 20) + 1), "too_large"),
        (b"<div>" * 2000 + b"</div>" * 2000, None),
        (b"<div>" * 2001 + b"</div>" * 2001, "too_deep"),
        (nested(ENDLESS_DEPTH).body, "too_deep"),
        (b"<DIV class='a'>" * ENDLESS_DEPTH, "too_deep"),
        (b"<div/>" * ENDLESS_DEPTH, "too_deep"),
        (b"<b>" * ENDLESS_DEPTH, "too_deep"),
        (b"<p><font size=1>text</p>" * 20_000, "too_deep"),
        (b"<table>" * 200_000, "too_deep"),
        (b"<table><tr><td>" * 60_000, "too_deep"),
        (b"<ul><li>" * 60_000, "too_deep"),
        (b"</div>" * 60_000 + b"<div>" * 60_000, "too_deep"),
        (b"<div></b>" * 60_000, "too_deep"),  # end tags of what is not open
        (b"<span><div></span></div>" * 50_000, "too_deep"),  # </span> is ignored within the <div>
        (b"<div><!--</div>-->" * 50_000, "too_deep"),
        (b"<div title='</div'>" * 50_000, "too_deep"),
        (b"<div><script></div></script>" * 50_000, "too_deep"),
        (b"<div>" * 1900 + b"word " * 100_000, "too_deep"),  # each byte costs time for each level around it
        (b"<div>" * 1000 + b"<p>x</p>" * 50_000, "too_deep"),
        (b"<br>" * 250_001, "too_many_tags"),
        (b"<" * 250_001, "too_many_tags"),
        (b"<select>" + b"<option>a" * 15_001, "too_many_tags"),
        (b"<body a=b>" * 5001, "too_many_tags"),
        (b"<p " + b"a=1 " * 4001 + b">", "too_many_attributes"),
        (b"<p " + b"a='<' " * 1000 + b">", None),
        (b'<img src="data:' + b"a b=c " * 100_000 + b'">', None),
        (b"<p " + b"a " * 300_000, "too_many_attributes"),
        (b"<p>text" * 100_000, None),  # a <p> ends the one before
        (b"<ul>" + b"<li>text" * 100_000, None),
        (b"<dl>" + b"<dt>a<dd>b" * 50_000, None),
        (b"<table>" + b"<tr><td>a<td>b" * 40_000, None),
        (b"<p>line<br>" * 50_000, None),
        (b"<div><span>text</div>" * 20_000, None),  # </div> ends the <span>
        (b"<script>" + b"'<div>' + " * 50_000 + b"</script>", None),
        (b"<!--" + b"<div>" * 50_000 + b"-->", None),
        (b"a < b and <3 " * 50_000, None),
        (b"", None),
        (b"<", None),
        (b"<!--", None),
        (b"<script", None),
    ],
    ids=lambda value: str(value[:28]) if isinstance(value, bytes) else None,
)
def test_pages_that_would_keep_a_parser_busy_are_named(page: bytes, rule: str | None) -> None:
    excess = find_excess(page, Limits())
    assert (excess[0] if excess else None) == rule


def test_the_detail_says_by_how_much() -> None:
    assert find_excess(b"<div>" * 3000, Limits()) == ("too_deep", "depth 3000 > 2000")
    assert find_excess(b"xxxxx", Limits(max_bytes=4)) == ("too_large", "5 bytes > 4")


@given(
    st.recursive(
        st.just(b"x"), lambda inner: st.lists(inner, max_size=4).map(lambda parts: wrap(b"".join(parts)))
    )
)
@settings(max_examples=100, deadline=None)
def test_well_formed_pages_are_measured_exactly(page: bytes) -> None:
    depth = deepest = levels = 0
    for token in page.replace(b"<", b"\n<").split(b"\n")[1:]:
        depth += -1 if token.startswith(b"</") else 1
        deepest = max(deepest, depth)
        levels += depth * (len(token))
    found = exact(page)
    assert (found.depth, found.byte_levels) == (deepest, levels)


def wrap(inner: bytes) -> bytes:
    return b"<div>" + inner + b"</div>"


@given(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"<b>", b"</b>", b"<div ", b"<!--", b"'", b">", b"</"])),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_can_be_counted(noise: bytes, pieces: list[bytes]) -> None:
    page = noise.join(pieces)
    found = exact(page)
    assert 0 <= found.depth <= 4 * page.count(b"<")


def test_no_real_page_comes_near() -> None:
    closest = [exact(page.body) for page in small_crawl()]
    assert max(found.depth for found in closest) < 200
    assert all(find_excess(page.body, Limits()) is None for page in small_crawl())

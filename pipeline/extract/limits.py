"""What is too large, too deep or too intricate for a parser: decided by counting, before the call.

The verdict is a function of the page's bytes alone, so a page meets the same fate on any machine under any load.
CPU time is spent on the few pages that could exceed a limit: a page with few tags is let through after counting
`<`, and the others are reduced by vectorised matching of tags (see `pipeline.extract.nesting`).

The figures were measured with resiliparse 2.0.1. Its main-content pass costs up to 13 ns for every byte of the
page and every element around that byte, so a page of 50 kB can take seconds without being deep by itself; the
parser is quadratic in the attributes of one tag (0.5 s for 16,000), in the options of one list (0.65 s for
10,000) and in repeated `<body>` tags (1 s for 20,000), and cubic in unclosed formatting tags (1.3 s for 1,000).
"""

import re
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from pipeline.extract.nesting import FORMATTING, Ints, Nesting, Octets, measure

_LONG_TAG_BYTES = (
    1000  # shorter ones hold at most 500 attributes (`a ` repeated), which cost half a millisecond
)
_TAG = re.compile(rb"""<[a-zA-Z](?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|))*+""")
_QUOTED_VALUE = re.compile(rb"""=\s*+(?:"[^"]*+"?|'[^']*+'?)""")
_BETWEEN_ATTRIBUTES = re.compile(rb"[\s/]++(?=[^\s/=])")


def _may_format() -> NDArray[np.bool_]:
    """(256, 256) by the first letter, in lower case, and the second octet of a name: could it be <b>, <font>, ..."""
    table = np.zeros((256, 256), dtype=np.bool_)
    for name in FORMATTING.split():
        if len(name) == 1:
            table[ord(name), [octet for octet in range(256) if not chr(octet).isalnum()]] = True
        else:
            table[ord(name[0]), [ord(name[1]), ord(name[1].upper())]] = True
    return table


_MAY_FORMAT = _may_format()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on one page, all inclusive: a page at the limit passes.

    The deepest of 3,542 real pages has 1,495 levels and 10,154 tags (99.9 %: 463 levels, 8,179 tags).
    """

    max_bytes: int = 4 << 20  # of the decoded payload
    max_depth: int = 2000  # open elements
    max_tags: int = 250_000  # `<` in the page
    max_attributes: int = 4000  # in one tag; of several long tags the root of the sum of squares
    max_unclosed_formatting: int = (
        1000  # <b>, <font>, ...: the parser opens them again in every block that follows
    )
    max_options: int = 15_000  # <option> tags
    max_body_tags: int = 5000  # <body> and <html> tags
    max_byte_levels: int = 100_000_000  # sum over the bytes of the page of the number of elements around each


def find_excess(body: bytes, limits: Limits) -> tuple[str, str] | None:
    """Say which limit a page exceeds, as (rule, detail), or None.

    Args:
        body: the page in an encoding in which the byte `<` is always that character (any but UTF-16 and
            ISO-2022-JP: give those as UTF-8).
        limits: the limits.

    Returns:
        The rule is `too_large`, `too_many_tags`, `too_many_attributes` or `too_deep`; the detail says by how much.
    """
    if len(body) > limits.max_bytes:
        return "too_large", f"{len(body)} bytes > {limits.max_bytes}"
    octets = np.frombuffer(body, dtype=np.uint8)
    starts = np.flatnonzero(octets == ord("<"))
    if len(starts) > limits.max_tags:
        return "too_many_tags", f"{len(starts)} tags > {limits.max_tags}"
    return _excess_of_attributes(body, starts, limits) or _excess_of_nesting(body, octets, starts, limits)


def _excess_of_attributes(body: bytes, starts: Ints, limits: Limits) -> tuple[str, str] | None:
    squares = 0
    far = np.flatnonzero(starts[1:] - starts[:-1] > _LONG_TAG_BYTES)
    for start in [*starts[far].tolist(), *starts[-1:].tolist()]:
        tag = _TAG.match(body, start)
        if tag is not None and tag.end() - start > _LONG_TAG_BYTES:
            squares += len(_BETWEEN_ATTRIBUTES.findall(_QUOTED_VALUE.sub(b"= ", tag.group()))) ** 2
    attributes = isqrt(squares)
    if attributes > limits.max_attributes:
        return "too_many_attributes", f"{attributes} attributes in one tag > {limits.max_attributes}"
    return None


def _excess_of_nesting(body: bytes, octets: Octets, starts: Ints, limits: Limits) -> tuple[str, str] | None:
    # As if no element were ever closed; a table brings along a <tbody> that no tag opens.
    padded = np.append(octets, np.zeros(2, dtype=np.uint8))
    first = padded[starts + 1] | 0x20
    is_open = (first - np.uint8(ord("a"))) < 26
    opens, first = starts[is_open], first[is_open]
    count, levels = len(opens) * 4 // 3, (len(opens) * len(body) - int(opens.sum())) * 4 // 3
    formatting = np.count_nonzero(_MAY_FORMAT[first, padded[opens + 2]])
    if (
        count <= min(limits.max_depth, limits.max_options, limits.max_body_tags)
        and formatting <= limits.max_unclosed_formatting
        and levels <= limits.max_byte_levels
    ):
        return None
    nesting = measure(
        body,
        octets,
        starts,
        enough=Nesting(
            depth=limits.max_depth,
            unclosed_formatting=limits.max_unclosed_formatting,
            byte_levels=limits.max_byte_levels,
            options=limits.max_options,
            body_tags=limits.max_body_tags,
        ),
    )
    if nesting.options > limits.max_options:
        return "too_many_tags", f"{nesting.options} options > {limits.max_options}"
    if nesting.body_tags > limits.max_body_tags:
        return "too_many_tags", f"{nesting.body_tags} body tags > {limits.max_body_tags}"
    if nesting.depth > limits.max_depth:
        return "too_deep", f"depth {nesting.depth} > {limits.max_depth}"
    if nesting.unclosed_formatting > limits.max_unclosed_formatting:
        detail = f"{nesting.unclosed_formatting} unclosed formatting tags > {limits.max_unclosed_formatting}"
        return "too_deep", detail
    if nesting.byte_levels > limits.max_byte_levels:
        return "too_deep", f"{nesting.byte_levels} byte levels > {limits.max_byte_levels}"
    return None

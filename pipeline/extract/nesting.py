"""How deep the elements of a page lie inside each other, without parsing it.

First pass, vectorised: tags that stand next to each other and match (`<i></i>`) are taken out, and again, and
again, until what is left is within the limits or nothing matches. Each round takes one level off, so rounds plus
what is left bounds the depth from above, whatever the order of the tags. Second pass, only for pages that the
first cannot clear: a stack over the tags that are left, with the closing rules of HTML that matter for depth.

Left out on purpose: a `>` inside a quoted attribute ends the tag here. A page can hide nesting behind that; it
then meets the CPU limit of the worker.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Octets = NDArray[np.uint8]

_NAME_BYTES = 8  # names are told apart by their first eight bytes

# Elements that hold nothing, and those whose end tag may be left out: these lie inside each other only through
# elements that are counted, whose weight includes them.
_IGNORED = (
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
    " path rect circle line polygon polyline ellipse stop use"
    " html head body p li dt dd option optgroup tr td th tbody thead tfoot colgroup caption rb rt rtc rp"
)
_WEIGHTS = {"table": 4, "ul": 2, "ol": 2, "dl": 2, "menu": 2, "dir": 2}
# An <a> or <nobr> ends the one before it; the others pile up.
FORMATTING = "b big code em font i s small strike strong tt u"
# HTML's "special" category (less what is ignored above): an end tag of another element does not close these.
_SPECIAL = (
    "address applet article aside blockquote button center details dir div dl fieldset figcaption figure footer"
    " form frameset h1 h2 h3 h4 h5 h6 header hgroup iframe listing main marquee menu nav noembed noframes"
    " noscript object ol plaintext pre script search section select style summary table template textarea title"
    " ul xmp"
)


def _key(name: str) -> int:
    return int.from_bytes(name.encode()[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"), "little")


_TABLE, _OPTION, _BODY, _HTML = (_key(name) for name in ("table", "option", "body", "html"))
_IS_FORMATTING, _IS_SPECIAL = frozenset(map(_key, FORMATTING.split())), frozenset(map(_key, _SPECIAL.split()))
_KNOWN = np.array(
    sorted({*map(_key, _IGNORED.split()), *map(_key, _WEIGHTS), *_IS_FORMATTING, *_IS_SPECIAL}),
    dtype=np.uint64,
)
# Levels that an element of (n_known,) adds.
_LEVELS = np.ones(len(_KNOWN), dtype=np.int64)
_LEVELS[np.isin(_KNOWN, [_key(name) for name in _IGNORED.split()])] = 0
for _name, _levels in _WEIGHTS.items():
    _LEVELS[_key(_name) == _KNOWN] = _levels
_KNOWN_FORMATTING = np.isin(_KNOWN, list(_IS_FORMATTING))
_RAW = "script style textarea title xmp iframe noembed noframes"  # their content is no markup
_KNOWN_RAW = np.isin(_KNOWN, [_key(name) for name in _RAW.split()])
_COMMENT = int.from_bytes(b"!--", "little")

# A round over many tags that takes out few of them is dearer than the walk.
_WORTHWHILE, _FEW_TAGS = 0.05, 2000


@dataclass(frozen=True, slots=True)
class Nesting:
    """Upper bounds on what a parser would meet; a figure at or below `enough` need not be tight."""

    depth: int  # elements open at once
    unclosed_formatting: int  # <b>, <font>, ... without an end tag
    byte_levels: int  # sum over bytes of the number of elements around each
    options: int
    body_tags: int


@dataclass(slots=True)
class _Tags:
    """(n_tags,) each: where a tag stands, its name's key, what it is, how many levels it adds."""

    at: Ints
    key: NDArray[np.uint64]
    opens: NDArray[np.bool_]
    levels: Ints
    formatting: NDArray[np.bool_]

    def take(self, chosen: NDArray[Any]) -> "_Tags":
        return _Tags(
            self.at[chosen],
            self.key[chosen],
            self.opens[chosen],
            self.levels[chosen],
            self.formatting[chosen],
        )


def measure(body: bytes, octets: Octets, starts: Ints, *, enough: Nesting) -> Nesting:
    """Bound the nesting of a page from above.

    Args:
        body: the page.
        octets: (n_bytes,) the same bytes.
        starts: (n,) int64, ascending: where `<` stands.
        enough: stop as soon as it is known that no figure exceeds these.
    """
    tags = _tags(body, octets, starts)
    options = int(np.count_nonzero(tags.opens & (tags.key == _OPTION)))
    body_tags = int(np.count_nonzero(tags.opens & ((tags.key == _BODY) | (tags.key == _HTML))))
    tags = tags.take(tags.levels > 0)
    taken_depth, taken_levels = 0, 0
    while True:
        depth = taken_depth + int(tags.levels[tags.opens].sum())
        formatting = int(np.count_nonzero(tags.opens & tags.formatting))
        byte_levels = taken_levels + int((tags.levels * (len(body) - tags.at))[tags.opens].sum())
        if (
            depth <= enough.depth
            and formatting <= enough.unclosed_formatting
            and byte_levels <= enough.byte_levels
        ):
            return Nesting(depth, formatting, byte_levels, options, body_tags)
        pairs = np.flatnonzero(tags.opens[:-1] & ~tags.opens[1:] & (tags.key[:-1] == tags.key[1:]))
        if len(pairs) == 0 or (len(pairs) < _WORTHWHILE * len(tags.at) and len(tags.at) > _FEW_TAGS):
            break
        taken_depth += int(tags.levels[pairs].max())
        taken_levels += int((tags.levels[pairs] * (tags.at[pairs + 1] - tags.at[pairs])).sum())
        stays = np.ones(len(tags.at), dtype=np.bool_)
        stays[pairs] = stays[pairs + 1] = False
        tags = tags.take(stays)
    return _walk(tags, len(body), Nesting(taken_depth, 0, taken_levels, options, body_tags))


def _tags(body: bytes, octets: Octets, starts: Ints) -> _Tags:
    """Find tags outside comments, scripts and other tags; names in lower case, by their first bytes."""
    padded = np.concatenate([octets, np.zeros(_NAME_BYTES + 2, dtype=np.uint8)])
    closes = padded[starts + 1] == ord("/")
    letters: Octets = np.lib.stride_tricks.sliding_window_view(padded, _NAME_BYTES)[starts + 1 + closes]
    comment = letters[:, :4].copy().view("<u4").reshape(-1) & 0xFFFFFF == _COMMENT
    is_tag = ((letters[:, 0] | 0x20) - np.uint8(ord("a"))) < 26
    letters |= ((letters - np.uint8(ord("A"))) < 26).view(np.uint8) << 5
    in_name = (letters > 0x20) & (letters != ord("/")) & (letters != ord(">"))  # the rest ends a name in HTML
    np.logical_and.accumulate(in_name, axis=1, out=in_name)
    letters *= in_name
    key = letters.view("<u8").reshape(-1)
    # A `<` before the `>` of the tag that it follows belongs to that tag.
    ends_before = np.searchsorted(np.flatnonzero(octets == ord(">")), starts)
    is_tag[1:] &= (ends_before[1:] > ends_before[:-1]) | ~is_tag[:-1]
    place = np.minimum(np.searchsorted(_KNOWN, key), len(_KNOWN) - 1)
    known = _KNOWN[place] == key
    raw = is_tag & known & _KNOWN_RAW[place]
    spans = _opaque_spans(
        body, starts, np.where(comment & ~closes, 0, key), raw | (comment & ~closes), closes
    )
    if len(spans):
        span = np.searchsorted(spans[:, 0], starts, side="right") - 1
        is_tag &= (span < 0) | (starts >= spans[span, 1])
    found = _Tags(starts, key, ~closes, np.where(known, _LEVELS[place], 1), known & _KNOWN_FORMATTING[place])
    return found.take(is_tag)


def _opaque_spans(
    body: bytes, starts: Ints, key: NDArray[np.uint64], bounds: NDArray[np.bool_], closes: NDArray[np.bool_]
) -> Ints:
    """(n, 2) start and end of what is no markup, ascending and disjoint: comments (key 0), content of scripts."""
    chosen = np.flatnonzero(bounds)
    rows = list(zip(starts[chosen].tolist(), key[chosen].tolist(), closes[chosen].tolist(), strict=True))
    ends: dict[int, list[int]] = {}
    for start, name, is_end in rows:
        if is_end:
            ends.setdefault(name, []).append(start)
    spans: list[tuple[int, int]] = []
    after = 0
    for start, name, is_end in rows:
        if is_end or start < after:
            continue
        if name:
            candidates = ends.get(name, [])
            place = bisect_left(candidates, start)
            after = candidates[place] if place < len(candidates) else len(body)
        else:
            end = body.find(b"-->", start + 2)  # `<!-->` is a whole comment
            after = len(body) if end < 0 else end + 3
        spans.append((start + 1, after))
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def _walk(tags: _Tags, size: int, taken: Nesting) -> Nesting:
    """Follow the tags that are left with a stack; linear, as each tag is pushed and popped once.

    An end tag closes what lies inside its element; it is ignored if its element is not open, or, when it is not
    of the special category, if a special element lies in between; a table's content ends with the table.
    Formatting elements stay open until their own end tag, as the parser opens them again in the next block.
    """
    stack: list[tuple[int, int]] = []  # key, levels
    places: dict[int, list[int]] = {}  # key -> indices in the stack
    specials: list[int] = []  # indices in the stack
    open_formatting: dict[int, int] = {}
    unclosed = depth = before = 0
    unclosed_max = depth_max = 0
    byte_levels = taken.byte_levels
    rows = zip(tags.at.tolist(), tags.key.tolist(), tags.opens.tolist(), tags.levels.tolist(), strict=True)
    for at, key, opens, levels in rows:
        byte_levels += (depth + unclosed) * (at - before)
        before = at
        if key in _IS_FORMATTING:
            if opens or open_formatting.get(key):
                step = 1 if opens else -1
                open_formatting[key] = open_formatting.get(key, 0) + step
                unclosed += step
        elif opens:
            places.setdefault(key, []).append(len(stack))
            if key in _IS_SPECIAL:
                specials.append(len(stack))
            stack.append((key, levels))
            depth += levels
        elif places.get(key):
            barriers = places.get(_TABLE) if key in _IS_SPECIAL else specials
            if places[key][-1] >= (barriers[-1] if barriers else 0):
                while len(stack) > places[key][-1]:
                    closed, closed_levels = stack.pop()
                    depth -= closed_levels
                    if closed in _IS_SPECIAL:
                        specials.pop()
                    if closed == key:
                        break
                    places[closed].pop()
                places[key].pop()
        depth_max, unclosed_max = max(depth_max, depth + unclosed), max(unclosed_max, unclosed)
    byte_levels += (depth + unclosed) * (size - before)
    return Nesting(taken.depth + depth_max, unclosed_max, byte_levels, taken.options, taken.body_tags)

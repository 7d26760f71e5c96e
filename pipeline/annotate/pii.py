"""Personal data in text: e-mail addresses, public IP addresses and, if wanted, phone numbers, replaced by fixed words.

Every search is anchored at a character that such data must hold (`@`, `.`, `:`, `+`, `(`), looks at a bounded stretch
around it and never backtracks over more: time is linear in the text, whatever it holds. Replacements are fixed, so
that the result does not depend on order. Addresses that name no person or machine in public stay: private, loopback,
documentation and other special ranges (IANA's registries, as Python's `ipaddress` has them).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError

EMAIL = "email@example.com"  # RFC 2606 reserves the domain
IPV4 = "192.0.2.1"  # RFC 5737: for documentation
IPV6 = "2001:db8::1"  # RFC 3849
PHONE = "+1 202-555-0100"  # 555-0100 to 555-0199 are set aside for fiction

# RFC 5321 allows 64 characters before the @ and 255 after it. Of the signs that it allows, those are left out that
# join an address to something else, as in `?mail=name@example.com`.
_LOCAL = re.compile(r"[A-Za-z0-9._%+'~-]{1,64}\Z", re.ASCII)
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}(?:xn--[A-Za-z0-9-]{1,59}|[A-Za-z]{2,24})(?![A-Za-z0-9])",
    re.ASCII,
)
_IPV4 = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9]|\.[0-9])", re.ASCII)
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{1,36}(?![0-9A-Za-z:])", re.ASCII
)  # 2000::/3
# International numbers, and the grouped ten digits of North America. Plain runs of digits are left alone: most are no
# phone numbers.
_PHONE = re.compile(
    r"(?<![0-9A-Za-z+])(?:\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{1,4}(?:[ .-]?[0-9]{2,4}){1,4}"
    r"|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-][0-9]{4}"
    r"|(?:1[ .-])?[2-9][0-9]{2}([ .-])[2-9][0-9]{2}\1[0-9]{4})(?![0-9A-Za-z])",
    re.ASCII,
)

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Kind:
    replacement: str
    hint: str  # an expression for RE2, found in every text that holds such data, and in few others
    find: Callable[[str], Iterator[Span]]


@dataclass(frozen=True, slots=True)
class Masked:
    """n texts without personal data, and how much each held."""

    texts: pa.Array  # (n,) of the type given; null stays null
    counts: pa.RecordBatch  # (n,) int32 columns named after the kinds; null where the text is null


def mask_pii(texts: pa.Array, *, kinds: tuple[str, ...] = ("email", "ip")) -> Masked:
    """Replace personal data in n texts.

    Args:
        texts: (n,) string or large_string.
        kinds: of `email`, `ip` (public IPv4 and IPv6) and `phone`; what overlaps belongs to the first found.

    Raises:
        UsageError: an unknown kind, or none.
    """
    if not kinds:
        raise UsageError(f"no kind of personal data asked for; known: {', '.join(_KINDS)}")
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(f"unknown kind of personal data `{kind}`; known: {', '.join(_KINDS)}")
    counts = {kind: [0] * len(texts) for kind in kinds}
    changed: dict[int, str] = {}
    for kind in kinds:
        parts = _KINDS[kind]
        candidates = pc.match_substring_regex(texts, "|".join(part.hint for part in parts))
        for row in pc.indices_nonzero(candidates.fill_null(False)).to_pylist():
            text = changed.get(row) or texts[row].as_py()
            for part in parts:
                text, found = _replace(text, part)
                counts[kind][row] += found
            if counts[kind][row]:
                changed[row] = text
    known = texts.is_valid()
    columns = {
        kind: pc.if_else(known, pa.array(values, pa.int32()), pa.scalar(None, pa.int32()))
        for kind, values in counts.items()
    }
    return Masked(_with(texts, changed), pa.record_batch(columns))


def _with(texts: pa.Array, changed: dict[int, str]) -> pa.Array:
    if not changed:
        return texts
    rows = sorted(changed)
    mask = pa.array([row in changed for row in range(len(texts))])
    return pc.replace_with_mask(texts, mask, pa.array([changed[row] for row in rows], texts.type))


def _replace(text: str, part: _Kind) -> tuple[str, int]:
    pieces = []
    at = found = 0
    for start, end in part.find(text):
        if start < at or text[start:end] == part.replacement:
            continue
        pieces += [text[at:start], part.replacement]
        at = end
        found += 1
    if not found:
        return text, 0
    return "".join([*pieces, text[at:]]), found


def _emails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1, at + 256)
        local = _LOCAL.search(text, max(at - 64, 0), at) if domain else None
        end = at + 1
        if local and domain:
            # A full stop that ends or begins the local part belongs to the sentence.
            start = local.start() + len(local[0]) - len(local[0].lstrip(".'"))
            if start < at and text[at - 1] != ".":
                end = domain.end()
                yield start, end
        at = text.find("@", end)


def _ipv4(text: str) -> Iterator[Span]:
    return (match.span() for match in _IPV4.finditer(text) if _public(match[0]))


def _ipv6(text: str) -> Iterator[Span]:
    return (match.span() for match in _IPV6.finditer(text) if _public(match[0]))


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        if 8 <= sum(char.isdigit() for char in match[0]) <= 15:  # E.164: at most 15
            yield match.span()


@lru_cache(maxsize=1 << 12)
def _public(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast


_KINDS = {
    "email": (_Kind(EMAIL, r"@[A-Za-z0-9-]+\.", _emails),),
    "ip": (
        _Kind(IPV4, r"[0-9]\.[0-9]+\.[0-9]+\.[0-9]", _ipv4),
        _Kind(IPV6, r"\b[23][0-9A-Fa-f]*:[0-9A-Fa-f]*:", _ipv6),
    ),
    "phone": (_Kind(PHONE, r"[0-9]{2}[ .-]?[0-9]{2}", _phones),),
}

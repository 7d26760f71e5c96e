"""One spelling for the addresses of one page.

Follows the safe and usually safe steps of RFC 3986, section 6.2, and drops what campaigns append. Addresses are
compared, never fetched: http and https, which nearly always show the same page, become http.
"""

import re
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

MAX_CHARS = 8192  # longer addresses are compared as they stand

# What advertising and mailing services add to links; says who came, not what is shown.
# fmt: off
TRACKING = frozenset((
    "_ga", "_gl", "_hsenc", "_hsmi", "dclid", "fbclid", "gbraid",
    "gclid", "gclsrc", "igshid", "mc_cid", "mc_eid", "mkt_tok", "msclkid",
    "oly_anon_id", "oly_enc_id", "twclid", "vero_id", "wbraid", "wickedid", "yclid",
))
# fmt: on
TRACKING_PREFIXES = ("utm_", "pk_", "mtm_")

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "-._~"
_PATH_SAFE = _UNRESERVED + "/!$&'()*+,;=:@"
_QUERY_SAFE = _PATH_SAFE + "?"
_INDEX = re.compile(r"/index\.html?$", re.IGNORECASE)
_ESCAPES = re.compile(r"((?:%[0-9A-Fa-f]{2})+)")
_INVISIBLE = re.compile(r"[\x00-\x20\x7f]+")


def canonical_url(url: str) -> str:
    """Spell an address in the one way that all spellings of it share.

    Lower-case scheme and host, https as http, punycode, no user, default port, dot segments, fragment, tracking
    parameters, `index.html`, trailing slash; parameters sorted; escapes in upper case and only where needed.
    What is no http address, or longer than `MAX_CHARS`, comes back unchanged but for surrounding blanks.
    """
    url = url.strip()
    if len(url) > MAX_CHARS:
        return url
    try:
        parts = urlsplit(_INVISIBLE.sub("", url))
        port = parts.port
    except ValueError:
        return url
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return url
    host = _host(parts)
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host += f":{port}"
    path = _INDEX.sub("/", _without_dots(_escape(parts.path, _PATH_SAFE))).rstrip("/")
    query = _query(parts.query)
    return f"http://{host}{path or '/'}{'?' if query else ''}{query}"


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        return f"[{host}]"
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:  # labels that no registry gives out; as spelt is as good
        return host


def _query(query: str) -> str:
    kept = []
    for pair in query.split("&"):
        name = unquote_to_bytes(pair.split("=", 1)[0]).decode("utf-8", "replace").lower()
        if pair and name not in TRACKING and not name.startswith(TRACKING_PREFIXES):
            kept.append(_escape(pair, _QUERY_SAFE))
    return "&".join(sorted(kept))


def _escape(text: str, safe: str) -> str:
    """Escape what must be, undo escapes of unreserved characters, and keep all others, whose meaning may differ."""
    pieces = _ESCAPES.split(text)
    pieces[::2] = [quote(piece, safe=safe) for piece in pieces[::2]]
    pieces[1::2] = [
        "".join(map(_unreserved, re.findall("..", piece.replace("%", "")))) for piece in pieces[1::2]
    ]
    return "".join(pieces)


def _unreserved(code: str) -> str:
    character = chr(int(code, 16))
    return (
        character
        if character.isascii() and (character.isalnum() or character in _UNRESERVED)
        else f"%{code.upper()}"
    )


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/".join(kept)

"""Which documents share an origin, so that training and held-out sets share none."""

import hashlib
import re
from urllib.parse import urlsplit

# Second-level labels under which countries register names (co.uk, com.au, ac.jp). A full public suffix list is
# not needed: a name that is taken too short only puts more documents on the same side of a split.
_SECOND_LEVEL = frozenset(
    [
        "ac",
        "asso",
        "co",
        "com",
        "edu",
        "gob",
        "gouv",
        "gov",
        "govt",
        "id",
        "mil",
        "ne",
        "net",
        "nom",
        "or",
        "org",
        "sch",
    ]
)
_ADDRESS = re.compile(r"[0-9.]+|\[.*\]|.*:.*")


def registered_domain(url: str) -> str | None:
    """Name the domain a URL's host was registered under, in lower case; None when it has no host.

    `https://News.BBC.co.uk:80/x` gives `bbc.co.uk`; an IP address gives itself.
    """
    try:
        host = (urlsplit(url if "//" in url else f"//{url}").hostname or "").rstrip(".")
    except ValueError:  # brackets that hold no address
        return None
    if not host or _ADDRESS.fullmatch(host):
        return host or None
    labels = host.split(".")
    keep = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-keep:])


def group_share(group: str, *, seed: int, purpose: str) -> float:
    """Place a group in [0, 1) by a hash keyed by seed and purpose; a split takes the groups below its share."""
    digest = hashlib.blake2b(
        group.encode(),
        digest_size=8,
        key=seed.to_bytes(8, "little") + purpose.encode(),
        person=b"crawlmix-group",
    ).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53

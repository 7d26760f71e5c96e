"""What a page says about its use: robots directives and TDM reservations, from headers and meta tags.

Sources: robots meta tag and X-Robots-Tag (Google's specification), `noai` and `noimageai` (DeviantArt, 2022),
`noml` (Mojeek), TDM Reservation Protocol (W3C community group report, 2024). Signals are recorded, not judged.
"""

import re
from collections.abc import Iterable

DIRECTIVES = frozenset(
    {
        *("noai", "noimageai", "noml", "nollm", "noindex", "nofollow", "noarchive", "nocache", "nosnippet"),
        *("noimageindex", "notranslate"),
    }
)
_NONE = ("nofollow", "noindex")  # what the directive `none` stands for
_SEPARATOR = re.compile(r"[\s,;]+")
_AGENT = re.compile(r"^\s*([\w.+-]+)\s*:\s*")  # `X-Robots-Tag: googlebot: noindex`
# Crawlers whose names do not end in `bot`; `robots` speaks to all.
OTHER_AGENTS = ("anthropic-ai", "claude-web", "cohere-ai", "google-extended", "slurp", "teoma")
_TDM = frozenset({"tdm-reservation", "tdm-policy"})
_MAX_VALUE_CHARS = 1000
_MAX_SIGNALS = 1000  # values looked at


def _is_agent(name: str) -> bool:
    """Is this the name of a crawler, or of all of them, as `<meta name>` states it?"""
    return name == "robots" or name in OTHER_AGENTS or name.endswith("bot")


def opt_out_signals(headers: Iterable[str], metas: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the signals of a page by name, sorted, each once.

    Args:
        headers: HTTP headers as `name: value`; others than X-Robots-Tag and TDM's are ignored.
        metas: name and content of the page's meta tags; others than those of crawlers and TDM are ignored.

    A directive counts whichever crawler it speaks to. `tdm-reservation` counts if its value is 1.
    """
    found: set[str] = set()
    for line in [*headers][:_MAX_SIGNALS]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        if name == "x-robots-tag":
            found.update(_directives(_AGENT.sub("", value[:_MAX_VALUE_CHARS])))
        elif name in _TDM:
            found.update(_tdm(name, value))
    for name, content in [*metas][:_MAX_SIGNALS]:
        agent = name.strip().lower()
        if _is_agent(agent):
            found.update(_directives(content[:_MAX_VALUE_CHARS]))
        elif agent in _TDM:
            found.update(_tdm(agent, content))
    return tuple(sorted(found))


def _directives(value: str) -> Iterable[str]:
    for word in _SEPARATOR.split(value.lower()):
        if word == "none":
            yield from _NONE
        elif word in DIRECTIVES:
            yield word


def _tdm(name: str, value: str) -> Iterable[str]:
    stated = value.strip()
    if stated == "1" if name == "tdm-reservation" else stated:
        yield name

"""What a link of wikitext shows: its text, its target, or nothing."""

import re
from dataclasses import dataclass

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,12}){0,2}|simple")
# Canonical names and the aliases that every wiki knows; numbers as in MediaWiki's Defines.php.
_ALWAYS_HIDDEN = frozenset({"file", "image", "media", "category"})


@dataclass(frozen=True, slots=True)
class LinkNames:
    """Prefixes of links, lower case, that show nothing: the wiki's own words for files and categories."""

    hidden: frozenset[str] = _ALWAYS_HIDDEN

    @classmethod
    def of_namespaces(cls, names: dict[int, str]) -> "LinkNames":
        """Take the local names of the namespaces -2 (media), 6 (files) and 14 (categories)."""
        local = {names[number].lower() for number in (-2, 6, 14) if names.get(number)}
        return cls(_ALWAYS_HIDDEN | local)


def link_text(content: str, names: LinkNames) -> str:
    """Return what `[[content]]` shows; `content` has no markup of links or templates any more."""
    target, pipe, shown = content.partition("|")
    if target[:1] == ":":
        target = target[1:]
    elif ":" in target:
        prefix = target.partition(":")[0].strip().lower().replace("_", " ")
        if prefix in names.hidden:
            return ""
        if not pipe and _LANGUAGE.fullmatch(prefix):
            return ""  # the same article in another language
    if not pipe:
        return target.strip()
    return shown if shown.strip() else target.partition("(")[0].strip()

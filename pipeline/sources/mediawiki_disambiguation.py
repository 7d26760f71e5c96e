# ruff: noqa: RUF001 - names in other scripts are what this file is about
"""How wikis mark a page that lists the meanings of a word."""

import re
from typing import Final

# Templates of the English Wikipedia, then those of other large ones; lower case.
_TEMPLATES: Final = """
disambiguation, disambig, disamb, dab, disambiguation page, disambiguation cleanup, disambig-cleanup, hndis,
hndis-cleanup, human name disambiguation, geodis, place name disambiguation, mathdab, mathematical disambiguation,
numberdis, school disambiguation, schooldis, roaddis, road disambiguation, airport disambiguation, airport disambig,
callsigndis, call sign disambiguation, hospital disambiguation, species latin name disambiguation,
species latin name abbreviation disambiguation, biology disambiguation, chinese title disambiguation,
military unit disambiguation, music disambiguation, opus disambiguation, portal disambiguation,
phonetics disambiguation, station disambiguation, taxonomic authority disambiguation, wp disambig,
molecular formula disambiguation, genus disambiguation, letter-number combination disambiguation,
letter–number combination disambiguation, letter-numbercombdisambig,
begriffsklärung, bkl, homonymie, desambiguación, desambig, disambigua, doorverwijspagina, desambiguação,
неоднозначность, 曖昧さ回避, aimai, 消歧义, 消歧義, ujednoznacznienie, förgrening, gren, flertydig, täsmennyssivu,
rozcestník, egyértelműsítő lap, anlam ayrımı, nozīmju atdalīšana
"""
_NAMES: Final = [" ".join(name.split()) for name in _TEMPLATES.split(",")]
_MARK: Final = re.compile(
    r"\{\{\s*(?:" + "|".join(map(re.escape, _NAMES)) + r")\s*(?:\||\}\})|__DISAMBIG__", re.IGNORECASE
)
_TITLE_END: Final = "(disambiguation)"


def is_disambiguation(title: str, wikitext: str) -> bool:
    """Say whether a page lists meanings, by its title or by a template on it."""
    return title.rstrip().endswith(_TITLE_END) or bool(_MARK.search(wikitext))

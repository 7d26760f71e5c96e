"""Rules over URLs: block lists, and words that no wanted URL holds.

Source of the word rules: FineWeb's URL filter (Penedo et al. 2024, and datatrove's `url_filter.py`), after RefinedWeb
(Penedo et al. 2023, arXiv:2306.01116, appendix G.1). The lists themselves are the user's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate.blocklist import BlockList, Kind, address_of, hosts_of
from pipeline.annotate.rules import DECISIONS
from text.buffers import Hashes, Offsets, text_buffer
from text.hashes import hash_strings
from text.lines import Bools
from text.spans import hash_spans

MAX_URL_CHARS = 4096  # more is not looked at
_WORD = re.compile(r"[a-z0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What a URL must not be, or hold. Words are of ASCII letters and digits; case does not count."""

    blocklist: Path | None = None  # of `build_blocklist`
    words: tuple[str, ...] = ()  # one is enough
    soft_words: tuple[str, ...] = ()  # `min_soft_words` different ones are enough
    min_soft_words: int = 2
    substrings: tuple[str, ...] = ()  # of the URL's letters and digits, all else taken away


def judge_urls(urls: pa.Array, rules: UrlRules) -> pa.RecordBatch:
    """Judge n URLs: rows of `fate`, `rule` and `detail`, like those of `apply_rules`.

    Rules in order: `url_blocked_domain` (host or a domain above it), `url_blocked_host`, `url_blocked_url` (itself or a
    path above it), `url_word`, `url_soft_words`, `url_substring`. A null URL is kept.

    Args:
        urls: (n,) string or large_string.
        rules: what to look for.

    Raises:
        UsageError: the block list is missing or damaged.
    """
    short = pc.utf8_slice_codeunits(urls.fill_null(""), 0, MAX_URL_CHARS)
    fate = np.full(len(urls), "kept", dtype=object)
    name = np.full(len(urls), None, dtype=object)
    detail = np.full(len(urls), None, dtype=object)
    for rule, hits in _findings(short, rules):
        for row, what in hits:
            if fate[row] == "kept":
                fate[row], name[row], detail[row] = "removed", rule, what
    return pa.RecordBatch.from_arrays(
        [pa.array(column, pa.string()) for column in (fate, name, detail)], schema=DECISIONS
    )


Findings = Iterable[tuple[int, str]]


def _findings(urls: pa.Array, rules: UrlRules) -> Iterable[tuple[str, Findings]]:
    if rules.blocklist is not None:
        blocked = BlockList.open(rules.blocklist)
        hosts = hosts_of(urls)
        if blocked.has("domain"):
            yield "url_blocked_domain", _listed(blocked, "domain", hosts, _parents(hosts))
        if blocked.has("host"):
            yield "url_blocked_host", _listed(blocked, "host", hosts, _whole(hosts))
        if blocked.has("url"):
            addresses = pa.array([address_of(url) for url in urls.to_pylist()], pa.large_string())
            yield "url_blocked_url", _listed(blocked, "url", addresses, _paths(addresses))
    lowered = pc.ascii_lower(urls)
    if rules.words or rules.soft_words:
        words, owner = _words(lowered)
        hashed = hash_strings(words)
        hard = _among(hashed, rules.words)
        yield "url_word", _first(owner[hard], words.filter(pa.array(hard)).to_pylist())
        yield "url_soft_words", _soft(words, owner, _among(hashed, rules.soft_words), rules.min_soft_words)
    if rules.substrings:
        squeezed = pc.replace_substring_regex(lowered, "[^a-z0-9]+", "")
        pattern = "|".join(sorted({_squeeze(part) for part in rules.substrings} - {""})) or "$^"
        found = pc.indices_nonzero(pc.match_substring_regex(squeezed, pattern)).to_pylist()
        seek = re.compile(pattern)
        hits = ((row, seek.search(squeezed[row].as_py())) for row in found)
        yield "url_substring", [(row, hit[0]) for row, hit in hits if hit]


_Owned = tuple[Offsets, Offsets, Offsets]  # starts, ends and row of some spans


def _listed(blocked: BlockList, kind: Kind, names: pa.Array, spans: _Owned) -> Findings:
    starts, ends, owner = spans
    data = text_buffer(names).data
    hit = np.flatnonzero(blocked.lists(hash_spans(data, starts, ends), kind))
    what = [data[start:end].tobytes().decode() for start, end in zip(starts[hit], ends[hit], strict=True)]
    return _first(owner[hit], what)


def _first(owner: Offsets, what: list[str]) -> Findings:
    return zip(owner.tolist(), what, strict=True)


def _whole(names: pa.Array) -> _Owned:
    texts = text_buffer(names)
    return texts.starts, texts.ends, np.arange(texts.rows)


def _parents(hosts: pa.Array) -> _Owned:
    """Spans of each host and the domains above it, the longest first, and whose they are."""
    texts = text_buffer(hosts)
    dots = np.flatnonzero(texts.data == ord("."))
    owner = np.searchsorted(texts.ends, dots, side="right")
    starts = np.sort(np.concatenate([texts.starts, dots + 1]), kind="stable")
    owner = np.sort(np.concatenate([np.arange(texts.rows), owner]), kind="stable")
    return starts, texts.ends[owner], owner


def _paths(addresses: pa.Array) -> _Owned:
    """Spans of each address and what is above it, cut before each `/` and `?`, the shortest first, and whose they are."""
    texts = text_buffer(addresses)
    cuts = np.flatnonzero((texts.data == ord("/")) | (texts.data == ord("?")))
    owner = np.searchsorted(texts.ends, cuts, side="right")
    ends = np.sort(np.concatenate([texts.ends, cuts]), kind="stable")
    owner = np.sort(np.concatenate([np.arange(texts.rows), owner]), kind="stable")
    return texts.starts[owner], ends, owner


def _words(urls: pa.Array) -> tuple[pa.Array, Offsets]:
    words = pc.split_pattern_regex(urls, "[^a-z0-9]+")
    return words.flatten(), np.asarray(pc.list_parent_indices(words))


def _among(hashed: Hashes, words: Iterable[str]) -> Bools:
    wanted = sorted({_squeeze(word) for word in words} - {""})
    return (
        np.isin(hashed, hash_strings(pa.array(wanted, pa.string())))
        if wanted
        else np.zeros(len(hashed), bool)
    )


def _soft(words: pa.Array, owner: Offsets, soft: Bools, least: int) -> Findings:
    by_url: dict[int, set[str]] = {}
    for row, word in zip(owner[soft].tolist(), words.filter(pa.array(soft)).to_pylist(), strict=True):
        by_url.setdefault(row, set()).add(word)
    return [(row, ", ".join(sorted(found))) for row, found in by_url.items() if len(found) >= least]


def _squeeze(word: str) -> str:
    return "".join(_WORD.findall(word.lower()))

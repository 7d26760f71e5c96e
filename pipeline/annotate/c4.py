"""C4's rules: keep the lines that are sentences, and the documents where enough of them are left.

Sources: Raffel et al. 2020 (arXiv:1910.10683), section 2.2; `c4_utils.py` of TensorFlow Datasets; datatrove's reading of
the paper. They disagree on two numbers and on the marks, so there are variants. Which lines stay is a list of spans: the
text is cut only when it is asked for, and what was cut can be shown.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.annotate.shares import bytes_at, per_text
from text.anatomy import Anatomy
from text.buffers import Offsets
from text.lines import Bools

PHRASES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
MAX_WORD_CHARS = 1000
KEPT = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))

_CITATION = re.compile(rb"\[(?:[0-9]*|edit|citation needed)\]")
_LOWER = bytes(range(256)).lower()


@dataclass(frozen=True, slots=True)
class Variant:
    """One reading of the rules."""

    name: str  # begins the names of its signals
    min_line_words: int
    marks: bytes | None  # a line must end in one of these; None: in anything


PAPER = Variant("c4_paper", min_line_words=3, marks=b'.?!"')
TFDS = Variant("c4_tfds", min_line_words=5, marks=b'.?!"')
FINEWEB = Variant("c4_fineweb", min_line_words=3, marks=None)
VARIANTS = {variant.name: variant for variant in (PAPER, TFDS, FINEWEB)}


def c4(texts: Anatomy, variant: Variant) -> dict[str, pa.Array]:
    """Six signals of n documents, each (n,), named after the variant.

    - `…_kept`: list of byte spans [start, end) of the text that stays, for `keep_spans`; citation marks are cut out;
    - `…_kept_lines`, `…_kept_chars`: how many lines and characters (newlines left out) that is;
    - `…_sentences`: sentences in lines kept, before citation marks are cut;
    - `…_lorem_ipsum_lines`, `…_brace_lines`: lines that speak against the document; only lines that passed the tests
      before are asked.

    Line by line, spaces around it removed, the first test that applies: a word of more than 1,000 characters; no
    terminal mark at the end, or `...`; too few words; "lorem ipsum"; "javascript"; `{`; a policy phrase. Case is
    folded for ASCII. A citation mark at the end of a line hides nothing: the mark before it is looked at.
    """
    lines = texts.lines
    starts, stops = lines.inner_starts, lines.inner_ends
    citations = _find(texts, _CITATION)
    open_lines = ~_with_long_words(texts)
    if variant.marks is not None:
        open_lines &= _terminated(texts, _before_citations(citations, starts, stops), variant.marks)
    words = np.zeros(len(texts.tokens.starts) + 1, np.int64)
    np.cumsum(~texts.token_joined, out=words[1:])
    open_lines &= words[lines.tokens[1:]] - words[lines.tokens[:-1]] >= variant.min_line_words

    lowered = texts.data.tobytes().translate(_LOWER)
    lorem = open_lines & _lines_with(texts, lowered, b"lorem ipsum")
    open_lines &= ~lorem & ~_lines_with(texts, lowered, b"javascript")
    braces = open_lines & _lines_with(texts, lowered, b"{")
    open_lines &= ~braces
    for phrase in PHRASES:
        open_lines &= ~_lines_with(texts, lowered, phrase.encode())

    kept = np.flatnonzero(open_lines)
    first, last, line = _cut(starts[kept], stops[kept], citations)
    borders = np.searchsorted(kept[line], lines.borders)
    chars = np.zeros(len(first) + 1, np.int64)
    np.cumsum(texts.characters.between(first, last), out=chars[1:])
    base = np.repeat(texts.texts.starts, np.diff(borders))
    spans = pa.StructArray.from_arrays(
        [pa.array(first - base), pa.array(last - base)], fields=list(KEPT.value_type)
    )
    sentences = np.searchsorted(texts.sentences.starts, np.append(lines.starts, len(texts.data)))
    return {
        f"{variant.name}_kept": pa.ListArray.from_arrays(pa.array(borders, pa.int32()), spans, type=KEPT),
        f"{variant.name}_kept_lines": pa.array(per_text(open_lines, lines.borders)),
        f"{variant.name}_kept_chars": pa.array(np.diff(chars[borders])),
        f"{variant.name}_sentences": pa.array(per_text(np.diff(sentences) * open_lines, lines.borders)),
        f"{variant.name}_lorem_ipsum_lines": pa.array(per_text(lorem, lines.borders)),
        f"{variant.name}_brace_lines": pa.array(per_text(braces, lines.borders)),
    }


def keep_spans(texts: pa.Array, spans: pa.Array) -> pa.Array:
    """Cut texts down to some of their spans.

    Args:
        texts: (n,) strings.
        spans: (n,) lists of (start, end) bytes, rising; null leaves a text as it is. Spans with a newline between
            them are joined by one newline, others by nothing.

    Returns:
        (n,) large_string; null where the text is null.
    """
    parts: list[str | None] = []
    for text, kept in zip(texts.to_pylist(), spans.to_pylist(), strict=True):
        if text is None or kept is None:
            parts.append(text)
            continue
        data = text.encode()
        pieces: list[bytes] = []
        before = None
        for span in kept:
            if before is not None and b"\n" in data[before : span["start"]]:
                pieces.append(b"\n")
            pieces.append(data[span["start"] : span["end"]])
            before = span["end"]
        parts.append(b"".join(pieces).decode())
    return pa.array(parts, pa.large_string())


def _find(texts: Anatomy, pattern: re.Pattern[bytes]) -> Offsets:
    """Starts and ends of all matches, one after the other: (2, n_matches)."""
    if not np.any(texts.data == ord("[")):
        return np.zeros((2, 0), np.int64)
    data = texts.data.tobytes()
    found = np.array([match.span() for match in pattern.finditer(data)], np.int64).reshape(-1, 2).T
    # Two texts touch: what begins in one and ends in the next is no match.
    text = np.searchsorted(texts.texts.ends, found[0], side="right")
    return found[:, found[1] <= texts.texts.ends[np.minimum(text, texts.rows - 1)]]


def _with_long_words(texts: Anatomy) -> Bools:
    """Lines with a stretch of more than 1,000 characters without a space."""
    tokens, lines = texts.tokens, texts.lines
    found = np.zeros(len(lines.starts), bool)
    first = np.flatnonzero(~texts.token_joined)
    if len(first):
        last = np.append(first[1:], len(tokens.starts)) - 1
        long = texts.characters.between(tokens.starts[first], tokens.ends[last]) > MAX_WORD_CHARS
        found[_line_of(texts, tokens.starts[first[long]])] = True
    return found


def _before_citations(citations: Offsets, starts: Offsets, stops: Offsets) -> Offsets:
    """Where each line ends when citation marks at its end are taken away."""
    if not citations.size:
        return stops
    alone = np.ones(citations.shape[1] + 1, bool)
    alone[1:-1] = citations[0, 1:] != citations[1, :-1]  # marks that touch go together
    first, last = citations[0, alone[:-1]], citations[1, alone[1:]]
    run = np.minimum(np.searchsorted(last, stops), len(last) - 1)
    cited = (last[run] == stops) & (starts < stops)
    return np.where(cited, np.maximum(first[run], starts), stops)


def _terminated(texts: Anatomy, stops: Offsets, marks: bytes) -> Bools:
    """Lines that end in a terminal mark, but not in three full stops."""
    data, starts = texts.data, texts.lines.inner_starts
    last = [np.where(stops - starts >= back, bytes_at(data, stops - back), 0) for back in (1, 2, 3)]
    terminal = np.isin(last[0], np.frombuffer(marks, np.uint8))
    dots = (last[0] == ord(".")) & (last[1] == ord(".")) & (last[2] == ord("."))
    return np.asarray(terminal & ~dots)


def _lines_with(texts: Anatomy, lowered: bytes, phrase: bytes) -> Bools:
    """Lines that hold the phrase."""
    found = np.zeros(len(texts.lines.starts), bool)
    hits = []
    at = lowered.find(phrase)
    while at >= 0:
        hits.append(at)
        at = lowered.find(phrase, at + len(phrase))
    if hits:
        at_bytes = np.array(hits)
        line = _line_of(texts, at_bytes)
        found[line[at_bytes + len(phrase) <= texts.lines.ends[line]]] = True
    return found


def _line_of(texts: Anatomy, at: Offsets) -> Offsets:
    """The line that holds each byte, which is no newline."""
    return np.searchsorted(texts.lines.ends, at, side="right")


def _cut(starts: Offsets, stops: Offsets, citations: Offsets) -> tuple[Offsets, Offsets, Offsets]:
    """Spans of some lines without the citation marks in them, and the line of each span."""
    line = np.searchsorted(starts, citations[0], side="right") - 1
    inside = line >= 0
    inside[inside] = citations[1][inside] <= stops[line[inside]]
    cuts, line = citations[:, inside], line[inside]
    first = np.concatenate([starts, cuts[1]])
    last = np.concatenate([stops, cuts[0]])
    owner = np.concatenate([np.arange(len(starts)), line])
    # A line's n + 1 pieces begin where it begins and where its cuts end, and end where its cuts begin and it ends.
    order = np.lexsort((first, owner))
    first, owner = first[order], owner[order]
    last = last[np.lexsort((last, np.concatenate([np.arange(len(starts)), line])))]
    filled = first < last
    return first[filled], last[filled], owner[filled]

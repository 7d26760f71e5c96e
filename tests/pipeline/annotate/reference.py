"""The published rules, one document at a time, in plain loops: what the signals must equal, given the same tokens."""

from collections import Counter
from unicodedata import category

from tests.text.reference import CITATION, paragraphs, tokens
from text.characters import SENTENCE_MARK, _all_flags

STOP = {"the", "be", "to", "of", "and", "that", "have", "with"}
PHRASES = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"]


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def lengths(text: str) -> dict[str, float]:
    lines = text.split("\n")
    filled = [line for line in lines if line.strip()]
    ordered = sorted(map(len, lines), reverse=True)
    return {
        "characters": len(text),
        "tokens": len(tokens(text)),
        "lines": len(filled),
        "paragraphs": len(paragraphs(text)),
        "mean_line_chars": share(sum(map(len, filled)), len(filled)),
        "longest_line_chars": ordered[0],
        "third_longest_line_chars": ordered[2] if len(ordered) > 2 else 0,
    }


def gopher_quality(text: str) -> dict[str, float]:
    every = tokens(text)
    words = [token for token in every if any(category(char)[0] in "LN" for char in token)]
    lines = text.split("\n")
    lines = lines if lines[-1] else lines[:-1]
    return {
        "nonsymbol_words": len(words),
        "mean_word_chars": share(sum(map(len, words)), len(words)),
        "hashes_per_token": share(text.count("#"), len(every)),
        "ellipses_per_token": share(text.count("...") + text.count("…"), len(every)),
        "bullet_lines_share": share(sum(line.strip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_lines_share": share(sum(line.strip().endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_tokens_share": share(
            sum(any(char.isalpha() for char in token) for token in every), len(every)
        ),
        "distinct_stop_words": len(STOP & set(every)),
    }


def copies(spans: list[str]) -> list[str]:
    seen: set[str] = set()
    later = []
    for span in spans:
        if span in seen:
            later.append(span)
        seen.add(span)
    return later


def top_chars(words: list[str], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]  # the first met wins a tie
    return len(" ".join(gram)) * count


def walked_chars(words: list[str], n: int) -> int:
    seen: set[tuple[str, ...]] = set()
    chars, at = 0, 0
    while at <= len(words) - n:
        gram = tuple(words[at : at + n])
        if gram in seen:
            chars += len("".join(gram))
            at += n
        else:
            seen.add(gram)
            at += 1
    return chars


def gopher_repetition(text: str) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line]
    blocks = paragraphs(text)
    words = tokens(text)
    return {
        "duplicate_lines_share": share(len(copies(lines)), len(lines)),
        "duplicate_lines_chars_share": share(len("".join(copies(lines))), len(text)),
        "duplicate_paragraphs_share": share(len(copies(blocks)), len(blocks)),
        "duplicate_paragraphs_chars_share": share(len("".join(copies(blocks))), len(text)),
        **{f"top_{n}gram_chars_share": share(top_chars(words, n), len(text)) for n in (2, 3, 4)},
        **{f"duplicate_{n}gram_chars_share": share(walked_chars(words, n), len(text)) for n in range(5, 11)},
    }


def fineweb(text: str) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line.strip()]
    return {
        "terminal_lines_share": share(
            sum(bool(_all_flags()[ord(line[-1])] & SENTENCE_MARK) for line in lines), len(lines)
        ),
        "short_lines_share": share(sum(len(line) <= 30 for line in lines), len(lines)),
        "duplicate_nonblank_lines_chars_share": share(
            len("".join(copies(lines))), len(text.replace("\n", ""))
        ),
        "newlines_per_token": share(text.count("\n"), len(tokens(text))),
    }


def fold(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def c4(text: str, *, min_words: int, marks: str | None) -> tuple[dict[str, int], str]:
    """Signals without their prefix, and the text that is left."""
    kept = []
    lorem = braces = 0
    for raw in text.split("\n"):
        line = raw.strip()
        words = line.split()
        if any(len(word) > 1000 for word in words):
            continue
        line = CITATION.sub("", line)
        if marks is not None and (not line.endswith(tuple(marks)) or line.endswith("...")):
            continue
        if len(words) < min_words:
            continue
        folded = fold(line)
        if "lorem ipsum" in folded:
            lorem += 1
        elif "javascript" in folded:
            pass
        elif "{" in folded:
            braces += 1
        elif not any(phrase in folded for phrase in PHRASES):
            kept.append(line)
    signals = {
        "lorem_ipsum_lines": lorem,
        "brace_lines": braces,
        "kept_chars": len("".join(kept)),
    }
    return signals, "\n".join(line for line in kept if line)

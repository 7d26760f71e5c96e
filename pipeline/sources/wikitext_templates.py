"""The few templates whose arguments are words of the sentence they stand in; all others are removed.

Without them sentences lose words: `from the Greek {{lang|grc|...}}`, `{{convert|5|km|mi}} long`.
"""

from collections.abc import Callable, Sequence
from typing import Final

_Render = Callable[[Sequence[str]], str]


def _argument(number: int) -> _Render:
    """Show one argument, counted from 0."""
    return lambda arguments: arguments[number] if len(arguments) > number else ""


def _always(text: str) -> _Render:
    return lambda _arguments: text


def _joined(separator: str) -> _Render:
    return separator.join


def _measure(arguments: Sequence[str]) -> str:
    """`{{convert|5|km|mi}}`: the value as the author gave it, with its unit; ranges keep their word."""
    if len(arguments) >= 4 and arguments[1] in {"-", "\u2013", "to", "and", "or", "x", "by"}:
        joint = {"-": "\u2013", "\u2013": "\u2013", "x": " \u00d7 "}.get(arguments[1], f" {arguments[1]} ")
        return f"{arguments[0]}{joint}{arguments[2]} {arguments[3]}"
    return " ".join(arguments[:2])


def _fraction(arguments: Sequence[str]) -> str:
    if len(arguments) == 3:
        return f"{arguments[0]} {arguments[1]}/{arguments[2]}"
    return "/".join(arguments[:2]) if len(arguments) == 2 else f"1/{''.join(arguments[:1])}"


def _circa(arguments: Sequence[str]) -> str:
    return " ".join(["c.", *arguments[:1]])


# Names are those of the English Wikipedia, which many others share.
_TEMPLATES: Final[dict[str, _Render]] = {
    **dict.fromkeys(("lang", "langx", "transl", "transliteration", "nihongo2"), lambda arguments: "".join(arguments[-1:])),
    **dict.fromkeys(
        (
            "nowrap", "nobr", "small", "smaller", "big", "larger", "em", "strong", "abbr", "tooltip", "nihongo", "sic",
            "not a typo", "as written", "quote", "blockquote", "cquote", "quotation", "pull quote", "bq", "angle bracket",
            "smallcaps", "sc", "var", "mono", "code", "kbd", "samp", "sup", "sub", "ship", "visible anchor", "vanchor",
            "section link", "linktext", "wikt-lang", "zh", "unicode", "title case", "ill", "interlanguage link", "bibleverse",
        ),
        _argument(0),
    ),
    **dict.fromkeys(("convert", "cvt", "val", "gaps"), _measure),
    **dict.fromkeys(("frac", "fraction", "sfrac", "sfraction"), _fraction),
    **dict.fromkeys(("circa", "c.", "ca."), _circa),
    **dict.fromkeys(("ndash", "endash", "en dash"), _always("\u2013")),
    **dict.fromkeys(("mdash", "emdash", "em dash"), _always("\u2014")),
    **dict.fromkeys(("spaced ndash", "spnd", "snd", "spaced en dash", "dash"), _always(" \u2013 ")),
    **dict.fromkeys(("nbsp", "space", "thin space", "thinsp", "hair space", "spaces"), _always(" ")),
    **dict.fromkeys(("'", "apostrophe"), _always("'")),
    **dict.fromkeys(("'s",), _always("'s")),
    **dict.fromkeys(("!", "pipe"), _always("|")),
    **dict.fromkeys(("=",), _always("=")),
    **dict.fromkeys(("ubl", "unbulleted list", "hlist", "plainlist", "flatlist"), _joined(", ")),
}  # fmt: skip


def template_text(content: str) -> str:
    """Return what `{{content}}` shows in running text; empty for all but a few.

    Args:
        content: without its braces; templates and links in it are resolved already.
    """
    name, _, arguments = content.partition("|")
    render = _TEMPLATES.get(name.strip().lower().replace("_", " "))
    if render is None:
        # `{{lang-de|Wort}}`, an older form
        if name.lstrip()[:5].lower() != "lang-":
            return ""
        render = _argument(0)
    return render(_positional(arguments)) if arguments else render(())


def _positional(arguments: str) -> list[str]:
    """Return the arguments without a name, `text=` and `1=` among them."""
    found: list[str] = []
    for argument in arguments.split("|"):
        name, equals, value = argument.partition("=")
        if not equals:
            found.append(argument.strip())
        elif name.strip().lower() in {"text", "quote", "1", "2", "3"}:
            found.append(value.strip())
    return found

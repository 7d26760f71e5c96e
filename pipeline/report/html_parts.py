"""The bricks of the report's page. Everything from data passes through `shown`: cleaned, cut, escaped."""

import re
from collections.abc import Iterable, Sequence
from html import escape

MAX_CHARS = 300  # of a text out of the data
# Controls, and the marks that reorder text around them; a lone surrogate cannot be written at all.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


class Html(str):
    """Text that is HTML already; any other string is escaped before it comes on the page."""

    __slots__ = ()


def clean(text: str, limit: int = MAX_CHARS) -> str:
    """Cut a text, join its white space, and replace what would disturb the page or the terminal around it."""
    cut = text[: limit + 1]
    shown = " ".join(_ODD.sub("\ufffd", cut[:limit]).split())
    return shown + ("\u2026" if len(cut) > limit else "")


def shown(value: object, limit: int = MAX_CHARS) -> Html:
    """Make HTML of a value; `Html` stays as it is."""
    if isinstance(value, Html):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Html(f"{value:,}")
    return Html(escape(clean(str(value), limit)))


def foreign(text: str, limit: int = MAX_CHARS) -> Html:
    """Show a text of unknown script and direction without letting it turn its neighbours around."""
    return Html(f"<bdi>{shown(text, limit)}</bdi>")


def percent(part: float, whole: float) -> str:
    """A share for people: `12 %`, `0.4 %`, `< 0.1 %`."""
    if not whole:
        return "-"
    share = 100 * part / whole
    if share in (0, 100):
        return f"{share:.0f} %"
    if share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %"


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, texts: int = 1) -> Html:
    """A table that scrolls sideways where it must; the first `texts` columns hold text, the others numbers."""
    kinds = [' class="t"' if place < texts else "" for place in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{shown(cell)}</th>' for kind, cell in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{shown(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return Html(
        f'<div class="scroll" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def section(name: str, title: str, *content: object) -> Html:
    """A section of the page, to which the list of contents leads."""
    return Html(f'<section id="{name}"><h2>{shown(title)}</h2>{join(content)}</section>')


def join(content: Iterable[object]) -> Html:
    """Put pieces one after the other."""
    return Html("\n".join(shown(piece) for piece in content))


def paragraph(text: object, kind: str = "") -> Html:
    """A paragraph; `kind` is its class."""
    return Html(f"<p{f' class={kind!r}' if kind else ''}>{shown(text, 2000)}</p>")


def code(text: str, limit: int = MAX_CHARS) -> Html:
    """A name, as it stands in files."""
    return Html(f"<code>{shown(text, limit)}</code>")


def legend(entries: Iterable[tuple[str, str]]) -> Html:
    """Colours and what they mean: pairs of class and text."""
    items = "".join(f'<li><i class="{kind}"></i>{shown(text)}</li>' for kind, text in entries)
    return Html(f'<ul class="legend">{items}</ul>')


def svg(width: int, height: int, label: str, shapes: Iterable[str], kind: str = "") -> Html:
    """A picture; `label` says it in words."""
    return Html(
        f'<svg class="{kind}" role="img" aria-label="{shown(label)}" viewBox="0 0 {width} {height}">{"".join(shapes)}</svg>'
    )


def number(value: float) -> str:
    """A number for an axis or a bound: short, and never in exponents that people do not read."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"

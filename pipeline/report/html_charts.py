"""Bars and histograms of the report's page."""

from collections.abc import Iterable, Sequence
from math import sqrt

from pipeline.report.histogram import Histogram
from pipeline.report.html_parts import Html, join, number, shown, svg

_WIDTH, _HEIGHT, _FOOT = 300, 96, 18


def bar(name: object, parts: Sequence[tuple[str, float]], whole: float, value: object) -> Html:
    """One line: a name, a track with stacked parts (class, size) out of `whole`, and what it comes to."""
    fills = "".join(
        f'<i class="{kind}" style="width:{100 * size / whole:.3f}%"></i>'
        for kind, size in parts
        if size and whole
    )
    return Html(
        f'<div class="bar"><span class="name">{shown(name)}</span><span class="track">{fills}</span>'
        f'<span class="value">{shown(value)}</span></div>'
    )


def bars(lines: Iterable[Html]) -> Html:
    """Lines of bars below each other."""
    return Html(f'<div class="bars">{join(lines)}</div>')


def histogram(shape: Histogram, label: str, bounds: Sequence[tuple[float, int]] = ()) -> Html:
    """Draw a histogram: kept documents below, the others on top of them, and the bounds as dashed lines.

    A bound is a value and its side: -1 keeps what is not below it, 1 what is not above it. Heights go with the square root of the counts, so that a small tail beside a tall bar can still be seen.
    """
    totals = [kept + gone for kept, gone in zip(shape.kept, shape.gone, strict=True)]
    highest = sqrt(max([*totals, 1]))
    step = _WIDTH / len(totals)
    shapes = [f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>']
    for place, (kept, total) in enumerate(zip(shape.kept, totals, strict=True)):
        if not total:
            continue
        height = _HEIGHT * sqrt(total) / highest
        below = height * kept / total
        x, width = step * place + 0.5, max(step - 1, 0.5)
        for kind, top, size in (("f-gone", height, height - below), ("f-kept", below, below)):
            if size:
                shapes.append(
                    f'<rect class="{kind}" x="{x:.2f}" y="{_HEIGHT - top:.2f}" width="{width:.2f}" height="{size:.2f}"/>'
                )
    for bound, side in bounds:
        at = shape.place(bound, side)
        if at is not None:
            shapes.append(
                f'<line class="bound" x1="{_WIDTH * at:.2f}" x2="{_WIDTH * at:.2f}" y1="0" y2="{_HEIGHT}"/>'
            )
    ends = (("start", 0, shape.ends[0]), ("end", _WIDTH, shape.ends[1]))
    shapes += [
        f'<text class="soft" text-anchor="{anchor}" x="{x}" y="{_HEIGHT + 14}">{number(value)}</text>'
        for anchor, x, value in ends
    ]
    return svg(_WIDTH, _HEIGHT + _FOOT, label, shapes)


def figure(picture: Html, *caption: object) -> Html:
    """A picture and what it shows."""
    return Html(f"<figure>{picture}<figcaption>{join(caption)}</figcaption></figure>")


def plots(figures: Iterable[Html]) -> Html:
    """Small pictures side by side, as many as the screen has room for."""
    return Html(f'<div class="plots">{join(figures)}</div>')

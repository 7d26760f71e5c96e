"""What went in and what became of it: a flow from stage to stage for wide screens, stacked bars for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.facts import Facts
from pipeline.report.html_charts import bar, bars
from pipeline.report.html_parts import Html, join, legend, paragraph, percent, shown, svg

PALETTE = 8
NO_PAGES = "record_type"  # requests, metadata and the like: records that hold no document to begin with
_WIDTH, _NODE, _TALL, _TOP = 1080, 12, 230, 44


@dataclass(frozen=True)
class Step:
    """How much is left of each source after a stage, and what the stage took away."""

    name: str
    left: tuple[int, ...]  # by source
    lost: tuple[int, ...]


def flow_steps(facts: Facts) -> list[Step]:
    """The first step holds what went in, without records that hold no document; then one step a stage."""
    sources = list(facts.ledger["sources"].values())
    begin = tuple(source["records"] - source["removed"].get(NO_PAGES, 0) for source in sources)
    steps = [Step("documents in", begin, (0,) * len(begin))]
    for stage in facts.stages:
        left = tuple(source["stages"][stage]["kept"] for source in sources)
        lost = tuple(before - after for before, after in zip(steps[-1].left, left, strict=True))
        steps.append(Step(stage, left, lost))
    return steps


def flow(facts: Facts) -> Html:
    """Draw the flow of documents."""
    steps, names = flow_steps(facts), list(facts.ledger["sources"])
    whole = sum(steps[0].left)
    lines = []
    for step in steps:
        left = sum(step.left)
        parts = [(f"f-s{place % PALETTE}", size) for place, size in enumerate(step.left)]
        name = step.name if step is steps[0] else f"after {step.name}"
        lines.append(bar(name, parts, whole, f"{left:,} ({percent(left, whole)})"))
    colours = legend(
        [
            *((f"f-s{place % PALETTE}", name) for place, name in enumerate(names)),
            ("f-gone", "removed or failed"),
        ]
    )
    no_pages = facts.total("removed").get(NO_PAGES, 0)
    note = (
        f"{facts.records:,} records were read. {no_pages:,} of them hold no document (requests, metadata and other records"
        f" of web archives, rule {NO_PAGES}); the others are followed here."
        if no_pages
        else f"{facts.records:,} records were read."
    )
    picture = Html(f'<div class="flow wide">{_picture(steps)}</div>') if whole else Html("")
    return join([paragraph(note), colours, picture, Html(f'<div class="narrow">{bars(lines)}</div>')])


def _picture(steps: Sequence[Step]) -> Html:
    """Bands between the stages; what a stage takes away bends down and ends in a block of its own."""
    whole = sum(steps[0].left)
    scale = _TALL / whole
    gap = (_WIDTH - 150) / max(1, len(steps) - 1)
    floor = _TOP + _TALL + 34
    deepest = max(sum(step.lost) for step in steps) * scale
    shapes: list[str] = []
    for number, step in enumerate(steps):
        x = number * gap
        if number + 1 < len(steps):
            shapes += _bands(step, steps[number + 1], x + _NODE, x + gap, scale, floor)
        shapes += _node(step.left, x, scale)
        left = sum(step.left)
        shapes.append(f'<text class="strong" x="{x:.1f}" y="16">{shown(step.name)}</text>')
        shapes.append(f'<text class="soft" x="{x:.1f}" y="33">{left:,} ({percent(left, whole)})</text>')
        lost = sum(step.lost)
        if lost:
            end = x - gap * 0.34
            shapes.append(
                f'<rect class="f-gone" x="{end:.1f}" y="{floor:.1f}" width="{_NODE}" height="{max(1.0, lost * scale):.1f}"/>'
                f'<text x="{end + _NODE + 7:.1f}" y="{floor + 10:.1f}">{lost:,} gone</text>'
                f'<text class="soft" x="{end + _NODE + 7:.1f}" y="{floor + 25:.1f}">'
                f"{percent(lost, lost + left)} of what came in</text>"
            )
    label = "; ".join(f"{step.name}: {sum(step.left):,} documents" for step in steps)
    return svg(_WIDTH, round(floor + max(deepest, 30) + 4), label, shapes)


def _node(sizes: Sequence[int], x: float, scale: float) -> list[str]:
    shapes, y = [], float(_TOP)
    for place, size in enumerate(sizes):
        if size:
            shapes.append(
                f'<rect class="f-s{place % PALETTE}" x="{x:.1f}" y="{y:.2f}" width="{_NODE}" height="{max(0.8, size * scale):.2f}"/>'
            )
        y += size * scale
    return shapes


def _bands(here: Step, there: Step, x: float, end: float, scale: float, floor: float) -> list[str]:
    shapes = []
    from_y, to_y, lost_y = float(_TOP), float(_TOP), floor
    stop = end - (end - x + _NODE) * 0.34
    for place, (size, left, lost) in enumerate(zip(here.left, there.left, there.lost, strict=True)):
        if left:
            shapes.append(_band(f"band f-s{place % PALETTE}", (x, from_y), (end, to_y), left * scale))
        if lost:
            shapes.append(_band("loss", (x, from_y + left * scale), (stop, lost_y), lost * scale))
        from_y += size * scale
        to_y += left * scale
        lost_y += lost * scale
    return shapes


def _band(kind: str, begin: tuple[float, float], end: tuple[float, float], thick: float) -> str:
    thick = max(thick, 0.5)
    (x, y), (u, v) = begin, end
    middle = (x + u) / 2
    return (
        f'<path class="{kind}" d="M{x:.1f} {y:.2f}C{middle:.1f} {y:.2f} {middle:.1f} {v:.2f} {u:.1f} {v:.2f}'
        f'V{v + thick:.2f}C{middle:.1f} {v + thick:.2f} {middle:.1f} {y + thick:.2f} {x:.1f} {y + thick:.2f}Z"/>'
    )

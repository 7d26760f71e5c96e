"""The loss curve as a page without any script or outside file, and as a PNG if matplotlib is installed."""

import html
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from training.metrics import METRICS, read_metrics

_WIDTH, _HEIGHT = 900, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 40, 45
_COLOURS = ("#1f5fa8", "#c2571a", "#2e7d4f", "#8a3d8f", "#8c6d1f", "#b0304f", "#3f7f8f", "#5b5b5b")
_MAX_POINTS = 1500  # of a curve; more cannot be seen

Curve = list[tuple[float, float]]


def write_plot(folder: Path, *, title: str) -> Path | None:
    """Draw `metrics.jsonl` of a run into `loss.html`; None if there is nothing to draw yet."""
    curves = read_curves(folder / METRICS)
    if not curves["training"]:
        return None
    svg = draw(curves, title=title)
    page = folder / "loss.html"
    page.write_text(
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>body{{font-family:sans-serif;margin:2em}}svg{{max-width:100%;height:auto}}</style></head>"
        f"<body>{svg}</body></html>\n",
        encoding="utf-8",
    )
    if find_spec("matplotlib") is not None:
        _write_png(curves, folder / "loss.png", title)
    return page


def read_curves(path: Path) -> dict[str, Curve]:
    """Loss over tokens: `training`, and one curve for the validation of each source."""
    curves: dict[str, Curve] = {"training": []}
    for record in read_metrics(path):
        curves["training"].append((record["tokens"], record["loss"]))
        for source, scores in record.get("validation", {}).items():
            curves.setdefault(f"validation: {source}", []).append((record["tokens"], scores["loss"]))
    return curves


def draw(curves: dict[str, Curve], *, title: str) -> str:
    """An SVG of curves over tokens."""
    points = [point for curve in curves.values() for point in curve]
    right = max(x for x, _ in points) or 1.0
    low, high = min(y for _, y in points), max(y for _, y in points)
    pad = 0.05 * (high - low) or 0.5
    low, high = low - pad, high + pad

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT)
        down = _TOP + (high - y) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return across, down

    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' "
        f"font-family='sans-serif' font-size='12'><title>{html.escape(title)}</title>"
    )
    parts = [head, f"<text x='{_LEFT}' y='22' font-size='16'>{html.escape(title)}</text>"]
    for tick in _ticks(low, high):
        y = place(0, tick)[1]
        parts.append(f"<line x1='{_LEFT}' y1='{y:.1f}' x2='{_WIDTH - _RIGHT}' y2='{y:.1f}' stroke='#ddd'/>")
        parts.append(f"<text x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{tick:g}</text>")
    for tick in _ticks(0, right):
        x = place(tick, low)[0]
        parts.append(
            f"<text x='{x:.1f}' y='{_HEIGHT - _BOTTOM + 18}' text-anchor='middle'>{_count(tick)}</text>"
        )
    parts.append(
        f"<text x='{(_LEFT + _WIDTH - _RIGHT) / 2}' y='{_HEIGHT - 8}' text-anchor='middle'>tokens; loss in nats</text>"
    )
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in _thin(curve)))
        mark = "" if number == 0 else " stroke-dasharray='5 3'"
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.5'{mark}/>")
        parts.extend(
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' fill='{colour}'/>"
            for x, y in (place(*point) for point in (curve if number else []))
        )
        parts.append(
            f"<text x='{_WIDTH - _RIGHT + 10}' y='{_TOP + 16 * number + 10}' fill='{colour}'>{html.escape(name)}</text>"
        )
    return "".join([*parts, "</svg>"])


def _thin(curve: Curve) -> Curve:
    stride = -(-len(curve) // _MAX_POINTS)
    return curve if stride < 2 else [*curve[::stride], curve[-1]]


def _ticks(low: float, high: float) -> Sequence[float]:
    rough = (high - low) / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * n, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _count(tokens: float) -> str:
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= unit:
            return f"{tokens / unit:g}{name}"
    return f"{tokens:g}"


def _write_png(curves: dict[str, Curve], path: Path, title: str) -> None:
    from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), label=name, marker="" if name == "training" else ".")
    axes.set(title=title, xlabel="tokens", ylabel="loss (nats)")
    axes.legend()
    figure.savefig(path, dpi=150)

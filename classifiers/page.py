"""The metrics of a classifier as one HTML page: tables and inline SVG, no scripts, nothing fetched."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2430;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p{max-width:46rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;border-bottom:1px solid #d9dee5;text-align:right}
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}
svg{background:#f6f8fa;margin:.3rem .8rem .3rem 0}figure{display:inline-block;margin:0}
figcaption{font-size:.85rem;max-width:240px;overflow-wrap:anywhere}
"""
_WIDTH, _HEIGHT = 240, 120
_COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568")


def metrics_page(metrics: Mapping[str, Any]) -> str:
    """Draw the page; every text from data is escaped, every number formatted here."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Quality classifier</title>",
        f"<style>{_STYLE}</style><h1>Quality classifier</h1>",
        f"<p>Model {escape(str(metrics.get('fingerprint', ''))[:16])}.</p>",
        f"<p>AUC on held-out documents: <b>{_number(metrics.get('auc'))}</b>.</p>",
        "<h2>AUC by positive source</h2>",
        _table(("source", "seen in training", "not seen"), _auc_rows(metrics)),
        "<h2>Scores by source</h2>",
        *(_figure(name, bars(counts)) for name, counts in metrics["histogram_by_source"].items()),
        "<h2>Share of documents kept, by rule</h2>",
        _keep_table(metrics["keep_rate_by_source"]),
        "<h2>Is the rule still soft?</h2>",
        "<p>A model without enough regularisation scores everything near 0 or 1; the Pareto rule then is a plain threshold.</p>",
        _table(
            ("figure", "value"),
            [(key.replace("_", " "), value) for key, value in metrics["softness"].items()],
        ),
        "<h2>Calibration</h2><p>Share of positives against mean score; both classes weigh the same.</p>",
        _figure(
            "",
            curve(
                [(row["mean_score"], row["share_positive"]) for row in metrics["calibration"]], diagonal=True
            ),
        ),
        "<h2>Precision and recall</h2>",
        _table(
            ("score at least", "precision", "recall"),
            [
                (f"{row['threshold']:g}", row["precision"], row["recall"])
                for row in metrics["precision_recall"]
            ],
        ),
        "<h2>Score by document length</h2><p>Mean score of the same documents cut to a number of characters.</p>",
        _table(
            ("source", "characters", "mean score", "documents"),
            [
                (name, f"{row['chars']:,}", row["mean_score"], f"{row['documents']:,}")
                for name, rows in metrics["score_by_length"].items()
                for row in rows
            ],
        ),
    ]
    if "strongest_features" in metrics:
        parts += [
            "<h2>Strongest features</h2>",
            _table(
                ("tokens", "weight", "share of documents"),
                [
                    (" ".join(row["tokens"]), row["weight"], row["share_of_documents"])
                    for row in metrics["strongest_features"]
                ],
            ),
        ]
    return "\n".join(parts) + "\n</html>\n"


def bars(counts: Sequence[int]) -> str:
    """Draw a histogram over 0 to 1 as SVG."""
    highest = max([*counts, 1])
    step = _WIDTH / max(1, len(counts))
    shapes = [
        f'<rect x="{step * place + 0.5:.1f}" y="{_HEIGHT * (1 - count / highest):.1f}" width="{step - 1:.1f}"'
        f' height="{_HEIGHT * count / highest:.1f}" fill="{_COLOURS[0]}"/>'
        for place, count in enumerate(counts)
    ]
    return _svg(shapes, f"{sum(counts)} documents by score, 0 to 1")


def curve(points: Sequence[tuple[float, float]], *, diagonal: bool = False) -> str:
    """Draw points of the unit square, joined, as SVG."""
    places = [(_WIDTH * x, _HEIGHT * (1 - y)) for x, y in points]
    shapes = [f'<line x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="0" stroke="#a0aec0"/>'] if diagonal else []
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    shapes.append(f'<polyline points="{joined}" fill="none" stroke="{_COLOURS[1]}" stroke-width="2"/>')
    shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_COLOURS[1]}"/>' for x, y in places]
    return _svg(shapes, "curve over scores from 0 to 1")


def _svg(shapes: Iterable[str], label: str) -> str:
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(shapes)}</svg>'
    )


def _figure(caption: str, picture: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _auc_rows(metrics: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    unseen = metrics.get("auc_unseen_source", {})
    return [(source, value, unseen.get(source)) for source, value in metrics["auc_by_source"].items()]


def _keep_table(rates: Mapping[str, Mapping[str, float]]) -> str:
    rules = list(next(iter(rates.values()), {}))
    return _table(("source", *rules), [(name, *(row[rule] for rule in rules)) for name, row in rates.items()])


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_number(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))

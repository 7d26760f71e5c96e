"""The report as one HTML page that needs nothing else."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.2rem .7rem;border-bottom:1px solid #ddd;"
    "text-align:right;vertical-align:top}th:first-child,td:first-child{text-align:left}.warning{color:#8a3a00}"
    "td.text{text-align:left;font-family:ui-monospace,monospace;font-size:13px;overflow-wrap:anywhere}"
)
_COLUMNS = (
    ("examples", "examples"),
    ("N filter", "n"),
    ("N report", "analysis_n"),
    ("too short to protect", "unprotected"),
    ("dirty before", "dirty_before"),
    ("dirty after", "dirty_after"),
    ("clean", "clean"),
    ("clean %", "clean_percent"),
    ("documents split", "documents_split"),
    ("removed", "documents_removed"),
    ("characters removed", "characters_removed"),
)


def report_page(report: dict[str, Any]) -> str:
    """Return the page of a `benchmarks.json`; whatever it holds is escaped."""
    documents, characters, settings = report["documents"], report["characters"], report["settings"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Decontamination</title>",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<style>{_STYLE}</style><h1>Decontamination</h1>",
        _paragraph(
            f"{documents['in']:,} documents: {documents['kept']:,} kept whole, {documents['split']:,} split into"
            f" {documents['pieces']:,} pieces, {documents['removed']:,} removed. {characters['removed']:,} of"
            f" {characters['in']:,} characters removed."
        ),
        _paragraph("Settings: " + ", ".join(f"{key} {value}" for key, value in settings.items())),
        *(_paragraph(text, "warning") for text in report["warnings"]),
        "<h2>Benchmarks</h2>",
        _table(
            ["benchmark", *(title for title, _ in _COLUMNS)],
            ([name, *(item[key] for _, key in _COLUMNS)] for name, item in report["benchmarks"].items()),
        ),
    ]
    for name, item in report["benchmarks"].items():
        if item["frequent_ngrams"] or item["longest_overlaps"] or item["warnings"]:
            parts += [f"<h3>{escape(name)}</h3>", *(_paragraph(text, "warning") for text in item["warnings"])]
            parts.append(_ngrams("documents", item["frequent_ngrams"]))
            overlaps = ([one["id"], one["words"], one["of"]] for one in item["longest_overlaps"])
            if item["longest_overlaps"]:
                parts.append(_table(["example", "longest overlap (words)", "of words"], overlaps))
    ignored = report["ignored_ngrams"]
    parts += [
        f"<h2>Ignored as common: {ignored['count']:,}</h2>",
        _ngrams("documents", ignored["most_frequent"]),
    ]
    return "\n".join(parts) + "\n"


def _paragraph(text: str, name: str = "") -> str:
    return f'<p class="{name}">{escape(text)}</p>' if name else f"<p>{escape(text)}</p>"


def _ngrams(title: str, rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    body = "".join(
        f"<tr><td class=text>{escape(row['ngram'])}</td><td>{row['documents']:,}</td></tr>" for row in rows
    )
    return f"<table><tr><th>n-gram<th>{escape(title)}</tr>{body}</table>"


def _table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))

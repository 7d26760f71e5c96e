"""What the dedup stage found, in a few lines."""

from typing import Any

from pipeline.report.html_parts import clean


def repeats_lines(summary: dict[str, Any] | None) -> list[str]:
    """Show to a person what was cut out of texts, by source."""
    if summary is None:
        return []
    what = "lines" if summary["unit"] == "line" else "runs of three sentences"
    return [
        f"repeats: {told['spans_cut']:,} {what} ({told['bytes_cut'] / max(1, told['bytes']):.1%} of the bytes) cut out of"
        f" {told['documents_cut']:,} of {told['documents']:,} documents of {name}"
        for name, told in summary["sources"].items()
    ]


def dedup_lines(summary: dict[str, Any] | None) -> list[str]:
    """Show a summary to a person: pairs of sources, clusters, templates."""
    if summary is None:
        return []
    lines = []
    for told in summary["levels"].values():
        lines += [
            f"dedup: {number:,} documents of {dropped} dropped as copies of {kept}"
            for dropped, kept, number in sorted(told["pairs"], key=lambda pair: (-pair[2], pair[0], pair[1]))[
                :10
            ]
        ]
        clusters = sum(number for _, number in told["clusters"])
        if clusters:
            largest = max(size for size, _ in told["clusters"])
            lines.append(
                f"dedup: {clusters:,} clusters, the largest of {largest:,} documents; {told['rescued']:,} documents stay"
                f" though their cluster has a better one, {told['undecided']:,} undecided"
            )
    lines += [
        f"dedup: template of {size:,} documents, the best is {clean(best, 100)}"
        for _, _, size, best in summary["templates"][:5]
    ]
    return lines

"""What a build came to, in a few lines that a newcomer understands."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.build import Outcome


def summary(workspace: str, outcome: "Outcome") -> str:
    """Say what went in, what became of it, and where the result lies."""
    lines = [ledger_table(outcome.ledger)]
    if not outcome.made:
        lines.append("Nothing to do: everything is there and current.")
    if outcome.dataset_digest:
        lines.append(f"dataset digest {outcome.dataset_digest}")
    lines.append(f"workspace      {workspace}")
    if outcome.dataset_digest:
        lines.append(f"report         {workspace.rstrip('/')}/report.html")
    return "\n".join(lines)


def ledger_table(ledger: dict[str, Any]) -> str:
    """One line a source and reason; the sums of each source add up to its records."""
    lines = [
        f"{'source':<16} {'records':>10} {'kept':>10} {'removed':>10} {'failed':>10}  most frequent reasons"
    ]
    for name, source in ledger["sources"].items():
        removed, failed = sum(source["removed"].values()), sum(source["failed"].values())
        reasons = sorted(
            {**source["removed"], **source["failed"]}.items(), key=lambda item: (-item[1], item[0])
        )
        shown = ", ".join(f"{rule} {number:,}" for rule, number in reasons[:4]) + (
            ", ..." if len(reasons) > 4 else ""
        )
        lines.append(
            f"{name:<16} {source['records']:>10,} {source['kept']:>10,} {removed:>10,} {failed:>10,}  {shown}"
        )
        lost = sum(item["length"] for item in source["bytes_skipped"])
        if lost:
            files = sorted({item["file"] for item in source["bytes_skipped"]})
            lines.append(
                f"{'':<16} {lost:,} bytes could not be read in {len(files)} file(s): {', '.join(files[:3])}"
            )
    return "\n".join(lines)

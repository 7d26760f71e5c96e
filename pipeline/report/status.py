"""What a workspace holds, read from its own files."""

from typing import Any

from pipeline.errors import UsageError
from pipeline.report.dedup_text import dedup_lines, repeats_lines
from pipeline.report.failures import failures, failures_text
from pipeline.report.summary import ledger_table
from pipeline.storage.listing import list_dir
from pipeline.units import format_bytes
from pipeline.workspace import Workspace


def read_status(root: str) -> dict[str, Any]:
    """Gather stages, ledger, failures, shards and mixtures of a workspace.

    Stages that judge records also tell `records`, `records_per_second` and `cpu_ms_per_record`.

    Raises:
        UsageError: `root` is no workspace.
    """
    workspace = Workspace(root)
    build = workspace.read_json("build.json")
    if build is None:
        raise UsageError(f"{root}: no workspace here (there is no build.json); `crawlmix build` fills one")
    shards = {}
    for source in list_dir(workspace.path("shards")):
        manifest = workspace.read_json("shards", source, "manifest.json")
        if manifest is not None:
            shards[source] = {key: manifest[key] for key in ("tokens", "documents", "dtype")} | {
                "shards": len(manifest["shards"])
            }
    mixtures = {}
    for name in list_dir(workspace.path("mixtures")):
        mixture = workspace.read_json("mixtures", name)
        mixtures[mixture["name"]] = {
            "samples": mixture["samples"],
            "sequence_length": mixture["sequence_length"],
            "weights": {source["name"]: source["weight"] for source in mixture["sources"]},
        }
    ledger = workspace.read_json("ledger.json")
    told = {
        "workspace": root,
        **build,
        "ledger": ledger,
        "failures": failures(workspace, ledger) if ledger else [],
        "shards": shards,
        "mixtures": mixtures,
    }
    told["stages"] = [_with_rates(stage, ledger) for stage in build.get("stages", [])]
    return told


def _with_rates(stage: dict[str, Any], ledger: dict[str, Any] | None) -> dict[str, Any]:
    sums = (ledger or {"stages": {}})["stages"].get(stage["name"])
    if not sums or not sums["in"] or stage["done"] < stage["parts"]:
        return stage  # where some parts were there already, the time is not that of all records
    records, seconds = sums["in"], stage["seconds"]
    return stage | {
        "records": records,
        "records_per_second": round(records / seconds, 3) if seconds > 0 else None,
        "cpu_ms_per_record": round(1000 * stage["cpu_seconds"] / records, 3),
    }


def status_text(status: dict[str, Any]) -> str:
    """Show a status to a person."""
    lines = [f"{status['workspace']}: recipe `{status['name']}`", *map(_stage_line, status["stages"])]
    if status["stages"]:
        wall, cpu = (sum(stage[key] for stage in status["stages"]) for key in ("seconds", "cpu_seconds"))
        lines.append(f"  {'all':<12} {'':>11}   {wall:>9,.1f} s   {cpu:>9,.1f} CPU-s")
    if status["ledger"]:
        lines.append(ledger_table(status["ledger"]))
        lines += dedup_lines(status["ledger"].get("dedup"))
        lines += repeats_lines(status["ledger"].get("repeats"))
    lines += failures_text(status["failures"])
    for source, told in status["shards"].items():
        size = format_bytes(told["tokens"] * (2 if told["dtype"] == "uint16" else 4))
        lines.append(
            f"shards/{source}: {told['tokens']:,} tokens of {told['documents']:,} documents in {told['shards']} shard(s), {size}"
        )
    for name, told in status["mixtures"].items():
        weights = ", ".join(f"{source} {weight}" for source, weight in told["weights"].items())
        lines.append(
            f"mixtures/{name}.json: {told['samples']:,} samples of {told['sequence_length']:,} tokens ({weights})"
        )
    lines.append(
        f"dataset digest {status['dataset_digest']}"
        if status.get("dataset_digest")
        else "not finished: `crawlmix build` continues it"
    )
    return "\n".join(lines)


def _stage_line(stage: dict[str, Any]) -> str:
    line = f"  {stage['name']:<12} {stage['parts']:>5} parts   {stage['seconds']:>9,.1f} s   {stage['cpu_seconds']:>9,.1f} CPU-s"
    if stage.get("records_per_second"):
        line += f"   {stage['records_per_second']:>10,.1f} records/s   {stage['cpu_ms_per_record']:>8,.2f} CPU-ms a record"
    return line

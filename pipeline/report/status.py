"""What a workspace holds, read from its own files."""

from typing import Any

from pipeline.errors import UsageError
from pipeline.report.summary import ledger_table
from pipeline.storage.listing import list_dir
from pipeline.units import format_bytes
from pipeline.workspace import Workspace


def read_status(root: str) -> dict[str, Any]:
    """Gather stages, ledger, shards and mixtures of a workspace.

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
            shards[source] = {key: manifest[key] for key in ("tokens", "documents", "dtype")} | {"shards": len(manifest["shards"])}
    mixtures = {}
    for name in list_dir(workspace.path("mixtures")):
        mixture = workspace.read_json("mixtures", name)
        mixtures[mixture["name"]] = {
            "samples": mixture["samples"],
            "sequence_length": mixture["sequence_length"],
            "weights": {source["name"]: source["weight"] for source in mixture["sources"]},
        }
    return {"workspace": root, **build, "ledger": workspace.read_json("ledger.json"), "shards": shards, "mixtures": mixtures}


def status_text(status: dict[str, Any]) -> str:
    """Show a status to a person."""
    lines = [f"{status['workspace']}: recipe `{status['name']}`"]
    for stage in status.get("stages", []):
        lines.append(
            f"  {stage['name']:<10} {stage['parts']:>5} parts   {stage['seconds']:>8.1f} s   {stage['cpu_seconds']:>8.1f} CPU-s"
        )
    if status["ledger"]:
        lines.append(ledger_table(status["ledger"]))
    for source, told in status["shards"].items():
        size = format_bytes(told["tokens"] * (2 if told["dtype"] == "uint16" else 4))
        lines.append(f"shards/{source}: {told['tokens']:,} tokens of {told['documents']:,} documents in {told['shards']} shard(s), {size}")
    for name, told in status["mixtures"].items():
        weights = ", ".join(f"{source} {weight}" for source, weight in told["weights"].items())
        lines.append(f"mixtures/{name}.json: {told['samples']:,} samples of {told['sequence_length']:,} tokens ({weights})")
    lines.append(
        f"dataset digest {status['dataset_digest']}" if status.get("dataset_digest") else "not finished: `crawlmix build` continues it"
    )
    return "\n".join(lines)

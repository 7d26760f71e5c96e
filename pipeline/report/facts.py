"""What a workspace's own small files say: stages, ledger, recipe, shards, mixtures, benchmarks. Reads no table."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mixtures.plan import plan_mixture
from pipeline.errors import CrawlmixError, UsageError
from pipeline.mixture_files import read_mixture
from pipeline.sections.root import Root
from pipeline.storage.listing import list_dir
from pipeline.workspace import Workspace, fingerprint

# The table that each judging stage writes.
TABLES = {
    "extract": "documents",
    "annotate": "annotations",
    "dedup": "duplicates",
    "repeats": "repeats",
    "decontaminate": "contamination",
}
_TOKEN_BYTES = {"uint16": 2, "int32": 4}
_SECRET = re.compile(r"(?<=//)[^/\s\"'@]+@")
_QUERY = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']+")


@dataclass(frozen=True)
class Facts:
    """All that a report tells without opening a table."""

    build: dict[str, Any]
    ledger: dict[str, Any]
    recipe: Root
    recipe_text: str
    shards: dict[str, dict[str, Any]]  # by source: tokens, documents, shards, bytes, tokenizer
    mixtures: dict[str, dict[str, Any]]  # by name: `mixtures.plan.Plan` as a dict
    benchmarks: dict[str, Any] | None  # contamination/benchmarks.json

    @property
    def stages(self) -> list[str]:
        """Names of the judging stages that are done, in order."""
        return list(self.ledger["stages"])

    @property
    def records(self) -> int:
        """All records."""
        return sum(source["records"] for source in self.ledger["sources"].values())

    @property
    def kept(self) -> int:
        """Records that stayed to the last judging stage done."""
        return sum(source["kept"] for source in self.ledger["sources"].values())

    def total(self, fate: str) -> dict[str, int]:
        """Records `removed` or `failed`, by rule, over all sources."""
        sums: dict[str, int] = {}
        for source in self.ledger["sources"].values():
            for rule, number in source[fate].items():
                sums[rule] = sums.get(rule, 0) + number
        return sums

    def digest(self, version: int) -> str:
        """Fingerprint of these facts: a report that carries it is current."""
        build = {**self.build, "stages": [s for s in self.build["stages"] if s["name"] != "report"]}
        return fingerprint(
            version,
            build,
            self.ledger,
            self.recipe_text,
            self.shards,
            self.mixtures,
            self.benchmarks,
        )


def read_facts(
    workspace: Workspace,
    build: Mapping[str, Any] | None = None,
    ledger: Mapping[str, Any] | None = None,
    recipe_text: str | None = None,
) -> Facts:
    """Read what the workspace says of itself.

    Args:
        workspace: to read.
        build: content of build.json, where it is not written yet.
        ledger: content of ledger.json, likewise.
        recipe_text: content of recipe.yaml, likewise.

    Raises:
        UsageError: no workspace, or no stage of it is done.
    """
    build = build or workspace.read_json("build.json")
    ledger = ledger or workspace.read_json("ledger.json")
    recipe_text = recipe_text or workspace.read_text("recipe.yaml")
    if build is None:
        raise UsageError(
            f"{workspace.root}: no workspace here (there is no build.json); `crawlmix build` fills one"
        )
    if ledger is None or recipe_text is None or not ledger.get("stages"):
        raise UsageError(f"{workspace.root}: no stage is done yet; `crawlmix build` continues this build")
    made = {stage["name"] for stage in build.get("stages", [])}
    return Facts(
        {"stages": [], "versions": {}, "dataset_digest": None, **build},
        dict(ledger),
        _recipe(workspace, recipe_text),
        without_secrets(recipe_text),
        _shards(workspace, list(ledger["sources"])) if "tokenize" in made else {},
        _mixtures(workspace) if "mix" in made else {},
        workspace.read_json("contamination", "benchmarks.json")
        if "decontaminate" in ledger["stages"]
        else None,
    )


def without_secrets(text: str) -> str:
    """Take user names, passwords and queries out of the URLs in a text: a report is shown around."""
    return _QUERY.sub(r"\1?...", _SECRET.sub("", text))


def _recipe(workspace: Workspace, text: str) -> Root:
    try:
        return Root.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError):
        raise CrawlmixError(
            f"{workspace.path('recipe.yaml')}: of another version, or changed by hand; build again to renew it"
        ) from None


def _shards(workspace: Workspace, sources: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for source in sources:
        manifest = workspace.read_json("shards", source, "manifest.json")
        if manifest is None:
            continue
        found[source] = {
            "tokens": manifest["tokens"],
            "documents": manifest["documents"],
            "shards": len(manifest["shards"]),
            "bytes": manifest["tokens"] * _TOKEN_BYTES[manifest["dtype"]],
            "tokenizer": manifest["tokenizer"]["name"],
            "sha256": fingerprint([shard["sha256"] for shard in manifest["shards"]]),
        }
    return found


def _mixtures(workspace: Workspace) -> dict[str, dict[str, Any]]:
    plans = {}
    for file in list_dir(workspace.path("mixtures")):
        if file.endswith(".json"):
            mixture = read_mixture(workspace.path("mixtures", file))
            plans[mixture.name] = json.loads(json.dumps(plan_mixture(mixture).to_dict()))
    return plans

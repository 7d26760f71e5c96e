"""Takes documents out of a finished dataset, or lets them back in, and redoes only what they touch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.build import STAGES, States, finish
from pipeline.context import Context, StageRecord
from pipeline.errors import UsageError
from pipeline.exclusions import Excluded, Exclusions
from pipeline.find_documents import Found, Wanted, part_paths
from pipeline.pool import WorkerPool
from pipeline.progress import Progress
from pipeline.storage.listing import list_dir
from pipeline.storage.lock import lock
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace, read_state
from pipeline.workspace_recipe import workspace_recipe
from pipeline.workspace_tokenizer import tokenizer_name

_TABLES = {
    "extract": "documents",
    "annotate": "annotations",
    "dedup": "duplicates",
    "repeats": "repeats",
    "decontaminate": "contamination",
}
_REDONE = {"exclude", "tokenize", "mix", "report"}
_SHOWN = 10


@dataclass(frozen=True)
class Counts:
    """What a source's shards hold."""

    documents: int
    tokens: int
    shards: dict[str, str]  # SHA-256 by file, those of the validation split included


@dataclass(frozen=True)
class Copy:
    """A document that dedup had removed, and the one whose copy it is."""

    source: str
    id: str
    copy_of: str


@dataclass(frozen=True)
class Outcome:
    """What a call of `exclude` came to."""

    undo: bool
    found: list[Found]
    changed: int  # documents that went out, or came back
    unmatched: list[str]  # lines that named no document
    total: int  # documents that are out now
    before: dict[str, Counts]
    after: dict[str, Counts]
    mixtures: list[str]  # names of those that changed
    copies_gone: list[Copy]  # removed earlier as copies of a document found; they stay removed
    copies_kept: list[Copy]  # found, but removed earlier as copies of a document that was not found: it stays
    dataset_digest: str | None

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        told = asdict(self)
        told["found"] = [
            {"source": one.source, "id": one.id, "url": one.url, "reason": one.line.reason}
            for one in self.found
        ]
        told["shards_changed"] = {name: _changed(self, name) for name in self.after}
        return told

    def to_text(self) -> str:
        """For people."""
        verb = "back in" if self.undo else "newly out"
        lines = [
            f"{len(self.found):,} documents found, {self.changed:,} {verb}; {self.total:,} are out in all"
        ]
        lines.append(f"{'source':<16} {'documents':>23} {'tokens':>31} {'shards redone':>14}")
        for name, after in self.after.items():
            before = self.before.get(name, after)
            lines.append(
                f"{name:<16} {f'{before.documents:,} -> {after.documents:,}':>23}"
                f" {f'{before.tokens:,} -> {after.tokens:,}':>31} {f'{len(_changed(self, name)):,} of {len(after.shards):,}':>14}"
            )
        lines.append(f"mixtures redone: {', '.join(self.mixtures) or 'none'}")
        lines += _listed(
            "removed earlier as a copy of one of them, and stays out",
            [f"{c.source} {c.id}, copy of {c.copy_of}" for c in self.copies_gone],
        )
        lines += _listed(
            "was out already as a copy of a document that STAYS; name that one as well if its text must go",
            [f"{c.source} {c.id}, copy of {c.copy_of}" for c in self.copies_kept],
        )
        lines += _listed("named no document of this workspace", self.unmatched)
        if self.dataset_digest:
            lines.append(f"dataset digest {self.dataset_digest}")
        return "\n".join(lines)


def exclude(
    root: str, wanted: Wanted, *, undo: bool = False, workers: int = 1, progress: Progress | None = None
) -> Outcome:
    """Take documents out of a workspace, for this and every later build.

    The list goes to `excluded.json`. Shards that held none of the documents stay as they are, and so do mixtures of
    other sources. Exactly the documents named go: copies of them are told, not searched for.

    Args:
        root: the workspace.
        wanted: which documents.
        undo: let them back in.
        workers: processes, should parts have to be tokenized again.
        progress: where to report; silent when None.

    Raises:
        UsageError: `root` is no workspace.
        CrawlmixError: another build is running there, or shards cannot be written.
    """
    workspace = Workspace(root)
    recipe = workspace_recipe(workspace)
    with lock(root):
        found = list(wanted.find(workspace))
        before = _counts(workspace)
        mixtures = _mixtures(workspace)
        old = Exclusions.read(workspace)
        named = [Excluded(one.source, one.id, one.url, one.line.reason) for one in found]
        new = old.without(named) if undo else old.with_more(named)
        if new.documents != old.documents:
            new.write(workspace)
        digest = None
        if list_dir(workspace.path("shards")):
            with WorkerPool(workers) as pool:
                digest = _redo(Context(recipe, workspace, pool, progress or Progress(quiet=True)))
        copies = _copies(workspace, found)
    hit = {one.line for one in found}
    return Outcome(
        undo,
        found,
        len(new.documents.keys() ^ old.documents.keys()),
        [line.reason for line in wanted.lines if line not in hit],
        len(new.documents),
        before,
        _counts(workspace),
        [name for name, told in _mixtures(workspace).items() if mixtures.get(name) != told],
        *copies,
        digest,
    )


def _redo(context: Context) -> str | None:
    """Cut the shards and make the mixtures again, from what earlier stages left in the workspace."""
    root, workspace = context.recipe.root, context.workspace
    left_out = {"repeats"} if root.dedup.repeats is None else set()
    left_out |= {"decontaminate"} if root.decontaminate is None else set()
    names = [name for name in STAGES if name in _TABLES and name not in left_out]
    told = workspace.read_json("build.json")
    context.records = [
        StageRecord(**{**stage, "done": 0})
        for stage in told.get("stages", [])
        if stage["name"] not in _REDONE
    ]
    stages: dict[str, States] = {}
    for name in names:
        stages[name] = states = {}
        for source in root.sources:
            folder = workspace.path(_TABLES[name], source)
            paths = [workspace.part(_TABLES[name], source, index) for index in range(len(list_dir(folder)))]
            found = [read_state(path) for path in paths]
            if None in found:
                raise UsageError(
                    f"{paths[found.index(None)]}: not a part of this release; build the workspace again"
                )
            states[source] = [state for state in found if state is not None]
    tables = tuple(_TABLES[name] for name in names)
    return finish(
        context, stages, stages[names[-1]], tables, tokenizer=tokenizer_name(workspace)
    ).dataset_digest


def _counts(workspace: Workspace) -> dict[str, Counts]:
    counts = {}
    for source in list_dir(workspace.path("shards")):
        told = workspace.read_json("shards", source, "manifest.json")
        held = workspace.read_json("shards", source, "validation", "manifest.json")
        if told is None:
            continue
        manifests = {"": told} | ({"validation/": held} if held else {})
        counts[source] = Counts(
            sum(manifest["documents"] for manifest in manifests.values()),
            sum(manifest["tokens"] for manifest in manifests.values()),
            {
                place + shard["file"]: shard["sha256"]
                for place, manifest in manifests.items()
                for shard in manifest["shards"]
            },
        )
    return counts


def _changed(outcome: Outcome, source: str) -> list[str]:
    before = outcome.before[source].shards if source in outcome.before else {}
    return [file for file, digest in outcome.after[source].shards.items() if before.get(file) != digest]


def _mixtures(workspace: Workspace) -> dict[str, str]:
    told = [workspace.read_json("mixtures", file) for file in list_dir(workspace.path("mixtures"))]
    return {mixture["name"]: mixture["fingerprint"] for mixture in told}


def _copies(workspace: Workspace, found: Sequence[Found]) -> tuple[list[Copy], list[Copy]]:
    """Removed copies of the documents found, and documents found that are themselves removed copies of others."""
    ids = {one.id for one in found}
    value_set = pa.array(sorted(ids), pa.string())
    gone: list[Copy] = []
    kept: list[Copy] = []
    for source in list_dir(workspace.path("documents")):
        paths = (part_paths(workspace, table, source) for table in ("documents", "duplicates"))
        for documents, duplicates in zip(*paths, strict=False):  # dedup may not have been done yet
            with open_input(documents) as names, open_input(duplicates) as beside:
                table = pq.read_table(pa.PythonFile(names), columns=["id"])
                copy_of = pq.read_table(pa.PythonFile(beside), columns=["duplicate_of"])["duplicate_of"]
            mine, its = pc.is_in(table["id"], value_set=value_set), pc.is_in(copy_of, value_set=value_set)
            table = table.append_column("copy_of", copy_of)
            some = pc.and_(pc.xor(mine, its), pc.is_valid(copy_of))
            for row in table.filter(some).to_pylist():
                (kept if row["id"] in ids else gone).append(Copy(source, row["id"], row["copy_of"]))
    return gone, kept


def _listed(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = [f"  ... and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return [f"{len(names):,} {what}:", *(f"  {name}" for name in names[:_SHOWN]), *more]


def wanted_from(urls: Sequence[Path], domains: Sequence[Path], ids: Sequence[Path]) -> Wanted:
    """Read the lists of a command line.

    Raises:
        UsageError: none is given, or one cannot be read.
    """
    if not (urls or domains or ids):
        raise UsageError("name the documents: --urls FILE, --domains FILE or --ids FILE")
    return Wanted.read(urls=urls, domains=domains, ids=ids)

"""Parts as the stages before dedup leave them, and the stage run over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import dedup_repeats, dedup_stage
from pipeline.annotate.trained_text import read_texts, text_edits
from pipeline.context import Context
from pipeline.dedup.columns import to_binary
from pipeline.dedup.settings import minhash_scheme
from pipeline.dedup.signature import signatures
from pipeline.document import DOCUMENTS
from pipeline.pool import WorkerPool
from pipeline.progress import Progress
from pipeline.recipe import parse_recipe
from pipeline.workspace import PartState, Workspace, fingerprint, read_state
from text.normalise import text_hashes


@dataclass(frozen=True)
class Doc:
    id: str
    text: str
    quality: float | None = None
    timestamp: str | None = None
    url: str | None = None
    alive: bool = True


Parts = Mapping[str, Sequence[Sequence[Doc]]]


class Said(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def dedup(root: Path, parts: Parts, settings: str = "{}", beam_options: Sequence[str] = ()) -> list[str]:
    """Write `parts` into the workspace `root` where they are not yet, and run the stage; returns what it said."""
    said = Said()
    with WorkerPool(1) as pool:
        context = _context(root, parts, settings, pool, said, beam_options)
        dedup_stage.run(context, _annotations(context, parts))
    return said.lines


def cut_repeats(
    root: Path, parts: Parts, settings: str, pool: WorkerPool
) -> tuple[int, dict[str, str | None]]:
    """Go on to the stage that cuts repeated text; returns the parts made, and the texts to train on by id."""
    context = _context(root, parts, f"{{preset: null, {settings}}}", pool, Said())
    states = dedup_stage.run(context, _annotations(context, parts))
    tables = ("documents", "annotations", "duplicates", "repeats")
    dedup_repeats.run(context, states, tables[:3])
    texts: dict[str, str | None] = {}
    for source, files in parts.items():
        edits = text_edits(context.recipe.root, source)
        for index in range(len(files)):
            paths = [context.workspace.part(table, source, index) for table in tables]
            for ids, _, found, _ in read_texts(paths, edits):
                texts |= dict(zip(ids.to_pylist(), found.to_pylist(), strict=True))
    return context.records[-1].done, texts


def _context(
    root: Path, parts: Parts, settings: str, pool: WorkerPool, said: Said, beam_options: Sequence[str] = ()
) -> Context:
    sources = "".join(f"  {name}: {{format: wet, paths: [none.wet]}}\n" for name in parts)
    recipe = parse_recipe(f"name: d\nsources:\n{sources}dedup: {settings}\n", base=root.parent)
    return Context(recipe, Workspace(str(root)), pool, said, beam_options)


def _annotations(context: Context, parts: Parts) -> dict[str, list[PartState]]:
    """Write `parts` where they are not yet."""
    recipe, workspace = context.recipe, context.workspace
    scheme = minhash_scheme(recipe.root.dedup)
    states: dict[str, list[PartState]] = {}
    for source, files in parts.items():
        states[source] = []
        for index, docs in enumerate(files):
            own = fingerprint([doc.__dict__ for doc in docs], str(scheme))
            path = workspace.part("annotations", source, index)
            state = read_state(path)
            if state is None or state.fingerprint != own:
                state = _write(workspace, source, index, docs, scheme, own)
            states[source].append(state)
    return states


def _write(workspace, source, index, docs, scheme, own) -> PartState:
    size = len(docs)
    state = PartState(own, rows=size, kept=sum(doc.alive for doc in docs))
    texts = pa.array([doc.text for doc in docs], pa.string())
    documents = {name: pa.nulls(size, DOCUMENTS.field(name).type) for name in DOCUMENTS.names}
    documents["text"] = texts
    for name in ("id", "timestamp", "url"):
        documents[name] = pa.array([getattr(doc, name) for doc in docs], pa.string())
    documents["fate"] = pa.array(["kept" if doc.alive else "removed" for doc in docs], pa.string())
    signature = pa.nulls(size, pa.binary())
    if scheme is not None:
        found = signatures(texts, scheme)
        signature = to_binary(found.minima, ~found.valid).cast(pa.binary())
    annotations = pa.table(
        {
            "characters": pa.array([len(doc.text) for doc in docs], pa.int32()),
            "quality": pa.array([doc.quality for doc in docs], pa.float32()),
            "text_hash": to_binary(text_hashes(texts)).cast(pa.binary(16)),
            "signature": signature,
            "fate": pa.array(["kept" if doc.alive else None for doc in docs], pa.string()),
        }
    )
    for table, content in (("documents", pa.table(documents)), ("annotations", annotations)):
        path = Path(workspace.part(table, source, index))
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {**(scheme.to_metadata() if scheme else {}), **state.to_metadata()}
        pq.write_table(content.replace_schema_metadata(metadata), path)
    return state


def fates(root: Path, parts: Parts) -> dict[str, list[dict]]:
    """Read rows of `duplicates` of each source, each with its `id`."""
    found = {}
    for source, files in parts.items():
        found[source] = []
        for index, docs in enumerate(files):
            rows = pq.read_table(Workspace(str(root)).part("duplicates", source, index)).to_pylist()
            found[source] += [{"id": doc.id, **row} for doc, row in zip(docs, rows, strict=True)]
    return found


def kept(root: Path, parts: Parts) -> set[str]:
    """Ids of the documents that stay."""
    return {row["id"] for rows in fates(root, parts).values() for row in rows if row["fate"] == "kept"}


def drops(root: Path, parts: Parts) -> dict[str, tuple[str | None, str]]:
    """What each dropped document is a copy of, and by which rule."""
    return {
        row["id"]: (row["duplicate_of"], row["rule"])
        for rows in fates(root, parts).values()
        for row in rows
        if row["fate"] == "removed"
    }

"""The mix stage: one mixture file for each mixture of the recipe, over the shards that are there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mixtures.manifest import MANIFEST
from mixtures.mixture import VALIDATION, Mixture, build_mixture
from mixtures.shards import ShardSet
from pipeline.context import Context
from pipeline.errors import CrawlmixError, as_user_error
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import is_remote, local_path
from pipeline.storage.publish import publish
from pipeline.storage.scratch import scratch_folder
from pipeline.workspace import Workspace, fingerprint


def run(context: Context) -> None:
    """Write `mixtures/<name>.json` for each mixture of the recipe, and remove those that it has no more.

    Raises:
        CrawlmixError: a mixture cannot be made of the shards: a source without tokens, a wrong weight.
    """
    record, start = context.begin("mix")
    root, workspace = context.recipe.root, context.workspace
    made: dict[str, Mixture] = {}
    with _manifests(
        workspace, {source for wanted in root.mixtures.values() for source in wanted.sources}
    ) as here:
        complete = not is_remote(workspace.root)
        for name, wanted in root.mixtures.items():
            shards = {
                source: ShardSet(here / "shards" / source, complete=complete) for source in wanted.sources
            }
            try:
                made[name] = build_mixture(
                    name,
                    shards,
                    relative_to=here / "mixtures",
                    weights=wanted.weights,
                    epochs=wanted.epochs,
                    sequence_length=wanted.sequence_length,
                    tokens=wanted.tokens,
                    seed=root.seed,
                )
            except ValueError as error:
                told = as_user_error(error)
                if told is None:
                    raise
                raise CrawlmixError(f"mixtures.{name}: {told}") from error
    for file in list_dir(workspace.path("mixtures")):
        if file.removesuffix(".json") not in made:
            remove(workspace.path("mixtures", file))
    for name, mixture in made.items():
        record.parts += 1
        stored = workspace.read_json("mixtures", f"{name}.json")
        if stored is None or stored.get("fingerprint") != mixture.fingerprint:
            with publish(workspace.path("mixtures", f"{name}.json")) as temporary:
                mixture.write(temporary)
            record.done += 1
    record.fingerprint = fingerprint([mixture.fingerprint for mixture in made.values()])
    record.seconds = time.monotonic() - start


@contextmanager
def _manifests(workspace: Workspace, sources: set[str]) -> Iterator[Path]:
    """A local folder with the manifests of `sources` where a workspace has them: the workspace itself, or a copy."""
    if not is_remote(workspace.root):
        yield local_path(workspace.root)
        return
    with scratch_folder() as scratch:
        for source in sorted(sources):
            for place in (("shards", source), ("shards", source, VALIDATION)):
                manifest = workspace.read_text(*place, MANIFEST)
                if manifest is not None:
                    scratch.joinpath(*place).mkdir(parents=True)
                    scratch.joinpath(*place, MANIFEST).write_text(manifest, encoding="utf-8")
        yield scratch

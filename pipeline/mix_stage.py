"""The mix stage: one mixture file for each mixture of the recipe, over the shards that are there."""

import time

from mixtures.mixture import Mixture, build_mixture
from mixtures.shards import ShardSet
from pipeline.context import Context
from pipeline.errors import CrawlmixError, as_user_error
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import local_path
from pipeline.workspace import fingerprint


def run(context: Context) -> None:
    """Write `mixtures/<name>.json` for each mixture of the recipe, and remove those that it has no more.

    Raises:
        CrawlmixError: a mixture cannot be made of the shards: a source without tokens, a wrong weight.
    """
    record, start = context.begin("mix")
    root, workspace = context.recipe.root, context.workspace
    folder = local_path(workspace.path("mixtures"))
    made: dict[str, Mixture] = {}
    for name, wanted in root.mixtures.items():
        shards = {source: ShardSet(local_path(workspace.path("shards", source))) for source in wanted.sources}
        try:
            made[name] = build_mixture(
                name,
                shards,
                relative_to=folder,
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
        path = folder / f"{name}.json"
        if (
            not path.is_file()
            or workspace.read_json("mixtures", path.name).get("fingerprint") != mixture.fingerprint
        ):
            mixture.write(path)
            record.done += 1
    record.fingerprint = fingerprint([mixture.fingerprint for mixture in made.values()])
    record.seconds = time.monotonic() - start

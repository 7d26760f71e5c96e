"""Plans of mixtures from whatever states them: a mixture file, a recipe with its workspace, or a table of sizes."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

import yaml

from mixtures.errors import MixtureError
from mixtures.mixture import Mixture
from mixtures.plan import Plan, mixture_spec, plan_mixture, plan_spec
from pipeline.errors import UsageError
from pipeline.mixture_files import read_manifest, read_mixture
from pipeline.recipe import Recipe, load_recipe
from pipeline.sections.mixture import Mixture as MixtureSection
from pipeline.storage.listing import list_dir
from pipeline.storage.paths import is_remote, join, local_path
from pipeline.workspace import Workspace

_FORMS = ("weight", "epochs")


def plan_all(
    source: str | None,
    *,
    workspace: str | None = None,
    name: str | None = None,
    changes: Mapping[str, Mapping[str, str]] | None = None,
    tokens: int | None = None,
    batch: int = 1,
    repeat_limit: float | None = None,
) -> list[Plan]:
    """Plan every mixture that `source` states.

    Args:
        source: a mixture file, a workspace, a recipe, or YAML with sizes of sources; GPT-3's own table when None.
        workspace: with a recipe: where its shards lie, whose sizes the plan needs.
        name: of the one mixture to plan.
        changes: `weight` or `epochs` of sources, instead of those stated: {"weight": {"books": "10"}}.
        tokens: of the run, instead of those stated.
        batch: samples of the largest training step.
        repeat_limit: epochs above which a source is warned about.

    Raises:
        UsageError: the source cannot be read, is none of these, or has no such mixture or source.
        MixtureError: a weight, size or shard is at fault.
    """
    asked = {form: dict(of) for form, of in (changes or {}).items() if of}
    limit = {} if repeat_limit is None else {"repeat_limit": repeat_limit}
    if not asked and tokens is None:
        mixtures = _files(source)
        if mixtures is not None:
            chosen = _choose(source, {mixture.name: mixture for mixture in mixtures}, name)
            return [plan_mixture(mixture, batch=batch, **limit) for mixture in chosen]
    specs = _choose(
        source, {str(spec.get("name", "mixture")): spec for spec in _specs(source, workspace)}, name
    )
    return [
        plan_spec(_changed(source, spec, asked, tokens), batch=batch, repeat_limit=repeat_limit)
        for spec in specs
    ]


def _files(source: str | None) -> list[Mixture] | None:
    """Mixture files behind a path; None if it states mixtures in another form."""
    if source is None:
        return None
    if source.endswith(".json"):
        return [read_mixture(source)]
    if not is_remote(source) and not local_path(source).is_dir():
        return None
    folder = join(source, "mixtures")
    found = [read_mixture(join(folder, file)) for file in list_dir(folder)]
    if not found:
        raise UsageError(f"{source}: no mixtures in this folder; `crawlmix build` makes them")
    return found


def _specs(source: str | None, workspace: str | None) -> list[dict[str, Any]]:
    mixtures = _files(source)
    if mixtures is not None:
        return [mixture_spec(mixture) for mixture in mixtures]
    raw = _read(source)
    sources = raw.get("sources")
    is_recipe = isinstance(sources, Mapping) and any(
        isinstance(about, Mapping) and "format" in about for about in sources.values()
    )
    if not is_recipe:
        return [raw]
    assert source is not None
    recipe = load_recipe(source)
    if workspace is None:
        raise UsageError(
            f"{source}: how many tokens its sources have is known when they are built; give the build's folder with"
            " --workspace, or a table of sizes such as mixtures/gpt3.yaml"
        )
    if not recipe.root.mixtures:
        raise UsageError(f"{source}: has no `mixtures`")
    return [_recipe_spec(recipe, name, wanted, workspace) for name, wanted in recipe.root.mixtures.items()]


def _recipe_spec(recipe: Recipe, name: str, wanted: MixtureSection, workspace: str) -> dict[str, Any]:
    sources: dict[str, dict[str, Any]] = {}
    for source in wanted.sources:
        manifest = read_manifest(Workspace(workspace).path("shards", source))
        if not manifest.tokens:
            raise MixtureError(
                f"{workspace}: source `{source}` has no tokens; leave it out of mixture `{name}`"
            )
        form = (
            {"weight": wanted.weights[source]}
            if source in wanted.weights
            else {"epochs": wanted.epochs[source]}
        )
        sources[source] = {"tokens": manifest.tokens, **form}
    spec: dict[str, Any] = {"name": name, "seed": recipe.root.seed, "sequence_length": wanted.sequence_length}
    return spec | ({} if wanted.tokens is None else {"tokens": wanted.tokens}) | {"sources": sources}


def _read(path: str | None) -> dict[str, Any]:
    try:
        table = files("mixtures").joinpath("gpt3.yaml") if path is None else local_path(path)
        text = table.read_text(encoding="utf-8")
        spec = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(spec, dict):
        raise UsageError(f"{path}: expected a recipe, or `tokens` and `sources` as in mixtures/gpt3.yaml")
    return spec


def _choose(source: str | None, found: Mapping[str, Any], name: str | None) -> list[Any]:
    if name is None:
        return list(found.values())
    if name not in found:
        raise UsageError(f"{source}: no mixture `{name}`; there are {', '.join(found)}")
    return [found[name]]


def _changed(
    source: str | None, spec: dict[str, Any], changes: Mapping[str, Mapping[str, str]], tokens: int | None
) -> dict[str, Any]:
    """The spec with other weights, epochs and size; a source has one of the two forms."""
    sources = dict(spec.get("sources") or {})
    for form, of in changes.items():
        for name, value in of.items():
            if name not in sources:
                near = get_close_matches(name, list(sources), n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sources)}"
                raise UsageError(f"{source or 'gpt3.yaml'}: no source `{name}` to change; {hint}")
            kept = {key: told for key, told in sources[name].items() if key not in _FORMS}
            sources[name] = kept | {form: value}
    return spec | {"sources": sources} | ({} if tokens is None else {"tokens": tokens})

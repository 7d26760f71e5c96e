"""Whose folder a workspace is: refuses what is no workspace, and what another recipe fills."""

from pipeline.errors import UsageError
from pipeline.recipe import Recipe
from pipeline.storage.listing import list_dir
from pipeline.storage.paths import HTTP, is_remote, local_path, scheme, shown
from pipeline.storage.publish import write_json
from pipeline.workspace import Workspace

_TABLES = {
    "documents",
    "annotations",
    "duplicates",
    "repeats",
    "contamination",
    "shards",
    "mixtures",
    "models",
}
_OTHERS = {".lock", ".work", "recipe.json", "excluded.json"}


def check_root(root: str) -> None:
    """Refuse a workspace that nothing can be written to; changes nothing.

    Raises:
        UsageError: the name is empty, names a file, or is an http address.
    """
    if not root.strip():
        raise UsageError("the workspace has no name; give --workspace a folder")
    if scheme(root) in HTTP:
        raise UsageError(f"{shown(root)}: http cannot be written; use a local folder, s3:// or gs://")
    if not is_remote(root):
        folder = local_path(root).absolute()
        file = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if file.exists() and not file.is_dir():
            raise UsageError(f"{root}: cannot be used as workspace ({file} is a file); choose a folder")


def check_claim(workspace: Workspace, recipe: Recipe) -> bool:
    """Say whether the recipe fills this workspace already; changes nothing.

    A claim without any output, left by a build that stopped at its first step, does not count.

    Raises:
        UsageError: another recipe fills it, or it is a folder of something else.
    """
    found = list_dir(workspace.root)
    told = workspace.read_json("build.json") if "build.json" in found else None
    if told is None:
        foreign = [name for name in found if name not in _OTHERS | _TABLES]
        if foreign:
            raise UsageError(
                f"{workspace.root}: not empty and not a workspace (found {foreign[0]}); choose a new or empty folder"
            )
        return False
    name = told.get("name") if isinstance(told, dict) else None
    if name == recipe.root.name:
        return True
    if _TABLES.isdisjoint(found):
        return False
    raise UsageError(
        f"{workspace.root}: holds the build of recipe `{name}`, this one is `{recipe.root.name}`;"
        " choose another --workspace"
    )


def claim(workspace: Workspace, recipe: Recipe) -> None:
    """Write the recipe's name into the workspace, so that no other recipe fills it; raises as `check_claim` does."""
    if not check_claim(workspace, recipe):
        write_json(workspace.path("build.json"), {"name": recipe.root.name})

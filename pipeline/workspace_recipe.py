"""The recipe that a workspace was built from, read back from the workspace itself."""

from pathlib import Path

from pipeline.errors import UsageError
from pipeline.recipe import Recipe, parse_recipe
from pipeline.storage.paths import is_remote, local_path
from pipeline.storage.reading import exists
from pipeline.workspace import Workspace


def workspace_recipe(workspace: Workspace) -> Recipe:
    """Read `recipe.yaml` of a workspace; its relative paths are not where the original's are.

    Raises:
        UsageError: there is no workspace.
    """
    text = workspace.read_text("recipe.yaml") if exists(workspace.path("build.json")) else None
    if text is None:
        raise UsageError(f"{workspace.root}: no workspace here; `crawlmix build` fills one")
    base = Path.cwd() if is_remote(workspace.root) else local_path(workspace.root)
    return parse_recipe(text, base=base, file=workspace.path("recipe.yaml"))

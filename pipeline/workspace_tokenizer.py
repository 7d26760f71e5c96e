"""The tokenizer that a workspace's shards were made with, kept beside them: shards outlive the file it came from."""

from pipeline.storage.cache import local_copy
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import name as base_name
from pipeline.storage.publish import write_text
from pipeline.tokenize.tokenizer import Tokenizer, load_tokenizer
from pipeline.workspace import Workspace

_PLACE = ("models", "tokenizer")


def keep_tokenizer(workspace: Workspace, name: str) -> None:
    """Copy a tokenizer.json to `models/tokenizer/`, in place of an earlier one; `gpt2` needs no copy.

    Args:
        workspace: to keep it in.
        name: `gpt2`, or the path or URL of a tokenizer.json.
    """
    file = None if name == "gpt2" else base_name(name)
    for other in list_dir(workspace.path(*_PLACE)):
        if other != file:
            remove(workspace.path(*_PLACE, other))
    if file is not None:
        text = local_copy(name).read_text(encoding="utf-8")
        if workspace.read_text(*_PLACE, file) != text:
            write_text(workspace.path(*_PLACE, file), text)


def tokenizer_name(workspace: Workspace) -> str:
    """Name the tokenizer of a workspace as `load_tokenizer` takes it."""
    files = list_dir(workspace.path(*_PLACE))
    return workspace.path(*_PLACE, files[0]) if files else "gpt2"


def workspace_tokenizer(workspace: Workspace) -> Tokenizer:
    """Load the tokenizer of a workspace.

    Raises:
        UsageError: it was changed so that it cannot be loaded.
    """
    return load_tokenizer(tokenizer_name(workspace))

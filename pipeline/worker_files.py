"""Files of the recipe that every worker opens: where the workspace is on an object store, they are put there too."""

from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.storage.listing import list_files
from pipeline.storage.paths import is_remote, join, local_path, name
from pipeline.storage.publish import upload
from pipeline.storage.reading import exists
from pipeline.workspace import Workspace

_PLACE = "files"


def worker_file(workspace: Workspace, file: str) -> str:
    """Say where workers find a file: where it is, or in `.work/files/` of a remote workspace if it is local.

    Args:
        workspace: of the build.
        file: path or URL; a local one that is not there is left to whoever opens it.
    """
    if not is_remote(workspace.root) or is_remote(file) or not local_path(file).is_file():
        return file
    content = local_path(file)
    place = workspace.work(_PLACE, _digest(content), name(file))
    if not exists(place):
        upload(content, place)
    return place


def worker_folder(workspace: Workspace, folder: str, last: str) -> str:
    """Say where workers find the files of a folder, as `worker_file` does; `last` is the file that vouches for all."""
    if not is_remote(workspace.root) or is_remote(folder) or not local_path(folder).joinpath(last).is_file():
        return folder
    files = sorted((file.name for file in list_files(folder)), key=lambda file: (file == last, file))
    digests = "".join(_digest(local_path(folder) / file) for file in files)
    place = workspace.work(_PLACE, sha256(digests.encode()).hexdigest()[:16])
    if not exists(join(place, last)):
        for file in files:
            upload(local_path(folder) / file, join(place, file))
    return place


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]

"""Local folders for what is on its way to an object store, or is needed while one piece of work is done.

They lie in the temporary folder of the machine (`TMPDIR`), and are gone when the block ends. What killed processes left
there is removed when the next one is made.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import CrawlmixError
from pipeline.storage.held import discard, hold


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder of this process; it is removed when the block ends.

    Raises:
        CrawlmixError: the temporary folder cannot be written.
    """
    root = scratch_root()
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.stat().st_uid != os.getuid():
            raise CrawlmixError(f"{root}: belongs to another user; set TMPDIR to a folder of your own")
        folder = root / uuid.uuid4().hex
        descriptor = hold(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise CrawlmixError(
            f"{root}: cannot be written ({error.strerror}); set TMPDIR to a folder with room"
        ) from error
    sweep(root)
    try:
        yield folder
    finally:
        if descriptor is not None:
            os.close(descriptor)
        discard(folder)


def scratch_root() -> Path:
    """The folder in which scratch folders of this user lie."""
    return Path(tempfile.gettempdir()) / f"crawlmix-{os.getuid()}"


def sweep(root: Path) -> None:
    """Remove what dead processes left in a folder of scratch folders."""
    with suppress(OSError):  # another process sweeps at the same time
        for mark in sorted(root.glob("*.lock")):
            discard(mark.with_suffix(""))

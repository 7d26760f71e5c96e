"""The files of a source: found by pattern or manifest, measured, and named as reports name them."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.recipe import Recipe
from pipeline.sections.source import Source
from pipeline.sources.open_reader import ALWAYS_SPLITTABLE, is_splittable
from pipeline.storage.globs import expand, find
from pipeline.storage.identity import identities, identity, object_identity
from pipeline.storage.listing import StoredFile
from pipeline.storage.manifest import read_manifest
from pipeline.storage.paths import OBJECT_STORES, is_remote, local_path, scheme, shown
from pipeline.storage.reading import open_input

_THREADS = 8  # that ask for sizes of remote files; storage limits the requests for each host
_HEAD_BYTES = 64
_WORTH_LISTING = 50  # files of one folder: a listing of 1,000 costs what a request for one does


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a source: how the recipe reaches it, and what it is called in ids and reports."""

    url: str
    shown: str
    size: int
    identity: str  # changes when the bytes do: size and time, or the store's own tag
    splittable: bool  # and worth splitting


def list_files(recipe: Recipe, source: Source, *, slice_bytes: int) -> list[InputFile]:
    """Find the files of a source, in the order of its patterns or of its manifest.

    Only files of more than `slice_bytes` are asked whether they can be split; for others it is no matter.

    Raises:
        UsageError: a pattern without a match, a file that cannot be read, a wrong manifest.
        CrawlmixError: a server does not answer.
    """
    base = str(recipe.base)
    listed = ""
    if source.paths is not None:
        found: dict[str, StoredFile | None] = {}
        for pattern in source.paths:
            found |= {url: told for url, told in find([pattern], base).items() if url not in found}
        urls = list(found)
        known = {url: object_identity(told) for url, told in found.items() if told is not None}
    else:
        assert source.manifest is not None
        manifest = expand([source.manifest], base)[0]
        urls = read_manifest(
            manifest, base_url=source.base_url, sample=source.sample, seed=recipe.root.seed, base=base
        )
        listed = f" (listed in {shown(manifest)})"
        known = _listed(urls)

    def measure(url: str) -> InputFile:
        try:
            size, tag = known.get(url) or identity(url)
            split = size > min(slice_bytes, source.part_bytes) and _is_splittable(source.format, url)
        except UsageError as error:
            if listed:
                raise UsageError(f"{error}{listed}; is `base_url` right?") from None
            raise
        return InputFile(url, _shown(url, base), size, tag, split)

    opened = source.format not in ALWAYS_SPLITTABLE
    asked = any(is_remote(url) and (opened or url not in known) for url in urls)
    return list(_each(measure, urls) if asked else map(measure, urls))


def _listed(urls: list[str]) -> dict[str, tuple[int, str]]:
    """Sizes and tags of objects whose folders can be listed and are worth it."""
    folders = Counter(url.rpartition("/")[0] for url in urls if scheme(url) in OBJECT_STORES)
    wanted = set(urls)
    found: dict[str, tuple[int, str]] = {}
    for folder in sorted(folder for folder, count in folders.items() if count >= _WORTH_LISTING):
        with suppress(UsageError):  # some stores let anybody read and nobody list
            found.update((url, told) for url, told in identities(folder) if url in wanted)
    return found


def _each(measure: Callable[[str], InputFile], urls: list[str]) -> Iterable[InputFile]:
    with ThreadPoolExecutor(_THREADS) as threads:
        try:
            yield from threads.map(measure, urls)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _is_splittable(file_format: str, url: str) -> bool:
    if file_format in ALWAYS_SPLITTABLE:
        return True
    with open_input(url) as stream:
        return is_splittable(file_format, stream.read(_HEAD_BYTES))


def _shown(url: str, base: str) -> str:
    if is_remote(url):
        return url.partition("?")[0]
    return local_path(url).as_posix().removeprefix(base.rstrip("/") + "/")

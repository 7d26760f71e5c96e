"""The files of a source: found by pattern or manifest, measured, and named as reports name them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.recipe import Recipe
from pipeline.sections import Source
from pipeline.sources.open_reader import is_splittable
from pipeline.storage.globs import expand
from pipeline.storage.identity import identity
from pipeline.storage.manifest import read_manifest
from pipeline.storage.paths import is_remote, local_path, shown
from pipeline.storage.reading import open_input

_THREADS = 8  # that ask for sizes of remote files; storage limits the requests for each host
_HEAD_BYTES = 64


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
        urls = list(dict.fromkeys(url for pattern in source.paths for url in expand([pattern], base)))
    else:
        assert source.manifest is not None
        manifest = expand([source.manifest], base)[0]
        urls = read_manifest(
            manifest, base_url=source.base_url, sample=source.sample, seed=recipe.root.seed, base=base
        )
        listed = f" (listed in {shown(manifest)})"

    def measure(url: str) -> InputFile:
        try:
            size, tag = identity(url)
            split = size > min(slice_bytes, source.part_bytes) and _is_splittable(source.format, url)
        except UsageError as error:
            if listed:
                raise UsageError(f"{error}{listed}; is `base_url` right?") from None
            raise
        return InputFile(url, _shown(url, base), size, tag, split)

    return list(_each(measure, urls))


def _each(measure: Callable[[str], InputFile], urls: list[str]) -> Iterable[InputFile]:
    if not any(is_remote(url) for url in urls):
        yield from map(measure, urls)
        return
    with ThreadPoolExecutor(_THREADS) as threads:
        try:
            yield from threads.map(measure, urls)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _is_splittable(file_format: str, url: str) -> bool:
    with open_input(url) as stream:
        return is_splittable(file_format, stream.read(_HEAD_BYTES))


def _shown(url: str, base: str) -> str:
    if is_remote(url):
        return url.partition("?")[0]
    return local_path(url).as_posix().removeprefix(base.rstrip("/") + "/")

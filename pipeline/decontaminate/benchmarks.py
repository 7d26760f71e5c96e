"""Reading benchmarks: which files make which set, and the text of each example."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.decontaminate.rows import ENDINGS, Row, format_of, read_rows, stem
from pipeline.decontaminate.settings import BenchmarkSettings
from pipeline.errors import UsageError
from pipeline.sources.jsonl import without_surrogates
from pipeline.storage.globs import expand
from pipeline.storage.paths import is_remote, local_path, resolve, shown
from pipeline.storage.reading import open_input

_BLOCK = 1 << 20
_MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class BenchmarkFiles:
    """The files of one benchmark, and how they are read."""

    name: str
    files: tuple[str, ...]
    settings: BenchmarkSettings


@dataclass(slots=True)
class Benchmark:
    """A benchmark as read: example i has `ids[i]` and `texts[i]`."""

    name: str
    settings: BenchmarkSettings
    ids: list[str]  # distinct
    texts: pa.Array  # (n,) large_string
    warnings: list[str] = field(default_factory=list)


def find_benchmarks(
    paths: Sequence[str],
    base: str,
    settings: Mapping[str, BenchmarkSettings] | None = None,
    default: BenchmarkSettings | None = None,
) -> list[BenchmarkFiles]:
    """Turn paths into benchmarks, sorted by name; files that share a name but for their endings are one benchmark.

    Args:
        paths: files, patterns, or folders, of which every file of a known kind below is taken.
        base: the folder that relative paths start at.
        settings: by name of the benchmark.
        default: for benchmarks that `settings` does not name.

    Raises:
        UsageError: a path leads to nothing, or settings name a benchmark that is not there.
    """
    by_name: dict[str, list[str]] = {}
    for file in _files(paths, base):
        by_name.setdefault(stem(file), []).append(file)
    given = settings or {}
    for name in given:
        if name not in by_name:
            raise UsageError(
                f"benchmark settings: there is no benchmark `{name}`; found: {', '.join(sorted(by_name))}"
            )
    fallback = default or BenchmarkSettings()
    return [
        BenchmarkFiles(name, tuple(sorted(files)), given.get(name, fallback))
        for name, files in sorted(by_name.items())
    ]


def files_digest(benchmarks: Sequence[BenchmarkFiles]) -> str:
    """Hash names, settings and contents: what the fingerprint of an index rests on."""
    digest = sha256()
    for benchmark in benchmarks:
        digest.update(f"{benchmark.name}\0{benchmark.settings!r}\0".encode())
        for file in benchmark.files:
            content = sha256()
            with open_input(file) as stream:
                while block := stream.read(_BLOCK):
                    content.update(block)
            digest.update(f"{format_of(file)}\0".encode() + content.digest())
    return digest.hexdigest()


def read_benchmark(benchmark: BenchmarkFiles) -> Benchmark:
    """Read all examples of a benchmark.

    Invalid UTF-8, repeated ids and an empty set are warnings: what can be protected is. A row that cannot be read
    is an error, since its example would silently stay unprotected.

    Raises:
        UsageError: a row that is no object or has no text, or an example that is larger than the limit.
    """
    settings = benchmark.settings
    ids: list[str] = []
    texts: list[str] = []
    replaced = 0
    for file in benchmark.files:
        for row in read_rows(file, max_bytes=settings.max_example_bytes, unit=settings.unit):
            place = f"{shown(file)}: {row.place}"
            if row.error is not None:
                raise UsageError(f"{place}: {row.error}{_remedy(row.error)}")
            text = without_surrogates(_text(row, settings, place))
            size = len(text) if text.isascii() else len(text.encode())
            if size > settings.max_example_bytes:
                raise UsageError(f"{place}: an example of {size:,} bytes{_remedy('more than')}")
            replaced += row.replaced
            ids.append(_id(row, settings))
            texts.append(text)
    warnings = []
    if not texts:
        warnings.append("no examples: the benchmark is empty")
    if replaced:
        warnings.append(f"{replaced:,} of {len(texts):,} examples held invalid UTF-8, read as U+FFFD")
    if repeated := len(ids) - len(set(ids)):
        warnings.append(
            f"{repeated:,} of {len(ids):,} ids are repeated; later ones are told apart by ~2, ~3, ..."
        )
        ids = _distinct(ids)
    return Benchmark(benchmark.name, settings, ids, pa.array(texts, pa.large_string()), warnings)


def fill_template(template: str, value: Mapping[str, Any]) -> str:
    """Put an object's fields in the place of `{field}`; lists are joined by line ends, a dot leads into an object.

    Raises:
        KeyError: the object has no such field.
    """
    parts = []
    rest = template
    while "{" in rest:
        before, _, after = rest.partition("{")
        name, closed, rest = after.partition("}")
        parts += [before, _joined(_lookup(value, name))] if closed else [before, "{", name]
    return "".join([*parts, rest])


def _files(paths: Sequence[str], base: str) -> list[str]:
    found: set[str] = set()
    for path in paths:
        url = resolve(path, base)
        if not is_remote(url) and Path(local_path(url)).is_dir():
            inside = [
                str(file)
                for file in sorted(local_path(url).rglob("*"))
                if _is_benchmark(file, local_path(url))
            ]
            if not inside:
                raise UsageError(f"{path}: holds no benchmark; expected files ending in {', '.join(ENDINGS)}")
            found.update(inside)
        else:
            found.update(expand([path], base))
    if len(found) > _MAX_FILES:
        raise UsageError(
            f"{len(found):,} benchmark files; at most {_MAX_FILES:,} are read, so put examples together"
        )
    if not found:
        raise UsageError("no benchmarks: name at least one file or folder")
    return sorted(found)


def _is_benchmark(file: Path, folder: Path) -> bool:
    hidden = any(step.startswith(".") for step in file.relative_to(folder).parts)
    return not hidden and file.is_file() and format_of(str(file)) is not None


def _text(row: Row, settings: BenchmarkSettings, place: str) -> str:
    value = row.value
    if not isinstance(value, dict):
        return value or ""
    try:
        if settings.template is not None:
            return fill_template(settings.template, value)
        return _joined(_lookup(value, settings.text))
    except KeyError as error:
        names = ", ".join(map(str, list(value)[:20])) or "none"
        wanted = f"the template `{settings.template}`" if settings.template else "`text`"
        raise UsageError(
            f"{place}: no field {error} for {wanted}; fields: {names}. Say which to use, as in"
            ' `template: "{question} {choices} {answer}"`'
        ) from None


def _lookup(value: Mapping[str, Any], path: str) -> Any:
    if path in value:
        return value[path]
    found: Any = value
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            raise KeyError(path)
        found = found[step]
    return found


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "\n".join(_strings(value.values()))
    if isinstance(value, (list, tuple)):
        return "\n".join(_strings(value))
    return json.dumps(value, default=str)


def _strings(values: Any) -> Iterator[str]:
    """Texts of nested lists and objects, in order, without recursion: nesting is the file's choice."""
    stack = [iter(values)]
    while stack:
        for value in stack[-1]:
            if isinstance(value, Mapping):
                stack.append(iter(value.values()))
                break
            if isinstance(value, (list, tuple)):
                stack.append(iter(value))
                break
            yield _joined(value)
        else:
            stack.pop()


def _id(row: Row, settings: BenchmarkSettings) -> str:
    found = row.value.get(settings.id) if isinstance(row.value, dict) else None
    if isinstance(found, str) and found:
        return without_surrogates(found[:1024])
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return str(row.number)


def _distinct(ids: list[str]) -> list[str]:
    taken = set(ids)
    seen: Counter[str] = Counter()
    found = []
    for item in ids:
        seen[item] += 1
        named = item
        while seen[item] > 1 and named in taken:
            named = f"{item}~{seen[item]}"
            seen[item] += named in taken
        taken.add(named)
        found.append(named)
    return found


def _remedy(error: str) -> str:
    if error.startswith("more than"):
        return "; that is no example of a benchmark. Cut it, or raise `max_example_bytes`"
    return ""

"""Recipes: YAML in, a checked `Root` out; errors name file, line, key, what was expected and the nearest key."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import UsageError
from pipeline.sections.root import Root
from pipeline.storage.paths import is_remote, local_path

_MAX_RECIPE_BYTES = 4 << 20
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Recipe:
    """A checked recipe and the folder that its relative paths start from."""

    root: Root
    base: Path
    file: str
    lines: Mapping[Path_, int] = field(default_factory=dict, compare=False, repr=False)

    def place(self, *path: str | int) -> str:
        """Name a key for a message: file, line, dotted key."""
        return f"{self.file}:{_line(path, self.lines)}: {_dotted(path)}"

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved recipe: the same for two files that say the same."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Write every setting, defaults included, in a fixed order."""
        return json.dumps(self.root.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)

    def to_yaml(self) -> str:
        """Write every setting, defaults included, as a recipe that says the same."""
        return yaml.safe_dump(
            self.root.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100
        )

    def with_language_model(self, path: str | None) -> "Recipe":
        """Return the recipe with another fastText language model; itself when `path` is None."""
        if path is None:
            return self
        root = self.root.model_copy(update={"language_model": str(Path(path).resolve())})
        return replace(self, root=root)

    @property
    def tokenizer(self) -> str:
        """`gpt2`, or the path or URL of a tokenizer.json."""
        given = self.root.tokenizer
        return given if given == "gpt2" else self.located(given)

    @property
    def language_model(self) -> str | None:
        """Path or URL of the language model, or None for the default one."""
        given = self.root.language_model
        return None if given is None else self.located(given)

    def located(self, given: str) -> str:
        """Where a path of the recipe leads: relative ones start at its folder, URLs stay."""
        return given if is_remote(given) else str((self.base / local_path(given)).resolve())


class _Loader(yaml.SafeLoader):
    """YAML without aliases (a recipe needs none; they can blow up) that refuses duplicate keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs miss it
            raise yaml.composer.ComposerError(None, None, "aliases are not supported in recipes", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key_node.value}` stands here twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Relative paths inside it start from its folder; `${NAME}` and `${NAME:-default}` take environment variables.

    Raises:
        UsageError: the file cannot be read, is not YAML, or says something that a recipe cannot say. The message
            holds one line per finding: file, line, key, finding, remedy.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise UsageError(f"{file}: is a folder; give the recipe's file")
        with file.open("rb") as stream:
            raw = stream.read(_MAX_RECIPE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: cannot read the recipe: {error.strerror}") from None
    if len(raw) > _MAX_RECIPE_BYTES:
        raise UsageError(f"{file}: larger than {_MAX_RECIPE_BYTES >> 20} MiB; this is not a recipe")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 at byte {error.start}; a recipe is YAML text") from None
    return parse_recipe(text, base=file.resolve().parent, file=str(file))


def parse_recipe(text: str, *, base: Path, file: str = "recipe") -> Recipe:
    """Check the text of a recipe; see `load_recipe`."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"{mark.line + 1}:{mark.column + 1}" if mark else "1"
        raise UsageError(f"{file}:{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(
            f"{file}: not YAML: {str(error).splitlines()[0] if str(error) else 'nested too deep'}"
        ) from None
    finally:
        loader.dispose()
    if node is None or not isinstance(data, dict):
        raise UsageError(
            f"{file}:1: expected keys such as `name:` and `sources:`; `crawlmix init` writes a recipe"
        )
    lines: dict[Path_, int] = {}
    _collect_lines(node, (), lines)
    problems: list[str] = []
    data = _substitute(data, (), lines, file, problems)
    if problems:
        raise UsageError("\n".join(problems))
    return Recipe(_validate(data, lines, file), base, file, lines)


def _validate(data: dict[str, Any], lines: dict[Path_, int], file: str) -> Root:
    """Check all: a section with an unknown key is looked at again without it, for its other mistakes."""
    messages: list[str] = []
    while True:
        try:
            root = Root.model_validate(data)
        except ValidationError as error:
            unknown = [place for item in error.errors() if (place := _unknown_key(item))]
            found = _explain(error, lines, file)
        else:
            unknown, found = [], []
        messages += [message for message in found if message not in messages]
        before = data
        for place in unknown:
            data = _without(data, place)
        if data == before:
            if messages:
                raise UsageError("\n".join(messages))
            return root


def _unknown_key(item: Any) -> Path_ | None:
    found = re.match(r"Value error, unknown key `([^`]*)`", item["msg"])
    return (*item["loc"], found[1]) if found else None


def _without(value: Any, path: Path_) -> Any:
    step, *rest = path
    if isinstance(value, list):
        return [_without(item, tuple(rest)) if i == step else item for i, item in enumerate(value)]
    return {
        key: _without(item, tuple(rest)) if rest and key == step else item
        for key, item in value.items()
        if rest or str(key) != step
    }


def _collect_lines(node: yaml.Node, path: Path_, lines: dict[Path_, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, str(key.value))
            lines[place] = key.start_mark.line + 1
            _collect_lines(value, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _collect_lines(value, (*path, i), lines)


def _substitute(value: Any, path: Path_, lines: dict[Path_, int], file: str, problems: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _substitute(item, (*path, str(key)), lines, file, problems) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_substitute(item, (*path, i), lines, file, problems) for i, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        given = os.environ.get(found[1], found[2])
        if given is None:
            problems.append(
                f"{file}:{lines.get(path, 1)}: {_dotted(path)}: the environment variable `{found[1]}` is not set;"
                f" set it or write ${{{found[1]}:-default}}"
            )
            return ""
        return given

    return _VARIABLE.sub(replace, value)


def _explain(error: ValidationError, lines: dict[Path_, int], file: str) -> list[str]:
    messages = []
    for item in error.errors(include_url=False):
        path: Path_ = tuple(item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if not path and item["type"] == "value_error" and not _unknown_key(item):
            messages += [_located(line, lines, file) for line in message.split("\n")]
            continue
        place = _unknown_key(item) or path
        if item["type"] == "missing":
            message = f"`{path[-1]}` is missing here"
            path = path[:-1]
        elif not message.startswith(("unknown key", "expected")) and "input" in item:
            found = item["input"]
            shown = "" if isinstance(found, (dict, list)) and len(str(found)) > 60 else f", found {found!r}"
            message = message[0].lower() + message[1:] + ("" if item["type"] == "value_error" else shown)
        where = _dotted(path)
        messages.append(f"{file}:{_line(place, lines)}: {where + ': ' if where else ''}{message}")
    return messages


def _located(message: str, lines: dict[Path_, int], file: str) -> str:
    """Add file and line to a finding about several sections, which begins with the key it is about."""
    where = message.partition(": ")[0]
    path = next((path for path in lines if _dotted(path) == where), ())
    return f"{file}:{_line(path, lines)}: {message}"


def _line(path: Path_, lines: Mapping[Path_, int]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _dotted(path: Path_) -> str:
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else str(step)
    return shown

"""What decides a sample of a mixture, and where two mixtures first differ in it."""

from collections.abc import Mapping
from typing import Any

# What a mixture is called, where its shards lie and how its weights were written change no sample.
_UNHASHED = ("fingerprint", "name", "folder", "given", "weight_error")


def deciding(content: dict[str, Any]) -> dict[str, Any]:
    """The part of a mixture file's content that its fingerprint covers."""
    kept = {key: value for key, value in content.items() if key not in _UNHASHED}
    kept["sources"] = [
        {"name": source["name"]} | {key: value for key, value in source.items() if key not in _UNHASHED}
        for source in content["sources"]
    ]
    return kept


def first_difference(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str | None:
    """Name the first key in which two mixture files differ, with both values; None if no sample differs.

    For the message of a resume that is refused. Both arguments as `Mixture.to_dict` gives them.
    """
    return _difference(deciding(dict(stored)), deciding(dict(current)), "")


def _difference(old: Any, new: Any, place: str) -> str | None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            found = _difference(old.get(key), new.get(key), f"{place}.{key}" if place else str(key))
            if found:
                return found
        return None
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            found = _difference(*pair, f"{place}[{number}]")
            if found:
                return found
        return None
    return None if old == new else f"{place}: {_short(old)} became {_short(new)}"


def _short(value: Any) -> str:
    text = f"{len(value)} entries" if isinstance(value, list | tuple) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

"""Sizes and counts as people write them: `4MiB`, `300M`, `5%`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_NUMBER = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-zA-Z%]*)\s*")


def parse_bytes(value: Any) -> int:
    """Read a size such as `4MiB`, `1.5 GB` or `4096` as whole bytes.

    Raises:
        ValueError: not a size; the message shows accepted forms.
    """
    return _parse(value, _BYTES, "a size such as `4MiB`, `128 MB` or `4096`")


def parse_count(value: Any) -> int:
    """Read a count such as `300M`, `2.5k` or `1_000` as a whole number.

    Raises:
        ValueError: not a count; the message shows accepted forms.
    """
    return _parse(value, _COUNTS, "a count such as `300M`, `2.5k` or `1000`")


def parse_share(value: Any) -> float:
    """Read a share such as `5%` or `0.05` as a number from 0 to 1.

    Raises:
        ValueError: not a share.
    """
    expected = "a share such as `5%` or `0.05`"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected {expected}, found {value!r}")
    found = _NUMBER.fullmatch(str(value))
    if not found or found[2] not in {"", "%"}:
        raise ValueError(f"expected {expected}, found {value!r}")
    share = float(found[1].replace("_", "").replace(",", "")) / (100 if found[2] else 1)
    if not 0 <= share <= 1:
        raise ValueError(f"expected {expected} between 0 and 1, found {value!r}")
    return share


def _parse(value: Any, units: dict[str, int], expected: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected {expected}, found {value!r}")
    text = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    found = _NUMBER.fullmatch(text)
    if not found or found[2].lower() not in units:
        raise ValueError(f"expected {expected}, found {value!r}")
    number, unit = found[1].replace("_", "").replace(",", ""), units[found[2].lower()]
    if "." not in number:
        return int(number) * unit
    scaled = float(number) * unit
    if not scaled.is_integer():
        raise ValueError(f"expected {expected}, a whole number in the end; {value!r} is {scaled}")
    return int(scaled)


def format_bytes(number: float) -> str:
    """Write a number of bytes for people: `1.5 MiB`."""
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


# Editors that check a recipe by its schema must accept what the parsers do.
ByteSize = Annotated[int, BeforeValidator(parse_bytes, json_schema_input_type=int | str), Field(gt=0)]
Count = Annotated[int, BeforeValidator(parse_count, json_schema_input_type=int | str), Field(gt=0)]
Share = Annotated[float, BeforeValidator(parse_share, json_schema_input_type=float | str)]

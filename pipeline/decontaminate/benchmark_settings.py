"""Settings by benchmark, out of a YAML file."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.decontaminate.settings import BenchmarkSettings
from pipeline.errors import UsageError
from pipeline.storage.reading import read_bytes

_MAX_BYTES = 1 << 20


def read_settings(file: Path | None) -> dict[str, BenchmarkSettings]:
    """Read a mapping from a benchmark's name to its settings; no file means no settings.

    Raises:
        UsageError: the file is no such mapping; names file and key.
    """
    if file is None:
        return {}
    try:
        values: Any = yaml.safe_load(read_bytes(str(file), _MAX_BYTES))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{file}: expected settings by benchmark, as in `piqa_val: {{n: 8}}`")
    found = {}
    for name, value in values.items():
        if not isinstance(value, dict):
            raise UsageError(f"{file}: {name}: expected settings, as in `{{n: 8}}`, found {value!r}")
        found[str(name)] = BenchmarkSettings.from_dict(value, f"{file}: {name}")
    return found

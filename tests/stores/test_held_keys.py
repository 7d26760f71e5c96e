"""Keys that an earlier build holds, where the workspaces lie in a store."""

import json
import random
from pathlib import Path

import pytest

from pipeline.build import build
from pipeline.recipe import parse_recipe
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import read_bytes
from tests.stores.servers import Store

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore.*")]


def write(folder: Path, name: str, texts: list[str]) -> None:
    lines = [json.dumps({"id": f"{name}{number}", "text": text}) for number, text in enumerate(texts)]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def dedup(folder: Path, files: str, workspace: str, settings: str) -> dict[str, bytes]:
    """Build until copies are found; returns what was decided."""
    recipe = parse_recipe(
        f"name: held\nsources:\n  s: {{format: jsonl, paths: ['{files}']}}\ndedup: {settings}\n", base=folder
    )
    build(recipe, workspace, until="dedup")
    place = f"{workspace}/duplicates/s"
    return {name: read_bytes(f"{place}/{name}", 1 << 24) for name in list_dir(place)}


def test_what_is_held_in_a_store_is_dropped_as_on_a_disk(store: Store, tmp_path: Path) -> None:
    chance = random.Random(3)
    texts = [" ".join(f"w{chance.randrange(2000)}" for _ in range(150)) for _ in range(8)]
    write(tmp_path, "a", texts[:5])
    write(tmp_path, "b", [texts[0] + " more", texts[5], texts[6], texts[1]])
    there = store.bucket()
    found = {}
    for place in (str(tmp_path), there):
        first, second = f"{place}/first", f"{place}/second"
        dedup(tmp_path, "a.jsonl", first, "{increments: true}")
        found[place, "against"] = dedup(tmp_path, "b.jsonl", second, f"{{against: '{first}'}}")
        found[place, "increment"] = dedup(tmp_path, "[ab].jsonl", first, "{increments: true}")
        # All is decided together again: what the generations held goes.
        found[place, "together"] = dedup(tmp_path, "[ab].jsonl", first, "{}")
        assert list_dir(f"{first}/duplicates/_generations") == ["000"]
    local, remote = (
        {what: files for (at, what), files in found.items() if at == place}
        for place in (str(tmp_path), there)
    )
    assert local == remote
    assert len({files["part-00000.parquet"] for files in local.values()}) == 3
    # Here a workspace, in the store the one whose workers must find its keys.
    assert dedup(tmp_path, "b.jsonl", f"{there}/third", f"{{against: '{tmp_path}/first'}}") != {}

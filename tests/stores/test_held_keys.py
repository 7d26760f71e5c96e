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


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    chance = random.Random(3)
    texts = [" ".join(f"w{chance.randrange(2000)}" for _ in range(150)) for _ in range(8)]
    write(tmp_path, "a", texts[:5])
    write(tmp_path, "c", texts[4:])
    write(tmp_path, "b", [texts[0] + " more", texts[5], texts[6], texts[1]])
    return tmp_path


def test_what_is_held_in_a_store_is_dropped_as_on_a_disk(store: Store, folder: Path) -> None:
    found = {}
    for place in (str(folder), store.bucket()):
        first, second = f"{place}/first", f"{place}/second"
        dedup(folder, "a.jsonl", first, "{increments: true}")
        against = dedup(folder, "b.jsonl", second, f"{{against: '{first}'}}")
        found[place] = (against, dedup(folder, "[ab].jsonl", first, "{increments: true}"))
        assert list_dir(f"{first}/duplicates/_generations") == ["000", "001"]
    local, there = found.values()
    assert local == there


def test_keys_of_a_disk_reach_the_workers_of_a_store_and_old_ones_go(store: Store, folder: Path) -> None:
    if store.scheme == "s3":
        pytest.skip("one store is enough for the slow part: gs, by `make test-engines`")
    first, there = str(folder / "first"), f"{store.bucket()}/w"
    dedup(folder, "a.jsonl", first, "{increments: true}")
    against = dedup(folder, "b.jsonl", there, f"{{increments: true, against: '{first}'}}")
    assert against == dedup(folder, "b.jsonl", str(folder / "w"), f"{{against: '{first}'}}")
    dedup(folder, "[bc].jsonl", there, f"{{increments: true, against: '{first}'}}")
    assert list_dir(f"{there}/duplicates/_generations") == ["000", "001"]
    dedup(folder, "[bc].jsonl", there, "{}")
    assert list_dir(f"{there}/duplicates/_generations") == ["000"]

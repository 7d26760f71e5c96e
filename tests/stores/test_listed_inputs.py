"""Sizes and states of many inputs come with a listing of their folder, not by a request for each."""

from pathlib import Path

import pytest

from pipeline.input_files import list_files
from pipeline.recipe import Recipe, parse_recipe
from pipeline.storage.identity import identity
from pipeline.storage.publish import upload
from tests.stores.servers import Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore.*")
COUNT = 60


@pytest.fixture(name="filled", scope="module")
def fixture_filled(store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    url, file = store.bucket(), tmp_path_factory.mktemp("one") / "a"
    for number in range(COUNT):
        file.write_bytes(b"x" * (number + 1))
        upload(file, f"{url}/in/{number:03d}.warc.gz")
    return url


def recipe(folder: Path, files: str) -> Recipe:
    text = f"name: n\nsources: {{s: {{format: warc, {files}}}}}\nmixtures: {{m: {{weights: {{s: 1}}, sequence_length: 8}}}}\n"
    return parse_recipe(text, base=folder)


@pytest.mark.parametrize("by", ["pattern", "manifest"])
def test_many_files_cost_a_few_requests(by: str, store: Store, filled: str, tmp_path: Path) -> None:
    (tmp_path / "paths").write_text("".join(f"in/{number:03d}.warc.gz\n" for number in range(COUNT)))
    files = f"paths: ['{filled}/in/*.gz']" if by == "pattern" else f"manifest: paths, base_url: '{filled}'"
    wanted = recipe(tmp_path, files)
    before = len(store.relay.asked_for)
    found = list_files(wanted, wanted.root.sources["s"], slice_bytes=1)
    asked = len(store.relay.asked_for) - before
    assert [file.size for file in found] == list(range(1, COUNT + 1))
    assert asked <= 6, asked
    for file in found[::20]:
        assert (file.size, file.identity) == identity(file.url)


def test_a_store_that_lets_nobody_list_is_asked_file_by_file(
    store: Store, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import UsageError

    def refuse(folder: str) -> None:
        raise UsageError(f"{folder}: access denied")

    monkeypatch.setattr("pipeline.input_files.identities", refuse)
    (tmp_path / "paths").write_text("".join(f"in/{number:03d}.warc.gz\n" for number in range(COUNT)))
    wanted = recipe(tmp_path, f"manifest: paths, base_url: '{filled}'")
    found = list_files(wanted, wanted.root.sources["s"], slice_bytes=1)
    assert [file.size for file in found] == list(range(1, COUNT + 1))

"""Pages are taken out: from this dataset and from every later build, and nothing else changes."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mixtures.dataset import MixtureDataset
from mixtures.mixture import VALIDATION
from mixtures.shards import ShardSet
from pipeline.cli.main import run
from pipeline.errors import UsageError
from pipeline.find_documents import Wanted
from pipeline.workspace import Workspace
from tests.pipeline.builds import tree
from tests.pipeline.dataset import build


@pytest.fixture
def workspace(dataset: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(dataset / "w", tmp_path / "w"))


def listed(folder: Path, *entries: str) -> str:
    path = folder / "list.txt"
    path.write_text("# reasons are on file\n\n" + "".join(f"{entry}\n" for entry in entries))
    return str(path)


def in_shards(workspace: Path, source: str) -> set[str]:
    folders = [workspace / "shards" / source, workspace / "shards" / source / VALIDATION]
    tables = [path for folder in folders for path in folder.glob("*.docs.parquet")]
    return {name for path in tables for name in pq.read_table(path)["document_id"].to_pylist()}


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_page_goes_from_its_shard_and_mixture_alone(dataset, workspace, tmp_path, capsys):
    before = tree(workspace)
    all_ids = in_shards(workspace, "web")
    entries = listed(tmp_path, "HTTP://Site3.example:80/page/3?utm_source=x#top", "https://nowhere.example/")
    told = answer(capsys, "exclude", str(workspace), "--urls", entries, "-q")
    assert [(one["source"], one["id"]) for one in told["found"]] == [("web", "w3")]
    assert told["unmatched"] == ["url https://nowhere.example/"]
    assert told["mixtures"] == ["both"]
    assert {source: len(files) for source, files in told["shards_changed"].items()} == {"books": 0, "web": 1}
    assert told["copies_gone"] == [{"source": "web", "id": "copy", "copy_of": "w3"}]
    gone = told["before"]["web"]["tokens"] - told["after"]["web"]["tokens"]
    assert gone > 0
    assert in_shards(workspace, "web") == all_ids - {"w3"}
    after = tree(workspace)
    changed = {
        name for name in before if name.startswith(("shards/", "mixtures/")) and before[name] != after[name]
    }
    (shard,) = told["shards_changed"]["web"]
    stem = f"shards/web/{shard.removesuffix('.bin')}"
    assert changed == {
        f"{stem}.bin", f"{stem}.idx", f"{stem}.docs.parquet", "shards/web/manifest.json", "mixtures/both.json",
        *([f"shards/web/{VALIDATION}/manifest.json"] if f"shards/web/{VALIDATION}/manifest.json" in before else []),
    }  # fmt: skip
    assert {name: after[name] for name in before if name.split("/")[0] in ("documents", "annotations", "duplicates")} == {
        name: before[name] for name in before if name.split("/")[0] in ("documents", "annotations", "duplicates")
    }  # fmt: skip


def test_a_later_build_keeps_pages_out_and_accounts_for_them(dataset, workspace, tmp_path, capsys):
    entries = listed(tmp_path, "*.site5.example", "MIRROR.example.net")
    told = answer(capsys, "exclude", str(workspace), "--domains", entries, "-q")
    assert {one["id"] for one in told["found"]} == {f"w{n}" for n in range(5, 150, 7)} | {"copy"}
    assert told["copies_kept"] == [{"source": "web", "id": "copy", "copy_of": "w3"}]
    again = answer(capsys, "build", str(dataset / "recipe.yaml"), "-w", str(workspace), "-q")
    assert (again["made"], again["dataset_digest"]) == (0, told["dataset_digest"])
    web = json.loads((workspace / "ledger.json").read_text())["sources"]["web"]
    assert web["removed"] == {"exact_duplicate": 1, "excluded": 21}
    assert (web["records"], web["kept"]) == (151, 129)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(workspace / "excluded.json", fresh)
    assert build(dataset / "recipe.yaml", fresh) == 0
    for table in ("shards", "mixtures"):
        assert tree(fresh / table) == tree(workspace / table)


def test_lists_add_up_and_are_undone(dataset, workspace, tmp_path, capsys):
    first = answer(capsys, "exclude", str(workspace), "--ids", listed(tmp_path, "w1", "b1"), "-q")
    second = answer(capsys, "exclude", str(workspace), "--ids", listed(tmp_path, "w2", "b1"), "-q")
    assert (first["total"], second["total"], second["changed"]) == (2, 3, 1)
    assert [(entry["id"], entry["reason"]) for entry in json.loads((workspace / "excluded.json").read_text())["documents"]] == [
        ("b1", "id b1"), ("w1", "id w1"), ("w2", "id w2"),
    ]  # fmt: skip
    back = answer(
        capsys, "exclude", str(workspace), "--undo", "--ids", listed(tmp_path, "w1", "w2", "b1"), "-q"
    )
    assert back["total"] == 0
    for table in ("shards", "mixtures"):
        assert tree(workspace / table) == tree(dataset / "w" / table)
    assert back["dataset_digest"] == json.loads((dataset / "w/build.json").read_text())["dataset_digest"]


def test_no_token_of_an_excluded_page_is_left(workspace, tmp_path, capsys):
    from tests.pipeline.dataset import text

    answer(capsys, "exclude", str(workspace), "--ids", listed(tmp_path, "b7"), "-q")
    from pipeline.tokenize.encoder import Encoder

    wanted = Encoder.load("gpt2").encode(text(1007)).tobytes()
    for folder in (workspace / "shards/books", workspace / "shards/books" / VALIDATION):
        shards = ShardSet(folder)
        assert wanted not in b"".join(shards.view(n).tobytes() for n in range(len(shards.manifest.shards)))
    assert len(MixtureDataset(workspace / "mixtures/both.json", verify=True))


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--urls", None, "list.txt: cannot be read (No such file or directory)"),
        ("--urls", b"# nothing\n\n", "list.txt: no entry; give one a line"),
        (
            "--domains",
            b"example.org\nno domain\n",
            "list.txt:2: `no domain` is no domain; expected one such as example.org",
        ),
        ("--ids", b"\xff\xfe", "list.txt: not UTF-8 at byte 0"),
    ],
)
def test_a_wrong_list_is_one_line_and_changes_nothing(dataset, tmp_path, capsys, option, content, message):
    before = tree(dataset / "w")
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    assert run(["exclude", str(dataset / "w"), option, str(path)]) == 2
    assert message in capsys.readouterr().err
    assert tree(dataset / "w") == before


def test_no_list_and_no_workspace_are_told(dataset, tmp_path, capsys):
    assert run(["exclude", str(dataset / "w")]) == 2
    assert "name the documents: --urls FILE, --domains FILE or --ids FILE" in capsys.readouterr().err
    assert run(["exclude", str(tmp_path), "--ids", listed(tmp_path, "w1")]) == 2
    assert "no workspace here; `crawlmix build` fills one" in capsys.readouterr().err


def test_a_damaged_list_of_exclusions_is_told(workspace, tmp_path, capsys):
    (workspace / "excluded.json").write_text('{"version": 1, "documents": [{"id": "w1"}]}')
    assert run(["exclude", str(workspace), "--ids", listed(tmp_path, "w1")]) == 1
    assert "excluded.json: not a list of excluded documents" in capsys.readouterr().err


def test_spellings_of_an_address_find_the_same_page(dataset, tmp_path):
    entries = [
        "site3.example/page/3", "https://site3.example/page/3/", "http://user@SITE3.example./page/./3?fbclid=1",
        "https://site3.example/page/%33",
    ]  # fmt: skip
    for entry in entries:
        wanted = Wanted.read(urls=[Path(listed(tmp_path, entry))])
        assert [one.id for one in wanted.find(Workspace(str(dataset / "w")))] == ["w3"], entry
    with pytest.raises(UsageError, match="is no domain"):
        Wanted.read(domains=[Path(listed(tmp_path, "*"))])

import json
import os
import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from pipeline.errors import CrawlmixError, UsageError
from pipeline.recipe import parse_recipe
from tests.pipeline.builds import RECIPE, run, sample, tree

TABLES = ("documents", "annotations", "duplicates", "contamination")


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def built(crawl, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("built") / "workspace"
    return workspace, run(crawl, workspace, workers=2)


def rows(workspace, table, source):
    return [
        row
        for part in sorted((workspace / table / source).iterdir())
        for row in pq.read_table(part).to_pylist()
    ]


def test_every_record_has_exactly_one_fate(built):
    workspace, outcome = built
    ledger = json.loads((workspace / "ledger.json").read_text())
    assert ledger == outcome.ledger
    for name, source in ledger["sources"].items():
        assert source["records"] == source["kept"] + sum(source["removed"].values()) + sum(
            source["failed"].values()
        )
        tables = [rows(workspace, table, name) for table in TABLES]
        assert [len(table) for table in tables] == [source["records"]] * len(TABLES)
        fates = [
            next((row["fate"] for row in aligned if row["fate"] != "kept"), "kept")
            for aligned in zip(*tables, strict=True)
        ]
        assert fates.count("kept") == source["kept"]
    for stage, sums in ledger["stages"].items():
        assert sums["in"] == sums["kept"] + sum(sums["removed"].values()) + sum(sums["failed"].values()), (
            stage
        )


def test_the_planted_cases_meet_their_fates(crawl, built):
    workspace, outcome = built
    told = json.loads((crawl / "manifest.json").read_text())
    by_id = {row["id"]: row for row in rows(workspace, "documents", "crawl")}
    fates: dict[str, set[str]] = {}
    for page in told["pages"]:
        row = by_id.get(page["id"])
        fates.setdefault(page["kind"], set()).add("lost" if row is None else row["rule"] or row["fate"])
    assert fates["damaged"] == {"lost"}
    assert fates["http_status"] == {"http_status"}
    assert fates["media_type"] == {"media_type"}
    assert fates["deep"] == {"too_deep"}
    assert fates["empty"] == {"no_text"}
    assert fates["charset"] == fates["coding"] == fates["article"] == {"kept"}
    skipped = outcome.ledger["sources"]["crawl"]["bytes_skipped"]
    damaged = [page for page in told["pages"] if page["kind"] == "damaged"]
    assert [(item["file"].rpartition("/")[2], item["offset"]) for item in skipped] == [
        (page["file"].rpartition("/")[2], page["offset"]) for page in damaged
    ]


def test_foreign_pages_spam_and_copies_are_removed_with_their_rules(crawl, built):
    workspace, outcome = built
    removed = outcome.ledger["sources"]["crawl"]["removed"]
    assert removed["language"] >= 30
    assert removed["exact_duplicate"] == 10
    assert removed["near_duplicate"] >= 20
    assert sum(number for rule, number in removed.items() if rule.startswith("gopher_")) >= 10
    duplicates = [row for row in rows(workspace, "duplicates", "crawl") if row["rule"] == "near_duplicate"]
    ids = {
        row["id"] for source in ("crawl", "webtext2", "books") for row in rows(workspace, "documents", source)
    }
    assert all(row["duplicate_of"] in ids and row["similarity"] >= 0.7 for row in duplicates)


def test_planted_benchmark_text_is_cut_out_of_the_tokens(crawl, built):
    workspace, _ = built
    told = json.loads((crawl / "manifest.json").read_text())
    planted = {page["id"] for page in told["pages"] if page["kind"] == "benchmark"}
    shards = pq.read_table(workspace / "shards/crawl/shard-00000.docs.parquet").to_pylist()
    for index in range(1, 99):
        path = workspace / f"shards/crawl/shard-{index:05d}.docs.parquet"
        if path.exists():
            shards += pq.read_table(path).to_pylist()
    pieces = {row["document_id"] for row in shards if row["document_id"].partition("#")[0] in planted}
    assert pieces
    assert all("#" in name for name in pieces)
    report = json.loads((workspace / "contamination/benchmarks.json").read_text())
    assert report["documents"]["split"] == len(planted)
    assert all(found["dirty_after"] == 0 for found in report["benchmarks"].values())


def test_a_finished_build_does_nothing(crawl, built):
    workspace, first = built
    before = {
        path: path.stat().st_mtime_ns
        for path in workspace.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    again = run(crawl, workspace)
    assert again.made == 0
    assert again.dataset_digest == first.dataset_digest
    assert {
        path: path.stat().st_mtime_ns
        for path in workspace.rglob("*")
        if path.is_file() and path.name != ".lock"
    } == before


def test_one_worker_gives_the_same_bytes_as_two(crawl, built, tmp_path):
    workspace, outcome = built
    alone = run(crawl, tmp_path / "w", workers=1)
    assert alone.dataset_digest == outcome.dataset_digest
    assert alone.ledger == outcome.ledger
    for table in (*TABLES, "shards", "mixtures"):
        assert tree(tmp_path / "w" / table) == tree(workspace / table), table


def test_how_files_are_cut_changes_no_row(crawl, built, tmp_path):
    workspace, outcome = built
    text = RECIPE.replace("filter: web, pii", "filter: web, part_bytes: 100KiB, pii")
    cut = run(crawl, tmp_path / "w", text, until="annotate")
    assert len(list((tmp_path / "w/documents/crawl").iterdir())) > 3
    assert rows(tmp_path / "w", "documents", "crawl") == rows(workspace, "documents", "crawl")
    assert rows(tmp_path / "w", "annotations", "crawl") == rows(workspace, "annotations", "crawl")
    assert (
        cut.ledger["sources"]["crawl"]["bytes_skipped"] == outcome.ledger["sources"]["crawl"]["bytes_skipped"]
    )


def test_a_changed_rule_reads_no_text_again(crawl, built, tmp_path):
    workspace, _ = built
    copy = tmp_path / "w"
    subprocess.run(["cp", "-a", str(workspace), str(copy)], check=True)
    before = {
        table: {p.name: p.stat().st_mtime_ns for p in (copy / table / "crawl").iterdir()} for table in TABLES
    }
    changed = run(crawl, copy, RECIPE.replace("threshold: 0.01", "top_percent: 50"))
    after = {
        table: {p.name: p.stat().st_mtime_ns for p in (copy / table / "crawl").iterdir()} for table in TABLES
    }
    assert after["documents"] == before["documents"]
    assert after["annotations"] != before["annotations"]
    assert changed.ledger["sources"]["crawl"]["removed"]["quality_top_percent"] > 50
    back = run(crawl, copy)
    assert tree(copy / "annotations") == tree(workspace / "annotations")
    assert tree(copy / "shards") == tree(workspace / "shards")
    assert back.dataset_digest == json.loads((workspace / "build.json").read_text())["dataset_digest"]


def test_a_source_that_leaves_the_recipe_leaves_the_workspace(crawl, built, tmp_path):
    workspace, _ = built
    copy = tmp_path / "w"
    subprocess.run(["cp", "-a", str(workspace), str(copy)], check=True)
    text = "\n".join(line for line in RECIPE.splitlines() if "  books: {" not in line)
    text = text.replace(", books: 16", "").replace("webtext2, books, crawl", "webtext2, crawl")
    run(crawl, copy, text)
    assert not any(
        path.is_file() for table in (*TABLES, "shards") for path in (copy / table / "books").glob("**/*")
    )


@pytest.mark.slow
def test_a_build_killed_at_any_moment_ends_with_the_same_digest(crawl, built, tmp_path):
    _, outcome = built
    # Ids of documents without one of their own come from the file's name as the recipe gives it: build where it was.
    recipe = crawl / "killed.yaml"
    recipe.write_text(RECIPE)
    command = [
        sys.executable,
        "-m",
        "pipeline.cli.main",
        "build",
        str(recipe),
        "-w",
        str(tmp_path / "w"),
        "--workers",
        "2",
        "-q",
    ]
    chance = random.Random(11)
    for _ in range(4):
        process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(1.0, 7.0))
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path in (tmp_path / "w").rglob("*.parquet"):
            if not path.name.startswith("."):
                pq.read_metadata(path)  # nothing half-written at a final path
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads((tmp_path / "w/build.json").read_text())["dataset_digest"] == outcome.dataset_digest


def test_the_portable_engine_gives_the_same_bytes(crawl, built, tmp_path):
    _, outcome = built
    options = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]
    portable = run(crawl, tmp_path / "w", beam_options=options)
    assert portable.dataset_digest == outcome.dataset_digest
    assert portable.ledger == outcome.ledger


def test_a_workspace_of_another_recipe_is_refused(crawl, built):
    workspace, _ = built
    with pytest.raises(
        UsageError, match="holds the build of recipe `small`, this one is `other`; choose another --workspace"
    ):
        run(crawl, workspace, RECIPE.replace("name: small", "name: other"))


def test_a_folder_of_something_else_is_refused(crawl, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match=r"not empty and not a workspace \(found thesis.tex\)"):
        run(crawl, tmp_path)


def test_two_builds_in_one_workspace_are_refused(crawl, built):
    from pipeline.storage.lock import lock

    workspace, _ = built
    with lock(str(workspace)), pytest.raises(CrawlmixError, match=str(os.getpid())):
        run(crawl, workspace)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("crawl/*.warc.gz", "crawl/*.nothing", "matches no file"),
        ("webtext2.jsonl.gz", "missing.jsonl.gz", "there is no file missing.jsonl.gz"),
        ("crawl/*.warc.gz", "crawl", "is a folder"),
    ],
)
def test_a_wrong_input_is_told_before_work_starts(crawl, tmp_path, old, new, message):
    with pytest.raises(UsageError, match=message):
        run(crawl, tmp_path / "w", RECIPE.replace(old, new))
    assert not (tmp_path / "w/documents").exists()


def test_too_many_failures_fail_the_build(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n' + "not json\n" * 9)
    text = "name: bad\nsources:\n  lines: {format: jsonl, paths: [bad.jsonl]}\n"
    with pytest.raises(CrawlmixError, match=r"90.0% of the records failed, and the recipe allows 5.0%"):
        run(tmp_path, tmp_path / "w", text, until="extract")


def test_a_read_only_workspace_is_one_line(crawl, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CrawlmixError, match="cannot be used as workspace"):
        run(crawl, tmp_path / "file" / "w")


def test_an_unknown_engine_is_refused_before_work_starts(crawl, tmp_path):
    with pytest.raises(UsageError, match="DaskRunner is refused"):
        run(crawl, tmp_path / "w", beam_options=["--runner=DaskRunner"])
    assert not (tmp_path / "w").exists()


def test_the_recipe_of_the_workspace_says_what_was_built(built):
    workspace, _ = built
    again = parse_recipe((workspace / "recipe.yaml").read_text(), base=workspace)
    assert again.root == parse_recipe(RECIPE, base=workspace).root

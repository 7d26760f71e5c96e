import json
import random

import pytest
from click.testing import CliRunner

from pipeline.cli.check import command as check
from pipeline.cli.dedup_report import command as dedup_report
from pipeline.errors import UsageError
from pipeline.exclusions import Excluded, Exclusions
from pipeline.report.dedup_facts import dedup_facts
from pipeline.report.dedup_page import dedup_page
from pipeline.report.status import read_status, status_text
from pipeline.workspace import Workspace
from tests.pipeline.builds import run

RECIPE = """\
name: copies
sources:
  crawl: {format: jsonl, paths: [crawl.jsonl]}
  books: {format: jsonl, paths: [books.jsonl]}
dedup: {priority: [books, crawl]}
"""
HOSTILE = "<script>alert(1)</script> "


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Twenty pages, ten of them in books too, five nearly so; the first page is hostile and has many copies."""
    chance = random.Random(1)
    folder = tmp_path_factory.mktemp("copies")
    pages = [" ".join(f"w{chance.randrange(2000)}" for _ in range(150)) for _ in range(20)]
    pages[0] = HOSTILE + pages[0]
    crawl = [
        {"id": f"c{i}", "url": f"http://example.org/{HOSTILE}{i}", "text": page}
        for i, page in enumerate(pages)
    ]
    crawl += [{"id": f"x{i}", "url": f"http://example.org/{i}", "text": pages[0] + f" {i}"} for i in range(4)]
    books = [{"id": f"b{i}", "text": page} for i, page in enumerate(pages[5:15])]
    books += [{"id": f"n{i}", "text": page.replace("w1", "v1", 2)} for i, page in enumerate(pages[15:])]
    for name, rows in (("crawl", crawl), ("books", books)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = run(folder, folder / "w", RECIPE, until="dedup")
    return folder, outcome


def test_the_ledger_tells_what_was_dropped_for_what(built):
    folder, outcome = built
    told = outcome.ledger["dedup"]
    assert told == json.loads((folder / "w/duplicates/summary.json").read_text())
    content = told["levels"]["content"]
    assert content["pairs"] == [["crawl", "books", 15], ["crawl", "crawl", 4]]
    assert content["clusters"] == [[2, 15], [5, 1]]
    assert content["rules"] == {"exact_duplicate": 10, "near_duplicate": 9}
    assert sum(number for _, number in content["similarity"]) == 9
    lines = status_text(read_status(str(folder / "w"))).splitlines()
    assert "dedup: 15 documents of crawl dropped as copies of books" in lines
    assert any(
        line.startswith("dedup: 16 clusters, the largest of 5 documents; 0 documents stay") for line in lines
    )


def test_the_facts_hold_the_curve_the_measured_recall_and_samples(built):
    folder, _ = built
    facts = dedup_facts(str(folder / "w"), sample=1000)
    assert facts["curve"][40] == [0.8, pytest.approx(0.924, abs=0.0005)]
    assert facts["recall"]["documents"] == 39
    last = facts["recall"]["bins"][-1]
    assert (last["low"], last["found"]) == (0.9, last["pairs"])
    assert last["pairs"] >= 10 + 10
    assert facts["rates"][0] == {
        "level": "content",
        "dropped": "crawl",
        "kept": "books",
        "documents": 15,
        "share": 15 / 24,
    }
    largest = facts["clusters"][0]
    assert (largest["documents"], largest["dropped"]) == (5, 4)
    assert [sample["fate"] for sample in largest["samples"]] == ["kept", "removed", "removed"]
    assert largest["samples"][0]["id"] == largest["best"]
    few = dedup_facts(str(folder / "w"), sample=5)
    assert few["recall"]["documents"] == 5


def test_the_page_loads_nothing_and_runs_nothing(built):
    folder, _ = built
    done = CliRunner().invoke(dedup_report, [str(folder / "w")])
    assert done.exit_code == 0, done.output
    page = (folder / "w/dedup-report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page
    assert "href=" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert (
        json.loads(CliRunner().invoke(dedup_report, [str(folder / "w"), "--json"]).output)["name"] == "copies"
    )


def test_what_was_taken_out_is_not_shown(built):
    folder, _ = built
    best = dedup_facts(str(folder / "w"), sample=1)["clusters"][0]["best"]
    Exclusions.of([Excluded("crawl", best, None, "id")]).write(Workspace(str(folder / "w")))
    try:
        facts = dedup_facts(str(folder / "w"), sample=1)
    finally:
        (folder / "w/excluded.json").unlink()
    assert best not in {sample["id"] for cluster in facts["clusters"] for sample in cluster["samples"]}
    assert dedup_page(facts)


def test_a_plan_states_the_chance_of_finding_a_pair(built):
    folder, _ = built
    (folder / "recipe.yaml").write_text(RECIPE)
    told = CliRunner().invoke(check, [str(folder / "recipe.yaml")]).output
    assert (
        "dedup          exact copies, 14 bands of 8 rows: a pair is found with probability 0.053 at 0.5,"
        in told
    )
    assert "drops verified at 0.7, over all sources" in told
    (folder / "recipe.yaml").write_text(RECIPE.replace("{priority", "{against: nowhere, priority"))
    found = CliRunner().invoke(check, [str(folder / "recipe.yaml")])
    assert isinstance(found.exception, UsageError)
    assert "dedup.against: " in str(found.exception)


def test_without_a_finished_stage_there_is_no_report(tmp_path):
    with pytest.raises(UsageError, match="no workspace with a finished dedup stage"):
        dedup_facts(str(tmp_path), sample=1)

"""Sources that read what an index selects, and pages that somebody linked to."""

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import UsageError
from pipeline.report_stage import write_report
from pipeline.sources.record import FileRange, Record
from pipeline.sources.warc import WarcReader
from tests.pipeline.builds import run, sample
from tests.pipeline.report.pages import read_page, table_of

INDEXED = """\
name: indexed
sources:
  crawl: {{format: warc, index: {{paths: [index.cdx.gz], base_url: ., {filters}}}}}
"""
LINKED = """\
name: linked
sources:
  crawl: {format: warc, paths: [crawl/*.warc.gz]}
  webtext2: {format: pages, pages_of: crawl, links: {dumps: [RS_2019-04.jsonl.gz], min_score: 3}}
dedup: {priority: [webtext2, crawl]}
"""


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    folder = sample(tmp_path_factory.mktemp("sample"))
    lines, articles = [], []
    for path in sorted((folder / "crawl").glob("*.warc.gz")):
        with path.open("rb") as stream:
            for item in WarcReader(FileRange(stream, path.name, path.stat().st_size)):
                if isinstance(item, Record) and item.http_status and item.url:
                    told = {
                        "url": item.url,
                        "mime": item.mime or "unk",
                        "status": str(item.http_status),
                        "length": str(item.length),
                        "offset": str(item.offset),
                        "filename": f"crawl/{path.name}",
                    }
                    lines.append(
                        f"org,example)/ {item.timestamp[:19].translate({45: None, 58: None, 84: None})} {json.dumps(told)}\n"
                    )
                    articles.append(item.url)
    with gzip.open(folder / "index.cdx.gz", "wt") as stream:
        stream.writelines(sorted(lines))
    told = json.loads((folder / "manifest.json").read_text())
    urls = [page["url"] for page in told["pages"] if page["kind"] == "article"]
    posts = [
        {"url": url, "score": 3 + i, "created_utc": 1554076800 + i, "is_self": False, "author": "somebody"}
        for i, url in enumerate(urls[:7])
    ]
    posts += [{"url": urls[0] + "#top", "score": 99, "created_utc": 1554076800, "is_self": False}]
    posts += [{"url": urls[8], "score": 2, "created_utc": 1554076800, "is_self": False}]
    posts += [
        {"url": "https://i.imgur.com/cat.png", "score": 500, "created_utc": 1554076800, "is_self": False}
    ]
    with gzip.open(folder / "RS_2019-04.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(post) + "\n" for post in posts)
    return folder, urls


def documents(workspace, source):
    return [
        row
        for part in sorted((workspace / "documents" / source).iterdir())
        for row in pq.read_table(part).to_pylist()
    ]


def test_an_index_leads_to_the_same_records_as_a_full_scan(crawl, tmp_path):
    folder, _ = crawl
    outcome = run(folder, tmp_path / "w", INDEXED.format(filters="statuses: [200]"), until="extract")
    whole = run(
        folder,
        tmp_path / "all",
        "name: all\nsources:\n  crawl: {format: warc, paths: [crawl/*.warc.gz]}\n",
        until="extract",
    )
    kept = {(row["id"], row["text"]) for row in documents(tmp_path / "w", "crawl") if row["fate"] == "kept"}
    expected = {
        (row["id"], row["text"])
        for row in documents(tmp_path / "all", "crawl")
        if row["fate"] == "kept" and row["mime"] in {"text/html", "application/xhtml+xml"}
    }
    assert kept == expected
    source = outcome.ledger["sources"]["crawl"]
    selection = source["selection"]["selection"]
    assert (
        selection["captures"]
        == sum(selection["removed"].values()) + selection["duplicate"] + selection["selected"]
    )
    assert source["records"] == selection["selected"]
    assert source["records"] < whole.ledger["sources"]["crawl"]["records"]


def test_a_finished_selection_is_not_made_again(crawl, tmp_path):
    folder, _ = crawl
    text = INDEXED.format(filters="statuses: [200]")
    run(folder, tmp_path / "w", text, until="extract")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "w/.work/index").rglob("*")}
    assert run(folder, tmp_path / "w", text, until="extract").made == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "w/.work/index").rglob("*")} == before


def test_an_offset_that_leads_nowhere_is_a_failed_record(crawl, tmp_path):
    folder, _ = crawl
    told = {
        "url": "https://example.org/",
        "mime": "text/html",
        "status": "200",
        "length": "100",
        "offset": "7",
        "filename": "crawl/sample-00000.warc.gz",
    }
    gone = {**told, "filename": "crawl/gone.warc.gz"}
    lines = "".join(
        f"org,example)/ 2020010100000{n} {json.dumps(row)}\n" for n, row in enumerate((told, gone))
    )
    (folder / "wrong.cdx").write_text(lines)
    text = (
        INDEXED.format(filters="statuses: [200]").replace("index.cdx.gz", "wrong.cdx")
        + "limits: {max_failed: 100%}\n"
    )
    outcome = run(folder, tmp_path / "w", text, until="extract")
    assert outcome.ledger["sources"]["crawl"]["failed"] == {"bad_index": 1, "unreadable_file": 1}
    assert "crawl/sample-00000.warc.gz: offset 7" in documents(tmp_path / "w", "crawl")[1]["detail"]


def test_a_missing_index_is_told_before_work_starts(crawl, tmp_path):
    folder, _ = crawl
    with pytest.raises(UsageError, match=r"missing\.cdx: there is no file"):
        run(
            folder,
            tmp_path / "w",
            INDEXED.format(filters="statuses: [200]").replace("index.cdx.gz", "missing.cdx"),
        )


def test_pages_that_somebody_linked_to_make_a_source_and_leave_the_crawl(crawl, tmp_path):
    folder, urls = crawl
    outcome = run(folder, tmp_path / "w", LINKED, until="dedup")
    found = documents(tmp_path / "w", "webtext2")
    assert {row["url"] for row in found} == set(urls[:7])
    counts = outcome.ledger["sources"]["webtext2"]["selection"]["links"]
    assert (
        counts["submissions"],
        counts["kept"],
        counts["low_score"],
        counts["media"],
        counts["duplicate"],
    ) == (10, 7, 1, 1, 1)
    assert outcome.ledger["sources"]["webtext2"]["kept"] == 7
    duplicates = [
        row
        for part in sorted((tmp_path / "w/duplicates/crawl").iterdir())
        for row in pq.read_table(part).to_pylist()
    ]
    gone = {
        row["id"]
        for row, mine in zip(documents(tmp_path / "w", "crawl"), duplicates, strict=True)
        if mine["rule"] == "exact_duplicate"
    }
    assert {row["id"] for row in found} <= gone
    assert "somebody" not in json.dumps(outcome.ledger)
    page, _ = write_report(str(tmp_path / "w"))
    rows = table_of(read_page(Path(page).read_text()), "source")
    shown = {row[1]: row[2:] for row in rows if row[0] == "webtext2" and len(row) == 4}
    assert shown["kept"] == ["7", "70.0 %"]
    assert shown["low score"] == shown["media"] == shown["duplicate"] == ["1", "10.0 %"]

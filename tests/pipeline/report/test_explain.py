import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from classifiers.keep import Cut
from pipeline.annotate.judge import judge
from pipeline.cli.main import run as command
from pipeline.errors import UsageError
from pipeline.exclusions import Excluded, Exclusions
from pipeline.report.explain import MAX_CHARS, MAX_FOUND, explain
from pipeline.report.explain_checks import checks
from pipeline.report.explain_text import explanation_text
from pipeline.sections.root import Root
from pipeline.workspace import Workspace
from tests.pipeline.report.test_html_page import poison

FILTERS = {
    "as built": {},
    "pareto": {"quality": {"model": "good", "keep": {"pareto": 2}}, "heuristics": []},
    "threshold": {"quality": {"model": "good", "keep": {"threshold": 0.5}}, "heuristics": ["gopher_quality"]},
    "top": {"quality": {"model": "good", "keep": {"top_percent": 40}}, "heuristics": []},
    "urls": {
        "urls": {"words": ["poker", "linked"], "soft_words": ["buy", "cash"]},
        "heuristics": ["c4_fineweb"],
    },
    "opt out": {"opt_out": ["noai"], "thresholds": {"gopher_too_few_words": {"min": 250}}},
}


def annotated(workspace):
    tables = []
    for place, part in enumerate(sorted((workspace / "annotations/crawl").iterdir())):
        documents = pq.read_table(workspace / f"documents/crawl/part-{place:05d}.parquet")
        table = pq.read_table(part)
        for name in ("id", "url", "opt_out"):
            table = table.append_column(name, documents[name])
        tables.append(table)
    table = pa.concat_tables(tables)
    return table.filter(table["fate"].is_valid())


@pytest.mark.parametrize("changes", FILTERS.values(), ids=FILTERS)
def test_the_first_rule_that_a_document_breaks_is_the_one_that_removes_it(built, changes):
    raw = yaml.safe_load((built / "recipe.yaml").read_text())
    raw["filters"]["web"] |= changes
    root = Root.model_validate(raw)
    table = annotated(built)
    scores = sorted(table["quality"].to_pylist(), reverse=True)
    border = scores[len(scores) * 4 // 10]
    cut = Cut(border, 2**64 - 1)
    verdicts = judge(table, root.filters["web"], seed=root.seed, cut=cut, blocklist=None)
    seen = set()
    for place in range(0, len(table), 4):
        row = table.slice(place, 1)
        for name in ("fate", "rule", "detail"):
            row = row.set_column(row.column_names.index(name), name, verdicts[name].slice(place, 1))
        found = checks(Workspace(str(built)), root, "crawl", row, border)
        broken = [check["rule"] for check in found if check["verdict"] == "removed"]
        assert (broken[0] if broken else None) == verdicts["rule"][place].as_py()
        assert [check["rule"] for check in found if check["decided"]] == broken[:1]
        seen.update(broken[:1])
    assert len(seen) > 1


def test_a_copy_is_shown_with_both_urls(built):
    record = explain(str(built), "https://copycat.example/linked-0")["records"][0]
    assert record["outcome"]["rule"] == "near_duplicate"
    assert record["duplicate"]["url"] == "https://copycat.example/linked-0"
    assert record["duplicate"]["other_source"] == "webtext2"
    assert record["duplicate"]["other_url"].startswith("https://recommended.example.com/")
    text = explanation_text({"more": False, "records": [record]})
    assert record["duplicate"]["other_url"] in text
    assert "similarity 0.9" in text


def test_signals_stand_against_their_thresholds(built):
    found = explain(str(built), "http://cash-buy-0.example/online")
    record = found["records"][0]
    check = next(check for check in record["checks"] if check["rule"] == "gopher_top_2gram")
    assert check["value"] == record["annotations"]["top_2gram_chars_share"] > check["max"] == 0.2
    assert check["decided"]
    text = explanation_text(found)
    assert "REMOVED  gopher_top_2gram" in text
    assert "at most 0.2" in text
    assert [one["document"]["rule"] for one in found["records"][1:]] == ["record_type"] * 2


def test_cut_lines_and_personal_data_are_told(built):
    record = explain(str(built), "https://forum.example.org/health/thread-24")["records"][0]
    told = record["trained_text"]
    spans = record["annotations"]["c4_fineweb_kept"]
    assert told["lines_cut"] == 12
    assert told["characters_after"] < told["characters_before"] == record["characters"]
    assert spans
    assert set(told["pii"]) == {"email", "ip"}


@pytest.mark.parametrize("spelling", ["HTTPS://Copycat.Example:443/linked-0#top", "copycat.example/linked-0"])
def test_another_spelling_of_a_url_is_found(built, spelling):
    record = explain(str(built), spelling)["records"][0]
    assert record["document"]["url"] == "https://copycat.example/linked-0"


def test_a_page_taken_out_says_so(copy):
    document = explain(str(copy), "https://forum.example.org/health/thread-24")["records"][0]["document"]
    Exclusions.of([Excluded("crawl", document["id"], document["url"], "domain example.org")]).write(
        Workspace(str(copy))
    )
    outcome = explain(str(copy), document["id"])["records"][0]["outcome"]
    assert outcome == {
        "stage": "exclude",
        "fate": "removed",
        "rule": "excluded",
        "detail": "domain example.org",
    }


def test_hostile_values_are_cut_and_steer_no_terminal(copy, capsys):
    poison(copy, "crawl")
    names = [
        row
        for part in sorted((copy / "documents/crawl").iterdir())
        for row in pq.read_table(part)["id"].to_pylist()
    ]
    for name in names[3:60:5]:
        assert command(["explain", str(copy), name]) == 0
        text = capsys.readouterr().out
        assert len(text) < 30_000
        assert all(sign.isprintable() or sign == "\n" for sign in text)
    found = explain(str(copy), "x" * 20_000)
    assert found["more"]
    assert len(found["records"]) == MAX_FOUND
    assert max(len(record["document"]["url"]) for record in found["records"]) < MAX_CHARS + 40
    assert len(json.dumps(found)) < 500_000


def test_an_unknown_page_is_one_line(built, capsys):
    with pytest.raises(UsageError, match=r"no record has the URL or id `https://nowhere\.example/`"):
        explain(str(built), "https://nowhere.example/")
    assert command(["explain", str(built), "https://nowhere.example/"]) == 2
    assert capsys.readouterr().err.count("\n") == 1

import json
import re

import yaml

from pipeline.report_stage import write_report
from tests.pipeline.builds import run


def card_of(workspace):
    text = (workspace / "README.md").read_text(encoding="utf-8")
    front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert front is not None
    return yaml.safe_load(front[1]), text


def test_the_front_matter_is_what_hubs_read(built):
    front, _ = card_of(built)
    assert front == {
        "pretty_name": "small",
        "language": ["en"],
        "license": "other",
        "license_name": "texts-belong-to-their-sources",
        "size_categories": ["n<1K"],
        "task_categories": ["text-generation"],
        "tags": ["crawlmix", "pretraining", "jsonl", "text", "warc"],
    }


def test_the_card_states_counts_thresholds_and_digests(built):
    _, text = card_of(built)
    ledger, build = (json.loads((built / name).read_text()) for name in ("ledger.json", "build.json"))
    for name, source in ledger["sources"].items():
        tokens = json.loads((built / "shards" / name / "manifest.json").read_text())["tokens"]
        sums = [source["records"], source["kept"], sum(source["removed"].values()), 0, tokens]
        assert re.search(rf"\| {name} \| [^|]+ \| {' [|] '.join(f'{value:,}' for value in sums)} \|", text)
    assert build["dataset_digest"] in text
    assert build["recipe_digest"] in text
    assert "`gopher_top_2gram`: removed if `top_2gram_chars_share` is above 0.2" in text
    assert "quality classifier `good`, keep rule `threshold(0.01)`" in text
    assert "| `noai` | 2 |" in text
    assert "crawlmix exclude DIR --urls FILE" in text


def test_a_build_that_stopped_early_gets_a_report_of_what_is_there(crawl, tmp_path):
    text = "name: early\nsources:\n  books: {format: text, paths: [books/*.txt]}\n"
    run(crawl, tmp_path / "w", text, until="extract")
    assert not (tmp_path / "w/report.html").exists()
    write_report(str(tmp_path / "w"))
    front, card = card_of(tmp_path / "w")
    assert front["language"] == ["und"]
    assert "The build is not finished" in card
    page = (tmp_path / "w/report.html").read_text(encoding="utf-8")
    assert "This build is not finished; done so far: extract." in page
    assert 'id="mixtures"' not in page

import json

import pytest

from pipeline.report.status import read_status, status_text
from tests.pipeline.builds import run


def test_rates_are_records_over_time(built):
    status = read_status(str(built))
    ledger = json.loads((built / "ledger.json").read_text())
    stages = {stage["name"]: stage for stage in status["stages"]}
    for name, sums in ledger["stages"].items():
        stage = stages[name]
        assert stage["records"] == sums["in"]
        assert stage["records_per_second"] == pytest.approx(sums["in"] / stage["seconds"], rel=1e-3)
        assert stage["cpu_ms_per_record"] == pytest.approx(1000 * stage["cpu_seconds"] / sums["in"], abs=1e-3)
    assert "records/s" in status_text(status)


def test_errors_come_with_a_count_and_an_example(tmp_path):
    lines = ['{"id": "a", "text": "fine words"}', "not json", '{"id": "b", "text": 7}', "nor this\x1b[31m"]
    (tmp_path / "bad.jsonl").write_text("\n".join(lines) + "\n")
    recipe = "name: bad\nlimits: {max_failed: 100%}\nsources:\n  lines: {format: jsonl, paths: [bad.jsonl]}\n"
    run(tmp_path, tmp_path / "w", recipe, until="extract")
    status = read_status(str(tmp_path / "w"))
    failed = status["ledger"]["sources"]["lines"]["failed"]
    assert {failure["error"]: failure["records"] for failure in status["failures"]} == failed
    assert sum(failed.values()) == 3
    worst = status["failures"][0]
    assert worst["example"]["file"].endswith("bad.jsonl")
    assert worst["example"]["offset"] == len(lines[0]) + 1
    text = status_text(status)
    assert f"failed: 2 of lines with {worst['error']} at extract" in text
    assert "\x1b" not in text

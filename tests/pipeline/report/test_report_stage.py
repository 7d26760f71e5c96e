import json

import pytest

from pipeline.cli.main import run as command
from pipeline.errors import UsageError
from pipeline.report_stage import write_report
from tests.pipeline.builds import run


def test_the_build_records_the_stage(built):
    stages = [stage["name"] for stage in json.loads((built / "build.json").read_text())["stages"]]
    assert stages[-1] == "report"
    assert stages.count("report") == 1


def test_a_lost_page_is_written_again_and_nothing_else(crawl, built, copy):
    (copy / "report.html").unlink()
    again = run(crawl, copy)
    assert [stage["name"] for stage in again.stages if stage["done"]] == ["report"]
    assert (copy / "report.html").read_bytes() == (built / "report.html").read_bytes()
    assert run(crawl, copy).made == 0


def test_the_command_prints_where_the_page_is(copy, capsys):
    assert command(["report", str(copy)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(copy / "report.html"), str(copy / "README.md")]
    assert command(["report", str(copy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(copy / "report.html")


def test_a_folder_that_is_no_workspace_is_refused(tmp_path, capsys):
    with pytest.raises(UsageError, match="no workspace here"):
        write_report(str(tmp_path))
    assert command(["report", str(tmp_path)]) == 2
    assert "crawlmix build" in capsys.readouterr().err

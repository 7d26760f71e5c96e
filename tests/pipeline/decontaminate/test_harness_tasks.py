import gzip
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pipeline.decontaminate.harness_tasks import export_tasks
from pipeline.errors import UsageError


def test_without_the_harness_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(UsageError, match=r"tasks arc_easy, piqa: .* `pip install lm-eval`"):
        export_tasks(["arc_easy", "piqa"], str(tmp_path))


class QuizTask:
    """A task as the harness hands it over."""

    config = SimpleNamespace(doc_to_choice="choices")

    def has_test_docs(self) -> bool:
        return False

    def has_validation_docs(self) -> bool:
        return True

    def validation_docs(self) -> list[dict[str, Any]]:
        return [{"question": "Two and two?", "choices": ["three", "four"], "answer": 1}]

    def doc_to_text(self, example: dict[str, Any]) -> str:
        return example["question"]

    def doc_to_choice(self, example: dict[str, Any]) -> list[str]:
        return example["choices"]

    def doc_to_target(self, example: dict[str, Any]) -> int:
        return example["answer"]


def test_tasks_and_the_members_of_groups_become_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("lm_eval.tasks")
    module.TaskManager = lambda: None  # type: ignore[attr-defined]
    module.get_task_dict = lambda *_: {"group": {"quiz": QuizTask()}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lm_eval", ModuleType("lm_eval"))
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", module)
    (file,) = export_tasks(["group"], str(tmp_path))
    assert Path(file).name == "quiz.jsonl.gz"
    assert json.loads(gzip.decompress(Path(file).read_bytes())) == {
        "id": "0",
        "text": "Two and two?\nthree\nfour\n1",
    }

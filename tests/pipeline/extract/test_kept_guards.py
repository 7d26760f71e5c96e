from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from pipeline.extract.kept_guards import kept_guard
from tests.pipeline.extract.pages import ARTICLE

TOLD = {
    "extractor": "resiliparse",
    "max_bytes": 1 << 20,
    "max_depth": 100,
    "max_tags": 1000,
    "max_cpu_seconds": 30,
    "max_memory": 3 << 30,
}


def child(told: dict[str, object] = TOLD) -> int | None:
    with kept_guard(told) as guard:
        guard.extract([ARTICLE])
        return guard.child_id


def test_threads_that_come_and_go_share_one_child() -> None:
    found = set()
    for _ in range(3):
        with ThreadPoolExecutor(1) as thread:
            found.add(thread.submit(child).result())
    assert len(found) == 1


def test_tasks_side_by_side_have_a_child_each() -> None:
    with ExitStack() as together:
        guards = [together.enter_context(kept_guard(TOLD)) for _ in range(3)]
        for guard in guards:
            guard.extract([ARTICLE])
        assert len({guard.child_id for guard in guards}) == 3


def test_other_settings_take_another_child() -> None:
    assert child() != child(TOLD | {"max_tags": 2000})


def test_a_task_that_failed_leaves_no_child_to_the_next() -> None:
    first = child()
    with pytest.raises(KeyboardInterrupt), kept_guard(TOLD):
        raise KeyboardInterrupt
    assert child() != first

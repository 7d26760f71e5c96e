import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline import tasks
from pipeline.errors import CrawlmixError, UsageError
from pipeline.pool import Job, WorkerError, WorkerPool

# Tasks that only these tests have; the workers find them through this module's place on their path.
_SOURCE = """
import os, signal, pathlib
from pipeline.errors import CrawlmixError, UsageError

def double(task, report):
    print("libraries may print what they like")
    report(1, 10)
    return {"value": 2 * task["value"]}

def fail(task, report):
    raise (UsageError if task.get("usage") else CrawlmixError)("the disk of the user is upside down")

def bug(task, report):
    return {}["missing"]

def die(task, report):
    mark = pathlib.Path(task["mark"])
    count = len(mark.read_text()) if mark.exists() else 0
    mark.write_text("x" * (count + 1))
    if count < task["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": count}

def append(task, report):
    with open(task["file"], "a") as stream:
        stream.write(task["word"])
    return {"text": pathlib.Path(task["file"]).read_text()}

def pid(task, report):
    return {"pid": os.getpid()}
"""


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    (tmp_path / "tasks_for_tests.py").write_text(_SOURCE)
    (tmp_path / "sitecustomize.py").write_text(
        "import pipeline.tasks as t\n"
        "t._FUNCTIONS.update({n: f'tasks_for_tests:{n}' for n in ('double', 'fail', 'bug', 'die', 'append', 'pid')})\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def test_results_stand_in_the_order_of_the_jobs(kinds):
    progress = []
    with WorkerPool(2, lambda records, size: progress.append((records, size))) as pool:
        done = pool.run([Job({"kind": "double", "value": n}) for n in range(20)])
    assert [item.result["value"] for item in done] == [2 * n for n in range(20)]
    assert sum(size for _, size in progress) == 200
    assert all(item.cpu_seconds >= 0 for item in done)


def test_the_whole_runs_after_its_steps(kinds):
    steps = [{"kind": "append", "file": str(kinds / "f"), "word": "s"} for _ in range(5)]
    with WorkerPool(2) as pool:
        done = pool.run([Job({"kind": "append", "file": str(kinds / "f"), "word": "w"}, steps)])
    assert done[0].result["text"] == "sssssw"


@pytest.mark.parametrize(("usage", "kind"), [(True, UsageError), (False, CrawlmixError)])
def test_the_users_error_comes_back_as_it_was_raised(kinds, usage, kind):
    with WorkerPool(2) as pool, pytest.raises(CrawlmixError, match="upside down") as caught:
        pool.run([Job({"kind": "fail", "usage": usage}), Job({"kind": "double", "value": 1})])
    assert type(caught.value) is kind


def test_a_bug_comes_back_with_its_traceback(kinds):
    with WorkerPool(1) as pool, pytest.raises(WorkerError, match="KeyError: 'missing'"):
        pool.run([Job({"kind": "bug"})])


def test_a_worker_that_dies_once_is_replaced(kinds):
    with WorkerPool(1) as pool:
        done = pool.run([Job({"kind": "die", "mark": str(kinds / "mark"), "times": 1})])
    assert done[0].result["value"] == 1


def test_a_task_that_kills_two_workers_ends_the_run_and_is_named(kinds):
    task = {"kind": "die", "mark": str(kinds / "mark"), "times": 9, "name": "crawl part 3 (x.warc.gz)"}
    with (
        WorkerPool(2) as pool,
        pytest.raises(CrawlmixError, match=r"crawl part 3 .*ended twice \(signal 9\)"),
    ):
        pool.run([Job(task)])


def test_workers_end_when_their_parent_is_killed(kinds):
    code = (
        "from pipeline.pool import *; import json, time\n"
        "pool = WorkerPool(1)\n"
        "print(pool.run([Job({'kind': 'pid'})])[0].result['pid'], flush=True)\n"
        "time.sleep(60)\n"
    )
    import subprocess

    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(100):
        if not _alive(worker):
            break
        time.sleep(0.1)
    assert not _alive(worker)


def _alive(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/stat").open() as stream:
            return stream.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_jobs_travel_as_one_line():
    job = Job({"kind": "x", "name": "é"}, [{"kind": "y"}])
    assert "\n" not in job.to_json()
    assert Job.from_json(job.to_json()) == job
    assert json.loads(job.to_json())["whole"]["name"] == "é"


def test_a_full_disk_is_told_with_its_remedy(monkeypatch):
    def full(_task, _report):
        raise OSError(28, "No space left on device", "/data/part-00000.parquet")

    monkeypatch.setitem(tasks._FUNCTIONS, "full", "tests.pipeline.test_pool:full")
    monkeypatch.setattr("tests.pipeline.test_pool.full", full, raising=False)
    with pytest.raises(
        CrawlmixError, match=r"/data/part-00000.parquet: cannot write: the disk is full; make room"
    ):
        tasks.run_task({"kind": "full"}, lambda _r, _b: None)


def test_no_thread_is_left_behind(kinds):
    before = threading.active_count()
    with WorkerPool(3) as pool:
        pool.run([Job({"kind": "double", "value": n}) for n in range(5)])
    assert threading.active_count() <= before

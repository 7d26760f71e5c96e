"""What a worker can be asked to do: names of tasks and the functions behind them.

A task is a JSON object with a `kind`; its function reads files, writes files and returns a small JSON object. Tasks
know nothing of Beam, so a worker process starts in a fraction of the time that an SDK harness needs.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pipeline.errors import CrawlmixError, as_user_error

Task = dict[str, Any]
CHILD_SECONDS = "child_seconds"  # in a result: CPU seconds of child processes that worked for the task
Report = Callable[[int, int], None]  # records and input bytes done since the last call

_FUNCTIONS = {
    "extract_slice": "pipeline.extract.part:run_slice",
    "extract_part": "pipeline.extract.part:run_part",
    "linked_pages_part": "pipeline.extract.linked_pages:run_part",
    "sample_part": "pipeline.annotate.sample:run_part",
    "annotate_part": "pipeline.annotate.part:run_part",
    "repeats_scan_part": "pipeline.dedup.repeats_part:scan_part",
    "repeats_part": "pipeline.dedup.repeats_part:cut_part",
    "scan_part": "pipeline.decontaminate.part:scan_part",
    "decontaminate_part": "pipeline.decontaminate.part:decide_part",
    "tokenize_part": "pipeline.tokenize.part:run_part",
    "shard": "pipeline.tokenize.assemble:run_shard",
}


def run_task(task: Task, report: Report) -> dict[str, Any]:
    """Do one task.

    Raises:
        CrawlmixError: input, recipe or environment is at fault.
    """
    module, name = _FUNCTIONS[task["kind"]].split(":")
    function: Callable[[Task, Report], dict[str, Any]] = getattr(import_module(module), name)
    try:
        return function(task, report)
    except CrawlmixError:
        raise
    except Exception as error:
        if (told := as_user_error(error)) is None:
            raise
        if isinstance(error, (OSError, MemoryError)):
            places = [task[key] for key in ("name", "output", "slice_file") if key in task]
            raise type(told)(": ".join([", ".join(places), str(told)] if places else [str(told)])) from error
        raise told from error

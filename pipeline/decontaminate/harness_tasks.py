"""Benchmarks by their task names in lm-evaluation-harness, written down as JSON lines that anyone can look at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.decontaminate.documents import DocumentWriter
from pipeline.errors import UsageError
from pipeline.storage.paths import join
from pipeline.storage.publish import publish


def export_tasks(names: Sequence[str], folder: str) -> list[str]:
    """Write the test examples of tasks (else those for validation), one file for each, and return the files.

    An example's text is what the harness asks, its choices, and the answer. The harness loads the data sets, which
    may use the network.

    Raises:
        UsageError: the harness is not installed, knows no such task, or a task has no examples.
    """
    try:
        from lm_eval.tasks import TaskManager, get_task_dict
    except ImportError as error:
        raise UsageError(
            f"tasks {', '.join(names)}: lm-evaluation-harness is not installed ({error}); install it with"
            " `pip install lm-eval`, or give the benchmarks as files"
        ) from error
    manager = TaskManager()
    files = []
    for name in names:
        try:
            found = dict(_tasks(get_task_dict([name], manager)))
        except (KeyError, ValueError) as error:
            raise UsageError(f"task {name}: lm-evaluation-harness cannot load it ({error})") from error
        for task_name, task in sorted(found.items()):
            file = join(folder, f"{task_name}.jsonl.gz")
            with publish(file) as temporary, temporary.open("wb") as stream:
                writer = DocumentWriter(stream)
                count = 0
                for count, text in enumerate(_texts(task), 1):
                    writer.write({"id": str(count - 1), "text": text})
                writer.close()
                if not count:
                    raise UsageError(f"task {task_name}: has no test and no validation examples")
            files.append(file)
    return files


def _tasks(found: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Tasks of a dictionary in which groups hold dictionaries."""
    for name, task in found.items():
        if isinstance(task, Mapping):
            yield from _tasks(task)
        else:
            yield str(name), task


def _texts(task: Any) -> Iterator[str]:
    if task.has_test_docs():
        examples = task.test_docs()
    elif task.has_validation_docs():
        examples = task.validation_docs()
    else:
        return
    for example in examples:
        parts = [task.doc_to_text(example)]
        if getattr(task.config, "doc_to_choice", None) is not None:
            parts += task.doc_to_choice(example)
        parts.append(task.doc_to_target(example))
        yield "\n".join(_words(part) for part in parts)


def _words(part: Any) -> str:
    if isinstance(part, (list, tuple)):
        return "\n".join(map(str, part))
    return str(part)

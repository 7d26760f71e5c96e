"""The Beam job that counts in how many documents each line or run of sentences stands.

Parts send what they hold by partition of the hash: about 17 bytes for each of their distinct spans, never text. A
partition says to each part which of its spans are cut, and the part leaves that in a file.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from pipeline.dedup.partition import partitions_per_band
from pipeline.dedup.repeats_part import read_spans, save_repeated
from pipeline.dedup.repeats_tally import Held, Repeated, Totals, by_partition, join, sort_repeated
from pipeline.dedup_files import empty
from pipeline.sections.dedup import Repeats
from pipeline.stage import run_pipeline
from pipeline.storage.listing import list_dir
from pipeline.storage.paths import join as join_path
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Task

_NAME = "repeats-count"

Sent = tuple[int, tuple[int, tuple[bytes, bytes, bytes]]]
Answer = tuple[int, tuple[bytes, bytes]]


def count_repeats(
    tasks: Sequence[Task], spans: int, folder: str, settings: Repeats, beam_options: Sequence[str]
) -> list[Totals]:
    """Write which spans of each part are cut, to the file that its task names as `repeated`, and beside it a note.

    Args:
        tasks: one for each part.
        spans: in all parts together, which decides the number of partitions.
        folder: to work in.
        settings: of the recipe.
        beam_options: of the build.

    Returns:
        What each partition counted.
    """
    statistics, manifest = join_path(folder, "statistics"), join_path(folder, "parts.jsonl")
    empty(statistics)
    with publish(manifest) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(task, sort_keys=True) + "\n" for task in tasks)
    partitions = partitions_per_band(spans)

    def build(pipeline: beam.Pipeline) -> None:
        read = (
            pipeline
            | "Manifest" >> beam.Create([manifest])
            | "Parts" >> beam.FlatMap(_read_tasks)
            | "Spread" >> beam.Reshuffle()
        )
        answers = (
            read
            | "Spans" >> beam.ParDo(_Send(partitions)).with_output_types(Sent)
            | "Meet" >> beam.GroupByKey()
            | "Count"
            >> beam.ParDo(_Count(settings.max_documents, statistics, keep_best=settings.keep == "best"))
            .with_output_types(Answer)
        )  # fmt: skip
        by_number = read | "Key" >> beam.Map(_by_number).with_output_types(tuple[int, bytes])
        (
            {"task": by_number, "answers": answers}
            | "Home" >> beam.CoGroupByKey()
            | "Leave" >> beam.Map(_leave)
        )

    run_pipeline(_NAME, build, beam_options)
    totals = []
    for name in list_dir(statistics):
        with open_input(join_path(statistics, name)) as stream:
            distinct, repeated, largest = json.loads(stream.read())
        totals.append(Totals(distinct, repeated, [(documents, span) for documents, span in largest]))
    return totals


class _Send(beam.DoFn):
    """Sends what a part holds to the partitions."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def process(self, task: Task) -> Iterator[Sent]:
        first = task["group"] * self._partitions
        for partition, held in by_partition(read_spans(task).count(), self._partitions):
            packed = held.to_bytes()
            Metrics.counter(_NAME, "shuffled_spans").inc(sum(map(len, packed)))
            yield first + partition, (task["number"], packed)


class _Count(beam.DoFn):
    """Finds the repeated spans of a partition, and answers each part that holds some."""

    def __init__(self, max_documents: int, statistics: str, *, keep_best: bool) -> None:
        self._max_documents, self._statistics, self._keep_best = max_documents, statistics, keep_best

    def process(
        self, element: tuple[int, Iterable[tuple[int, tuple[bytes, bytes, bytes]]]]
    ) -> Iterator[Answer]:
        partition, sent = element
        parts, helds = [], []
        for number, packed in sent:
            parts.append(number)
            helds.append(Held.from_bytes(*packed))
        found, totals = join(parts, helds, max_documents=self._max_documents, keep_best=self._keep_best)
        write_json(join_path(self._statistics, f"{partition:08d}.json"), list(totals))
        for number, repeated in found.items():
            answer = tuple(column.astype("<u8", copy=False).tobytes() for column in repeated)
            Metrics.counter(_NAME, "shuffled_answers").inc(sum(map(len, answer)))
            yield number, (answer[0], answer[1])


def _leave(element: tuple[int, dict[str, Iterable[Any]]]) -> None:
    """Leave what all partitions say to a part in one file; its note tells whether that differs from before."""
    task: Task = json.loads(next(iter(element[1]["task"])))
    answers = list(element[1]["answers"])
    columns = (
        np.frombuffer(b"".join(answer[place] for answer in answers), "<u8").astype(np.uint64)
        for place in (0, 1)
    )
    repeated = sort_repeated(Repeated(*columns))
    save_repeated(task["repeated"], repeated)
    digest = hashlib.sha256(np.stack(repeated).astype("<u8", copy=False).tobytes()).hexdigest()[:32]
    write_json(f"{task['repeated']}.json", {"digest": digest})


def _read_tasks(path: str) -> Iterator[Task]:
    with open_input(path) as stream:
        for line in stream:
            yield json.loads(line)


def _by_number(task: Task) -> tuple[int, bytes]:
    return task["number"], json.dumps(task, sort_keys=True).encode()

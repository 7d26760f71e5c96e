"""The search for copies, as Beam jobs over packed arrays.

Only hashes, row numbers and, for documents that have company, ids and signatures go through a shuffle:

1. held: which documents an earlier build holds, by its keys alone; no shuffle;
2. each level (`urls`, then `content`), on what the levels before left:
   keys by partition -> stars; components; members by component -> which copy stays; decisions by part;
3. with the decisions about its content, each part's `duplicates` file, and the keys of what stays for later builds.

Content has two sorts of keys: those of whole texts, then those of the bands of signatures of one document of each text.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam

from pipeline.context import Context
from pipeline.dedup.partition import partitions_per_band
from pipeline.dedup.settings import minhash_bands, minhash_scheme
from pipeline.dedup.statistics import Statistics
from pipeline.dedup_components import Run, label_components
from pipeline.dedup_files import count_edges, edge_files, empty
from pipeline.dedup_steps import (
    Decide,
    Finish,
    Held,
    KeysOf,
    LabelsByPart,
    Level,
    Members,
    Packed,
    SendKeys,
    Setting,
    Stars,
)
from pipeline.sections.dedup import Dedup
from pipeline.stage import run_pipeline
from pipeline.storage.listing import list_dir
from pipeline.storage.paths import join
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_input
from pipeline.tasks import Task

_MEMBERS_PER_PARTITION = 1 << 18  # about 100 MB


@dataclass
class Findings:
    """What a search came to beside the `duplicates` files."""

    levels: dict[str, Statistics] = field(default_factory=dict)
    templates: list[tuple[str, str, int, int]] = field(
        default_factory=list
    )  # of which key, key, size, document


def search(
    context: Context,
    tasks: Sequence[Task],
    documents: int,
    *,
    sources: Sequence[str],
    references: Sequence[str] = (),
) -> Findings:
    """Find the copies among `documents` living documents, and write the `duplicates` file of each task's part.

    Args:
        context: of the build.
        tasks: one for each part.
        documents: how many there are, which decides the number of partitions.
        sources: names by rank.
        references: folders of keys that earlier builds hold.
    """
    settings = context.recipe.root.dedup
    folder = context.workspace.work("dedup")
    empty(folder)
    manifest = join(folder, "parts.jsonl")
    with publish(manifest) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(task, sort_keys=True) + "\n" for task in tasks)
    setting = Setting(
        folder,
        tuple(sources),
        tuple(settings.protected),
        partitions_per_band(documents),
        minhash_bands(settings),
        minhash_scheme(settings),
        tuple(references),
    )
    return _Search(context, settings, setting, manifest).run()


@dataclass
class _Search:
    """The jobs of one call, one after the other."""

    context: Context
    settings: Dedup
    setting: Setting
    manifest: str
    findings: Findings = field(default_factory=Findings)

    def run(self) -> Findings:
        if self.setting.references:
            held = Held(self.setting)
            self._run("held", lambda pipeline: self._tasks(pipeline) | "Held" >> beam.ParDo(held))
        if self.settings.urls:
            self._pairs("urls", ["url"], ())
            self._decide("urls", ())
        before: tuple[Level, ...] = ("urls",) if self.settings.urls else ()
        keys: list[KeysOf] = ["exact"] if self.settings.exact else []
        if self.setting.bands is not None:
            keys.append("bands")
        self._pairs("content", keys, before)
        self._decide("content", before)
        return self.findings

    def _pairs(self, level: Level, sorts: Sequence[KeysOf], before: tuple[Level, ...]) -> None:
        """Leave the edges of a level in files; of each sort of keys, only what the one before did not drop is sent."""
        name = f"{level}-keys"

        def build(pipeline: beam.Pipeline) -> None:
            tasks = self._tasks(pipeline)
            by_number = tasks | "Key" >> beam.Map(_by_number).with_output_types(tuple[int, bytes])
            copies = pipeline | "NoCopies" >> beam.Create([], reshuffle=False).with_output_types(
                tuple[int, bytes]
            )
            for keys in sorts:
                send = SendKeys(self.setting, keys, before, self._name(name))
                stars = Stars(self.setting.folder, level, keys, self._name(name))
                copies = (
                    {"task": by_number, "rows": copies}
                    | f"Home {keys}" >> beam.CoGroupByKey()
                    | f"Keys {keys}" >> beam.ParDo(send).with_output_types(Packed)
                    | f"Meet {keys}" >> beam.GroupByKey()
                    | f"Stars {keys}" >> beam.ParDo(stars).with_output_types(tuple[int, bytes])
                )

        if sorts:
            self._run(name, build)
        for keys in sorts:
            self._gather_templates(keys)

    def _decide(self, level: Level, before: tuple[Level, ...]) -> None:
        folder = join(self.setting.folder, level)
        edges = join(folder, "edges")
        run: Run = self._run
        company = 2 * count_edges(edges)
        labels = label_components(run, edges, folder, max_edges=self.settings.max_edges)
        partitions = max(1, -(-company // _MEMBERS_PER_PARTITION))
        name = self._name(level)
        statistics = join(folder, "statistics")
        keys = join(self.setting.folder, "keys") if self.settings.keep_reference else None
        finish = Finish(self.setting, level, before, keys)

        def build(pipeline: beam.Pipeline) -> None:
            tasks = self._tasks(pipeline) | "Key" >> beam.Map(_by_number).with_output_types(tuple[int, bytes])
            company_of = (
                pipeline
                | "Folder" >> beam.Create([labels])
                | "Files" >> beam.FlatMap(edge_files)
                | "SpreadFiles" >> beam.Reshuffle()
                | "Labels" >> beam.ParDo(LabelsByPart(name)).with_output_types(Packed)
            )
            decisions = (
                {"task": tasks, "labels": company_of}
                | "Home" >> beam.CoGroupByKey()
                | "Members"
                >> beam.ParDo(Members(self.setting, level, partitions, name)).with_output_types(
                    tuple[int, bytes]
                )
                | "Clusters" >> beam.GroupByKey()
                | "Decide"
                >> beam.ParDo(Decide(self.setting.terms(level), statistics, name)).with_output_types(
                    tuple[int, bytes]
                )
            )
            (
                {"task": tasks, "decisions": decisions}
                | "Return" >> beam.CoGroupByKey()
                | "Finish" >> beam.ParDo(finish)
            )

        self._run(level, build)
        found = [Statistics.from_dict(_read_json(join(statistics, file))) for file in list_dir(statistics)]
        self.findings.levels[level] = Statistics.total(found)

    def _gather_templates(self, keys: KeysOf) -> None:
        folder = join(self.setting.folder, f"{keys}-templates")
        for file in list_dir(folder):
            self.findings.templates += [(keys, *template) for template in _read_json(join(folder, file))]

    def _tasks(self, pipeline: beam.Pipeline) -> beam.PCollection[Task]:
        tasks: beam.PCollection[Task] = (
            pipeline
            | "Manifest" >> beam.Create([self.manifest])
            | "Parts" >> beam.FlatMap(_read_tasks)
            | "Spread" >> beam.Reshuffle()
        )
        return tasks

    def _run(self, name: str, build: Callable[[beam.Pipeline], None]) -> None:
        run_pipeline(self._name(name), build, self.context.beam_options)

    @staticmethod
    def _name(job: str) -> str:
        return f"dedup-{job}"


def _read_tasks(path: str) -> Iterator[Task]:
    with open_input(path) as stream:
        for line in stream:
            yield json.loads(line)


def _read_json(path: str) -> Any:
    with open_input(path) as stream:
        return json.loads(stream.read())


def _by_number(task: Task) -> tuple[int, bytes]:
    return task["number"], json.dumps(task, sort_keys=True).encode()

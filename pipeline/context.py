"""What the stages of one build share: recipe, workspace, engine, progress, and the record of what was done."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pipeline.errors import CrawlmixError
from pipeline.pool import Done, Job, WorkerPool
from pipeline.progress import Progress
from pipeline.recipe import Recipe
from pipeline.runner import import_beam, runner_name
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.paths import is_remote
from pipeline.storage.reading import exists, read_if_there
from pipeline.workspace import PartState, Workspace, read_state

_THREADS = 16  # that read footers from an object store
_MAX_NOTE = 64 << 20  # bytes


@dataclass
class StageRecord:
    """A line of `build.json`."""

    name: str
    fingerprint: str = ""
    parts: int = 0
    done: int = 0  # parts made by this call; the others were there already
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class PartPlan:
    """A part to be: which job makes it, and how to know that it is made."""

    source: str
    index: int
    output: str
    fingerprint: str
    job: Job
    size: int = 0  # bytes of input, for the ETA


def _read_states(plans: Sequence[PartPlan]) -> list[PartState | None]:
    """Read what is there with its current fingerprint: one listing for each folder, one footer for each part."""
    folders = {plan.output.rpartition("/")[0] for plan in plans}
    there = {folder: frozenset(list_dir(folder)) for folder in folders}

    def read(plan: PartPlan) -> PartState | None:
        folder, _, name = plan.output.rpartition("/")
        state = read_state(plan.output) if name in there[folder] else None
        return state if state is not None and state.fingerprint == plan.fingerprint else None

    if not any(map(is_remote, folders)):
        return list(map(read, plans))
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(read, plans))


@dataclass
class Context:
    """One call of `build`."""

    recipe: Recipe
    workspace: Workspace
    pool: WorkerPool
    progress: Progress
    beam_options: Sequence[str] = ()
    language_model_digest: str = ""
    records: list[StageRecord] = field(default_factory=list)

    def make_parts(self, stage: str, plans: Sequence[PartPlan], record: StageRecord) -> list[PartState]:
        """Make the parts that are not there with their current fingerprint; return the states of all, in order.

        Raises:
            CrawlmixError: a part could not be made.
        """
        found = _read_states(plans)
        pending = [place for place, state in enumerate(found) if state is None]
        self._make(stage, plans, [plans[place] for place in pending], record)
        for place, state in zip(pending, _read_states([plans[place] for place in pending]), strict=True):
            found[place] = state
        states = [state for state in found if state is not None]
        if len(states) < len(plans):
            missing = plans[found.index(None)].output
            raise CrawlmixError(
                f"{missing}: was made and is gone; does something else write to this workspace?"
            )
        return states

    def make_files(self, stage: str, plans: Sequence[PartPlan], record: StageRecord) -> None:
        """Make parts whose `output` is a JSON note with a `fingerprint`, written last; as `make_parts` does."""
        self._make(stage, plans, [plan for plan in plans if not self._has_note(plan)], record)

    def _make(
        self, stage: str, plans: Sequence[PartPlan], pending: Sequence[PartPlan], record: StageRecord
    ) -> None:
        record.parts = max(record.parts, len(plans))
        if not pending:
            return
        self.run_jobs(stage, [plan.job for plan in pending], record, sum(plan.size for plan in pending))
        record.done += len(pending)

    def run_jobs(self, stage: str, jobs: Sequence[Job], record: StageRecord, size: int = 0) -> None:
        """Have jobs done on the build's engine, show how they go on, and add their CPU seconds to a record.

        Args:
            stage: name of the Beam job.
            jobs: at least one.
            record: of the stage that they belong to.
            size: bytes of input, for the ETA.
        """
        # Workers start while Beam is imported; what stands in for the pool in a process of its own has none.
        if runner_name(self.beam_options) == "direct" and isinstance(self.pool, WorkerPool):
            self.pool.start(sum(max(len(job.steps), 1) for job in jobs))
        import_beam(self.beam_options)
        from pipeline.stage import run_jobs

        self.progress.begin(stage, len(jobs), size)
        self.pool.on_progress = self.progress.add
        try:
            counters = run_jobs(
                stage,
                jobs,
                manifest=self.workspace.work(f"{stage}.jobs.jsonl"),
                beam_options=self.beam_options,
                pool=self.pool,
                on_done=self._part_done,
            )
        finally:
            self.progress.end()  # an error's line must not stand behind the live one
        record.cpu_seconds += counters.get("cpu_ms", 0) / 1000

    def _part_done(self, _done: Done) -> None:
        self.progress.part_done()

    @staticmethod
    def _has_note(plan: PartPlan) -> bool:
        note = read_if_there(plan.output, _MAX_NOTE)
        return note is not None and bool(json.loads(note)["fingerprint"] == plan.fingerprint)

    def begin(self, name: str) -> tuple[StageRecord, float]:
        """Open the record of a stage."""
        record = StageRecord(name)
        self.records.append(record)
        return record, time.monotonic()

    @staticmethod
    def by_source(plans: Sequence[PartPlan], states: Sequence[PartState]) -> dict[str, list[PartState]]:
        """Group the states of parts by their source, in order."""
        grouped: dict[str, list[PartState]] = {}
        for plan, state in zip(plans, states, strict=True):
            grouped.setdefault(plan.source, []).append(state)
        return grouped

    def clean(self, table: str, parts: Mapping[str, int]) -> None:
        """Remove the parts of `table` that the recipe does not have any more."""
        for source in list_dir(self.workspace.path(table)):
            if exists(self.workspace.path(table, source)):
                continue  # a file about the whole table
            for name in list_dir(self.workspace.path(table, source)):
                number = name.removeprefix("part-").split(".")[0]
                if not number.isdigit() or int(number) >= parts.get(source, 0):
                    remove(self.workspace.path(table, source, name))

"""The exclude stage: accounts for the documents that were taken out by hand.

They are left out when shards are cut (`plan_shards`), so no text is read or tokenized again.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.annotate.trained_text import surviving
from pipeline.context import Context
from pipeline.exclusions import RULE, Exclusions
from pipeline.storage.reading import open_input
from pipeline.workspace import PartState

NAME = "exclude"

States = dict[str, list[PartState]]


def run(context: Context, survivors: States, tables: Sequence[str], exclusions: Exclusions) -> States:
    """Count what is taken out of the survivors; returns the states of the parts by source.

    Args:
        context: of the build.
        survivors: states of the last stage that removes documents, by source.
        tables: whose `fate` must be `kept`, `documents` first.
        exclusions: of the workspace.
    """
    record, start = context.begin(NAME)
    record.fingerprint = exclusions.fingerprint
    record.parts = sum(len(parts) for parts in survivors.values())
    states: States = {}
    for name, parts in survivors.items():
        ids = exclusions.ids(name)
        states[name] = [
            _state(part, _taken_out([context.workspace.part(table, name, index) for table in tables], ids))
            for index, part in enumerate(parts)
        ]
    record.seconds = time.monotonic() - start
    return states


def _taken_out(tables: Sequence[str], ids: frozenset[str]) -> int:
    if not ids:
        return 0
    with open_input(tables[0]) as stream:
        names = pq.read_table(pa.PythonFile(stream), columns=["id"])["id"].combine_chunks()
    named = pc.is_in(names, value_set=pa.array(sorted(ids), pa.string()))
    return pc.sum(pc.and_(named, surviving(tables))).as_py() or 0


def _state(part: PartState, out: int) -> PartState:
    return replace(part, kept=part.kept - out, removed={RULE: out} if out else {}, failed={}, more={})

"""The two passes over a part: find its lines or runs of three sentences, then cut those that stay elsewhere.

The first pass reads texts after the line rules of their source's filter, and leaves hashes and places in a file. The
second needs no text; it writes the part's `repeats` file, row-aligned, whose `cut` holds ranges of bytes of those texts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate.trained_text import TextEdits, read_texts, surviving
from pipeline.dedup.columns import one_array
from pipeline.dedup.part_keys import read_rows
from pipeline.dedup.priority import single_keys
from pipeline.dedup.repeated_lines import CUTS, Cut, Pieces, Spans, Unit, find_pieces, plan_cut, spans_of
from pipeline.dedup.repeats_tally import Held, Repeated, chosen_spans, count_spans
from pipeline.storage.publish import publish, write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.workspace import PartState, PartWriter
from text.buffers import Hashes
from text.distinct import distinct

REPEATS = pa.schema(
    [
        ("cut", CUTS),  # bytes of the text after the line rules of the filter; null: nothing is cut
        ("spans_cut", pa.int32()),  # lines, or runs of three sentences, that stay elsewhere
        ("bytes_cut", pa.int64()),
        ("fate", pa.string()),
        ("rule", pa.string()),
        ("detail", pa.string()),
    ]
)
RULE = "repeated_text"

_PIECES = pa.schema(
    [("row", pa.uint32()), ("hash", pa.uint64()), ("start", pa.uint32()), ("end", pa.uint32())]
)


@dataclass(frozen=True)
class PartSpans:
    """The spans of a part's documents, with what decides between these."""

    pieces: Pieces  # rows count the documents below
    spans: Spans
    rows: npt.NDArray[np.int64]  # (n,) rows in the part of the documents that hold a span, rising
    keys: Hashes  # (n,)

    def count(self) -> Held:
        """Count the documents of each span."""
        return count_spans(self.spans.hashes, self.spans.rows, self.keys)


def scan_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the places and hashes of a part's lines or sentences, and last the note that says so."""
    documents = size = pieces = 0
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        publish(task["pieces"]) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, _PIECES, options=options) as writer,
    ):
        for _, rows, texts, total in read_texts(task["tables"], TextEdits(**task["edits"])):
            found = find_pieces(texts, task["unit"])
            columns = (rows.to_numpy()[found.rows], found.hashes, found.starts, found.ends)
            batch = [
                pa.array(column).cast(field.type) for column, field in zip(columns, _PIECES, strict=True)
            ]
            writer.write_batch(pa.record_batch(batch, schema=_PIECES))
            documents += len(texts)
            size += pc.sum(pc.binary_length(texts)).as_py() or 0
            pieces += len(found.hashes)
            report(total, 0)
    told = {"documents": documents, "bytes": size, "pieces": pieces}
    write_json(task["output"], {"fingerprint": task["fingerprint"], **told})
    return {"fates": {"scanned": documents}}


def cut_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the `repeats` file of a part."""
    own = read_spans(task)
    chosen = np.zeros(len(own.spans.hashes), bool)
    if not task["protected"]:
        repeated = load_repeated(task["repeated"])
        chosen = chosen_spans(own.spans.hashes, own.spans.rows, own.keys, repeated)
    cut = plan_cut(own.pieces, own.spans, chosen, len(own.rows))
    alive = surviving(task["tables"])
    place = np.full(len(alive), -1)
    place[own.rows] = np.arange(len(own.rows))
    state = PartState(task["fingerprint"])
    state.more = {
        "documents_cut": int((cut.spans > 0).sum()),
        "spans_cut": int(cut.spans.sum()),
        "bytes_cut": int(cut.bytes.sum()),
    }
    with PartWriter(task["output"], REPEATS, state) as writer:
        writer.write(_table(cut, alive, place, task["unit"]))
    report(len(alive), 0)
    return {"fates": state.fates()}


def read_spans(task: Task) -> PartSpans:
    """Read what the first pass found, and the keys of the documents that hold it."""
    with open_input(task["pieces"]) as stream:
        table = pa.ipc.open_file(pa.PythonFile(stream)).read_all()
    places = table["row"].to_numpy().astype(np.int64)
    rows = distinct(places)
    pieces = Pieces(
        table["hash"].to_numpy(),
        np.searchsorted(rows, places),
        table["start"].to_numpy().astype(np.int64),
        table["end"].to_numpy().astype(np.int64),
    )
    return PartSpans(pieces, spans_of(pieces, task["unit"]), rows, _keys(task, rows))


def save_repeated(path: str, repeated: Repeated) -> None:
    """Write which of a part's spans are cut."""
    with publish(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.stack(repeated), allow_pickle=False)


def load_repeated(path: str) -> Repeated:
    """Read what `save_repeated` wrote."""
    with open_input(path) as stream:
        return Repeated(*np.load(stream, allow_pickle=False))


def _keys(task: Task, rows: npt.NDArray[np.int64]) -> Hashes:
    if task["protected"]:
        return np.zeros(len(rows), np.uint64)  # below all others: what it holds stays in it
    ids = one_array(read_rows(task["tables"][0], ["id"], rows)["id"], pa.string())
    quality = read_rows(task["tables"][1], ["quality"], rows)["quality"].to_numpy().astype(np.float64)
    return single_keys(ids, source_rank=task["source_rank"], quality=quality)


def _table(cut: Cut, alive: pa.BooleanArray, place: npt.NDArray[np.int64], unit: Unit) -> pa.RecordBatch:
    """Spread what is cut over the rows of the part; dead rows have nulls."""
    where = pa.array(place, mask=place < 0)
    empty = pc.fill_null(pa.array(cut.whole).take(where), False)
    what = "lines" if unit == "line" else "sentences"
    said = pa.scalar(f"all its {what} stand in other documents", pa.string())
    none = pa.scalar(None, pa.string())
    counts = [
        pc.if_else(alive, pc.fill_null(pa.array(numbers).cast(kind).take(where), 0), pa.scalar(None, kind))
        for numbers, kind in ((cut.spans, pa.int32()), (cut.bytes, pa.int64()))
    ]
    fate = pc.if_else(alive, pc.if_else(empty, "removed", "kept"), none)
    columns = [
        cut.ranges.take(where),
        *counts,
        fate,
        pc.if_else(empty, RULE, none),
        pc.if_else(empty, said, none),
    ]
    return pa.record_batch(columns, schema=REPEATS)

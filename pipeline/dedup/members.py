"""Documents that have company, on their way to the decision which copy stays.

Copies of one text (or of one URL) inside a part travel as one member, their best, with their number. So a text that
stands a million times in a source costs a member a part.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedup.columns import fixed_width, one_array, to_binary
from pipeline.dedup.part_keys import contains, read_rows, text_keys, url_hashes
from pipeline.dedup.priority import priority_keys
from pipeline.dedup.row_gaps import Rows, numbers_of
from pipeline.dedup.scheme import Scheme
from pipeline.tasks import Task
from text.buffers import Hashes

RANK_SHIFT = np.uint64(48)  # of the source's rank in `standing`; see `priority_keys`

MEMBERS = pa.schema(
    [
        ("number", pa.uint64()),
        ("label", pa.uint64()),  # component
        ("twin", pa.uint64()),  # equal for copies of one text, or of one URL
        ("standing", pa.uint64()),  # first column of `priority_keys`
        ("date", pa.uint64()),  # second column
        ("copies", pa.uint32()),  # documents of the part that it stands for, itself included
        ("id", pa.large_string()),
        ("signature", pa.large_binary()),  # low 16 bits of each minimum; null where a twin brings it
    ]
)


@dataclass(frozen=True)
class PartMembers:
    """What a part sends to the decision, and what it must know when the decision comes back."""

    batch: pa.RecordBatch  # of MEMBERS
    rows: Rows  # (n,) rising: all documents of the part that have company
    stands_for: Rows  # (n,) row of the member that stands for each


def gather(
    task: Task, rows: Rows, labels: Hashes, *, scheme: Scheme | None, unsigned: Rows, by_url: bool = False
) -> PartMembers:
    """Gather the members of a part.

    Args:
        task: of the part.
        rows: (n,) rising, documents that have company.
        labels: (n,) their components.
        scheme: of the signatures; None sends none.
        unsigned: rising rows whose text another document brings the signature of.
        by_url: copies are those of one URL, not of one text.
    """
    documents = read_rows(task["documents"], ["id", "timestamp", *(["url"] if by_url else [])], rows)
    signed = scheme is not None and not by_url
    columns = ["characters", "quality", "text_hash", *(["signature"] if signed else [])]
    annotations = read_rows(task["annotations"], columns, rows)
    ids = one_array(documents["id"], pa.large_string())
    keys = priority_keys(
        ids,
        source_rank=np.full(len(rows), task["source_rank"]),
        quality=annotations["quality"].to_numpy().astype(np.float64),
        length=annotations["characters"].to_numpy(),
        date=_dates(documents["timestamp"]),
    )
    twins = url_hashes(documents["url"]) if by_url else text_keys(one_array(annotations["text_hash"]))
    order = np.lexsort((rows, keys[:, 2], keys[:, 1], keys[:, 0], twins))
    head = np.ones(len(rows), bool)
    head[1:] = twins[order][1:] != twins[order][:-1]
    begin = np.flatnonzero(head)
    sizes = np.diff(np.append(begin, len(rows)))
    best = order[begin]
    stands_for = np.empty(len(rows), np.int64)
    stands_for[order] = np.repeat(rows[best], sizes)
    signature = pa.nulls(len(best), pa.large_binary())
    if signed and len(best):
        assert scheme is not None
        brings = np.maximum.reduceat(~contains(unsigned, rows)[order], begin)
        signature = _short(one_array(annotations["signature"]).take(pa.array(best)), brings, scheme)
    columns_of_best = [
        pa.array(numbers_of(task["number"], rows[best])),
        pa.array(labels[best]),
        pa.array(twins[best]),
        pa.array(keys[best, 0]),
        pa.array(keys[best, 1]),
        pa.array(sizes, pa.uint32()),
        ids.take(pa.array(best)),
        signature,
    ]
    return PartMembers(pa.record_batch(columns_of_best, schema=MEMBERS), rows, stands_for)


def _short(column: pa.Array, brings: npt.NDArray[np.bool_], scheme: Scheme) -> pa.Array:
    """Keep the low 16 bits of each minimum.

    Two different minima agree in them with a chance of 1.5e-5, which adds as much to an estimate whose standard error
    is .04, and halves what is sent.
    """
    sent = brings & column.is_valid().to_numpy(zero_copy_only=False)
    minima = fixed_width(column.filter(pa.array(sent)), 4 * scheme.num_hashes, np.uint32).astype(np.uint16)
    spread = np.zeros((len(column), scheme.num_hashes), np.uint16)
    spread[sent] = minima
    return to_binary(spread, ~sent)


def _dates(column: pa.ChunkedArray) -> npt.NDArray[np.datetime64]:
    texts = pc.utf8_slice_codeunits(column, 0, 19)
    right = pc.match_substring_regex(
        texts, r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d$"
    )
    clean = pc.if_else(right, texts, pa.scalar(None, pa.string()))
    parsed = pc.strptime(clean, format="%Y-%m-%dT%H:%M:%S", unit="s", error_is_null=True)
    dates: npt.NDArray[np.datetime64] = parsed.to_numpy()
    return dates

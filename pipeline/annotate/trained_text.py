"""The text of a document as training sees it: C4's line removal applied, repeated lines cut, personal data replaced.

Decontamination and tokenization both read texts through here, so offsets of cut spans and of training samples refer
to the same characters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.annotate.c4 import VARIANTS, keep_spans
from pipeline.annotate.pii import mask_pii
from pipeline.annotate.rules import SIGNAL_SETS
from pipeline.dedup.repeated_lines import remove_ranges
from pipeline.sections.root import Root
from pipeline.storage.reading import open_input

REPEATS = 3  # place of `repeats` among the tables of a part: `documents`, `annotations`, `duplicates`, `repeats`, ...


@dataclass(frozen=True)
class TextEdits:
    """What is done to the texts of a source before they are trained on, in this order."""

    spans: str | None = None  # column of `annotations` with the spans that C4's line rules keep
    repeats: bool = (
        False  # the ranges in `cut` of the table `repeats` go; they count bytes after C4's line rules
    )
    pii: Sequence[str] = ()  # kinds of personal data to replace

    def apply(self, texts: pa.Array, spans: pa.Array | None, cuts: pa.Array | None = None) -> pa.Array:
        """Edit n texts; `spans` is the column that `self.spans` names, `cuts` that of the table `repeats`."""
        if spans is not None:
            texts = keep_spans(texts, spans)
        if cuts is not None:
            texts = remove_ranges(texts, cuts)
        if self.pii:
            texts = mask_pii(texts, kinds=tuple(self.pii)).texts
        return texts


def spans_column(heuristics: Sequence[str]) -> str | None:
    """Name the column of kept spans of the first preset that removes lines; None if none does."""
    for preset in heuristics:
        for name in SIGNAL_SETS[preset]:
            if name in VARIANTS:
                return f"{name}_kept"
    return None


def text_edits(root: Root, name: str) -> TextEdits:
    """What is done to the texts of a source before they are trained on."""
    source = root.sources[name]
    heuristics = root.filters[source.filter].heuristics if source.filter != "none" else []
    return TextEdits(spans_column(heuristics), root.dedup.repeats is not None, tuple(source.pii))


def read_texts(tables: Sequence[str], edits: TextEdits) -> Iterator[tuple[pa.Array, pa.Array, pa.Array, int]]:
    """Read the surviving documents of a part, row group by row group.

    Args:
        tables: paths of the part's `documents`, `annotations` and further row-aligned files, in the order of the stages;
            a document survives if its fate is `kept` in all of them.
        edits: of the source.

    Yields:
        ids (n,), row numbers in the part (n,) int64, texts as trained (n,), and the rows of the group, dead ones
        included.
    """
    kept = surviving(tables)
    cuts = _column(tables[REPEATS], "cut") if edits.repeats else None
    with open_input(tables[0]) as stream, open_input(tables[1]) as beside:
        documents, annotations = pq.ParquetFile(stream), pq.ParquetFile(beside)
        first = 0
        for group in range(documents.num_row_groups):
            table = documents.read_row_group(group, columns=["id", "text"])
            rows = pc.indices_nonzero(kept.slice(first, table.num_rows)).cast(pa.int64())
            texts = table["text"].combine_chunks().take(rows)
            spans = None
            if edits.spans is not None:
                spans = (
                    annotations.read_row_group(group, columns=[edits.spans])[edits.spans]
                    .combine_chunks()
                    .take(rows)
                )
            places = pc.add(rows, first)
            yield (
                table["id"].combine_chunks().take(rows),
                places,
                edits.apply(texts, spans, None if cuts is None else cuts.take(places)),
                table.num_rows,
            )
            first += table.num_rows


def surviving(tables: Sequence[str]) -> pa.BooleanArray:
    """Say for each row of a part whether its fate is `kept` in every table."""
    kept: pa.BooleanArray | None = None
    for path in tables:
        mine = pc.fill_null(pc.equal(_column(path, "fate"), "kept"), False)
        kept = mine if kept is None else pc.and_(kept, mine)
    assert kept is not None
    return kept


def _column(path: str, name: str) -> pa.Array:
    with open_input(path) as stream:
        return pq.read_table(pa.PythonFile(stream), columns=[name])[name].combine_chunks()

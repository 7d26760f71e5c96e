"""What is known about the documents of one part: language, score and the rules of the source's filter.

Row-aligned with the part's `documents`: a row whose record was removed or failed before has nulls, and a null fate,
since it was not this stage's to judge.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.language import LanguageModel
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import signatures
from pipeline.storage.reading import open_input
from pipeline.tasks import Report, Task
from pipeline.workspace import PartState, PartWriter
from text.normalise import text_hashes

ANNOTATIONS = pa.schema(
    [
        ("language", pa.string()),  # ISO 639 code as the model names it, `und` when there is nothing to go by
        ("language_score", pa.float32()),  # 0 to 1
        ("characters", pa.int64()),
        ("text_hash", pa.binary(16)),  # of the normalised words: equal for exact copies
        ("signature", pa.binary()),  # MinHash minima, little-endian uint32; null without a word or without search
        ("fate", pa.string()),
        ("rule", pa.string()),
        ("detail", pa.string()),
    ]
)


def run_part(task: Task, report: Report) -> dict[str, Any]:
    """Write the `annotations` file of a part; returns its counts by fate."""
    state = PartState(task["fingerprint"])
    model = _language_model(task["language_model"])
    scheme = Scheme(**task["scheme"]) if task["scheme"] else None
    schema = ANNOTATIONS.with_metadata(scheme.to_metadata()) if scheme else ANNOTATIONS
    with open_input(task["documents"]) as stream, PartWriter(task["output"], schema, state) as writer:
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["text", "fate"])
            writer.write(annotate(table, model, task["filter"], scheme))
            report(table.num_rows, 0)
    return {"fates": state.fates()}


@lru_cache(maxsize=1)
def _language_model(path: str | None) -> LanguageModel:
    return LanguageModel.load(path)


def annotate(
    table: pa.Table, model: LanguageModel, rules: dict[str, Any] | None, scheme: Scheme | None
) -> pa.RecordBatch:
    """Judge a row group: (n,) rows in, (n,) rows of `ANNOTATIONS` out."""
    alive = pc.equal(table["fate"], "kept").combine_chunks()
    texts = table["text"].combine_chunks().filter(alive)
    languages = model.identify(texts)
    fates, names, details = _filter(languages.language, languages.score, rules)
    place = _places(alive)
    columns = [
        languages.language,
        languages.score,
        pc.utf8_length(texts),
        _fixed_binary(text_hashes(texts), 16),
        _signature_column(texts, scheme),
        fates,
        names,
        details,
    ]
    schema = ANNOTATIONS.with_metadata(scheme.to_metadata()) if scheme else ANNOTATIONS
    arrays = [pa.array(column, field.type).take(place) for column, field in zip(columns, ANNOTATIONS, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _fixed_binary(values: Any, width: int) -> pa.Array:
    """Turn (n, k) little-endian numbers of together `width` bytes into n binary values."""
    data = pa.py_buffer(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))))
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, data])


def _signature_column(texts: pa.Array, scheme: Scheme | None) -> pa.Array:
    if scheme is None:
        return pa.nulls(len(texts), pa.binary())
    found = signatures(texts, scheme)
    whole = _fixed_binary(found.minima, 4 * scheme.num_hashes).cast(pa.binary())
    return pc.if_else(pa.array(found.valid), whole, pa.scalar(None, pa.binary()))


def _places(alive: pa.BooleanArray) -> pa.Array:
    """For each row its index among the living ones, null for the others."""
    mask = alive.to_numpy(zero_copy_only=False)
    return pa.array(np.cumsum(mask) - 1, pa.int64(), mask=~mask)


def _filter(
    language: pa.Array, score: Any, rules: dict[str, Any] | None
) -> tuple[list[str], list[str | None], list[str | None]]:
    fates: list[str] = []
    names: list[str | None] = []
    details: list[str | None] = []
    wanted = rules["languages"] if rules else None
    for code, certainty in zip(language.to_pylist(), np.asarray(score).tolist(), strict=True):
        rule = detail = None
        if wanted is not None and rules is not None:
            if code not in wanted:
                rule, detail = "language", f"{code} is not one of {', '.join(wanted)}"
            elif certainty < rules["min_language_score"]:
                rule, detail = "language_score", f"{certainty:.3f} < {rules['min_language_score']}"
        fates.append("removed" if rule else "kept")
        names.append(rule)
        details.append(detail)
    return fates, names, details

"""What is measured on the text of documents, whatever the rules make of it: columns, without fates."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.language import LanguageModel
from classifiers.model_file import QualityModel, load_model
from pipeline.annotate.pii import mask_pii
from pipeline.annotate.signals import compute_signals
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import signatures
from pipeline.storage.cache import local_copy, local_folder
from text.normalise import text_hashes

BASE = (
    pa.field(
        "language", pa.string()
    ),  # ISO 639 code as the model names it, `und` when there is nothing to go by
    pa.field("language_score", pa.float32()),  # 0 to 1
    pa.field("text_hash", pa.binary(16)),  # of the normalised words: equal for exact copies
    pa.field(
        "signature", pa.binary()
    ),  # MinHash minima, little-endian uint32; null without a word or without search
    pa.field("quality", pa.float32()),  # 0 to 1; null without a classifier
)


@dataclass(frozen=True)
class Measures:
    """What to measure."""

    language_model: str | None = None
    language_engine: Literal["fasttext", "cld2"] = "fasttext"
    scheme: Scheme | None = None
    sets: Sequence[str] = ("lengths",)  # of signals
    quality_model: str | None = None
    pii: Sequence[str] = ()

    def schema(self) -> pa.Schema:
        """Columns that `measure` returns."""
        signals = compute_signals(pa.array([], pa.string()), sets=self.sets).schema
        fields = [*BASE, *signals, *(pa.field(f"pii_{kind}", pa.int32()) for kind in self.pii)]
        return pa.schema(fields, self.scheme.to_metadata() if self.scheme else None)


def measure(texts: pa.Array, what: Measures) -> pa.RecordBatch:
    """Measure n documents: (n,) rows of `what.schema()`."""
    languages = _language_model(what.language_model, what.language_engine).identify(texts)
    quality = pa.nulls(len(texts), pa.float32())
    if what.quality_model is not None:
        quality = pa.array(_quality_model(what.quality_model).score(texts), pa.float32())
    columns: list[Any] = [
        languages.language,
        languages.score,
        _binary(text_hashes(texts), 16),
        _signature_column(texts, what.scheme),
        quality,
        *compute_signals(texts, sets=what.sets).columns,
    ]
    if what.pii:
        columns += mask_pii(texts, kinds=tuple(what.pii)).counts.columns
    schema = what.schema()
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


@lru_cache(maxsize=2)
def _language_model(path: str | None, engine: Literal["fasttext", "cld2"]) -> LanguageModel:
    return LanguageModel.load(None if path is None else local_copy(path), engine=engine)


@lru_cache(maxsize=2)
def _quality_model(folder: str) -> QualityModel:
    return load_model(local_folder(folder))


def _signature_column(texts: pa.Array, scheme: Scheme | None) -> pa.Array:
    if scheme is None:
        return pa.nulls(len(texts), pa.binary())
    found = signatures(texts, scheme)
    whole = _binary(found.minima, 4 * scheme.num_hashes).cast(pa.binary())
    return pc.if_else(pa.array(found.valid), whole, pa.scalar(None, pa.binary()))


def _binary(values: Any, width: int) -> pa.Array:
    """Turn (n, k) numbers of together `width` bytes into n binary values, little-endian."""
    data = pa.py_buffer(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))))
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, data])

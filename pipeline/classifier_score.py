"""Scores of a file's documents, one line for each line that holds a document."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from classifiers.model_file import QualityModel, load_model
from pipeline.errors import UsageError
from pipeline.sources.jsonl import JsonlReader
from pipeline.sources.record import FileRange, Record, Selection, Skipped
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_input, size

_BATCH = 256
_MAX_TEXT = 256 << 20


def score_file(documents: Path, model_folder: Path, out: Path) -> int:
    """Write `{"id", "score"}` for each document of a JSON lines file, in its order; returns how many.

    A document without an id is named by its position, `file:number` from 1.

    Raises:
        UsageError: the file cannot be read, is damaged, or a line is no document; names the place.
        ClassifierError: the model cannot be read.
    """
    model = load_model(model_folder)
    number = 0
    with publish(str(out)) as temporary, temporary.open("wb") as raw:
        stream = _compressed(raw, out)
        batch: list[Record] = []
        with open_input(str(documents)) as source:
            place = FileRange(
                source, str(documents), size(str(documents)), selection=Selection(max_bytes=_MAX_TEXT)
            )
            for item in JsonlReader(place):
                if isinstance(item, Skipped):
                    raise UsageError(
                        f"{documents}: byte {item.offset:,}: {item.reason}; repair or cut the file"
                    )
                if item.fate != "kept" and item.rule != "no_text":
                    raise UsageError(
                        f"{documents}: {item.rule} ({item.detail}); each line is an object with `id` and `text`"
                    )
                number += 1
                item.id = item.id or f"{documents.name}:{number}"
                batch.append(item)
                if len(batch) == _BATCH:
                    _write(stream, batch, model)
                    batch = []
        _write(stream, batch, model)
        stream.close()
    return number


def _compressed(raw: io.BufferedWriter, out: Path) -> Any:  # a writer, whatever its library calls it
    if out.suffix == ".gz":
        return gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
    if out.suffix == ".zst":
        return zstandard.ZstdCompressor().stream_writer(raw)
    return raw


def _write(stream: Any, batch: list[Record], model: QualityModel) -> None:
    scores = model.score(pa.array([record.text or "" for record in batch], pa.string()))
    lines = [
        json.dumps({"id": record.id, "score": score}) + "\n"
        for record, score in zip(batch, scores.tolist(), strict=True)
    ]
    stream.write("".join(lines).encode())

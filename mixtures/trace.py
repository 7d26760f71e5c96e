"""From a sample back to its documents."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtures.dataset import MixtureDataset
from mixtures.errors import MixtureError
from mixtures.sampler import Place
from mixtures.shards import ShardSet


@dataclass(frozen=True, slots=True)
class TracedDocument:
    """A stretch of one document inside a sample."""

    source: str
    document_id: str
    shard: str  # file name of the `.bin`
    part: str  # name of the part that the document came from
    row: int  # of the document in its part
    first_token: (
        int  # of the document's own tokens (of this piece of it); [first_token, end_token) are in the sample
    )
    end_token: int
    document_tokens: int  # of the whole piece, end-of-text token included
    first_char: int  # characters of the document's text that the piece covers
    end_char: int
    shard_token: (
        int  # where the stretch starts in the shard; with the lengths above enough to read the tokens again
    )


@dataclass(frozen=True, slots=True)
class Trace:
    """What a sample is made of, in order; the stretches add up to sequence_length + 1 tokens."""

    sample: int
    source: str
    place: Place
    documents: tuple[TracedDocument, ...]


def trace(dataset: MixtureDataset, sample: int) -> Trace:
    """Name the documents behind one sample.

    Needs pyarrow, to read the documents tables.

    Raises:
        MixtureError: the sample number is negative, or a documents table is missing or damaged.
    """
    place = dataset.sampler.place(sample)
    shards = dataset.shards[place.source]
    length = dataset.mixture.sequence_length
    begin, end = place.window * length, (place.window + 1) * length + 1
    source = dataset.sampler.names[place.source]
    documents: list[TracedDocument] = []
    shard = int(np.searchsorted(shards.starts, begin, side="right")) - 1
    while begin < end:
        stop = min(end, int(shards.starts[shard + 1]))
        if stop > begin:
            origin = int(shards.starts[shard])
            documents.extend(_in_shard(source, shards, shard, begin - origin, stop - origin))
        begin, shard = stop, shard + 1
    return Trace(sample, source, place, tuple(documents))


def _in_shard(source: str, shards: ShardSet, shard: int, begin: int, end: int) -> list[TracedDocument]:
    ends = np.cumsum(shards.lengths(shard))
    first, last = (int(n) for n in np.searchsorted(ends, [begin, end - 1], side="right"))
    found = []
    for row in _rows(shards, shard, first, last + 1):
        start = int(row["first_token"])
        stretch = max(begin, start), min(end, start + int(row["length"]))
        found.append(
            TracedDocument(
                source=source,
                document_id=row["document_id"],
                shard=shards.manifest.shards[shard].file,
                part=row["part"],
                row=row["row"],
                first_token=stretch[0] - start,
                end_token=stretch[1] - start,
                document_tokens=row["length"],
                first_char=row["first_char"],
                end_char=row["end_char"],
                shard_token=stretch[0],
            )
        )
    return found


def _rows(shards: ShardSet, shard: int, first: int, end: int) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = shards.documents_file(shard)
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise MixtureError(f"{path}: cannot read the documents of a shard: {error}") from error
    if table.num_rows != shards.manifest.shards[shard].documents:
        raise MixtureError(
            f"{path}: {table.num_rows:,} rows, but the shard has {shards.manifest.shards[shard].documents:,} documents"
        )
    rows: list[dict[str, Any]] = table.slice(first, end - first).to_pylist()
    return rows

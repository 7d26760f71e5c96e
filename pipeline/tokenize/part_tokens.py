"""Token files of one part: what a worker writes before shards are cut."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mixtures.manifest import rename_durably
from pipeline.errors import CrawlmixError
from pipeline.tokenize.encoder import Encoded, Encoder

Tokens = npt.NDArray[Any]

# What `write_part` reads. One row per document, or per piece of one that decontamination cut.
PIECES = pa.schema(
    [
        ("document_id", pa.string()),
        ("row", pa.int64()),  # of the document in its part
        (
            "first_char",
            pa.int64(),
        ),  # characters of the document's text that the piece covers; 0 if it is whole
        ("end_char", pa.int64()),
        ("text", pa.string()),
    ]
)

# What it writes beside the tokens.
PART_DOCUMENTS = pa.schema(
    [
        ("document_id", pa.string()),
        ("row", pa.int64()),
        ("first_char", pa.int64()),
        ("end_char", pa.int64()),
        ("length", pa.int64()),  # tokens, end-of-text included; 0 for an empty text, which has none
        ("content", pa.uint64()),  # hash of the tokens, so that a plan sees a change without reading them
    ]
)
_FINGERPRINT = b"crawlmix.tokenizer"
_DTYPE = b"crawlmix.dtype"


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What a part became."""

    tokens: int
    documents: int
    empty: int  # texts without a character, which write nothing
    text_bytes: int  # of UTF-8
    engine: str  # the library that encoded


def tokens_path(stem: Path) -> Path:
    """Flat tokens of a part."""
    return stem.with_name(stem.name + ".tokens")


def table_path(stem: Path) -> Path:
    """Documents of a part; it is written last, so a part with a table is whole."""
    return stem.with_name(stem.name + ".parquet")


def write_part(stem: Path, batches: Iterable[pa.RecordBatch], encoder: Encoder) -> PartSummary:
    """Encode a part into `<stem>.tokens` and `<stem>.parquet`, both by rename, the table last.

    Memory is that of one batch and its tokens.

    Args:
        stem: path of the part without suffix.
        batches: of schema `PIECES`, in the part's order.
        encoder: checked on some of the first batch's texts as well before it is used.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    flat, table = tokens_path(stem), table_path(stem)
    temporary, temporary_table = (path.with_name(f".{path.name}.tmp") for path in (flat, table))
    table.unlink(missing_ok=True)  # it vouches for the tokens, which are about to change
    schema = PART_DOCUMENTS.with_metadata(
        {_FINGERPRINT: encoder.tokenizer.fingerprint, _DTYPE: encoder.dtype.newbyteorder("<").str}
    )
    tokens = documents = empty = text_bytes = 0
    with (
        temporary.open("wb") as stream,
        pq.ParquetWriter(temporary_table, schema, compression="zstd") as writer,
    ):
        for number, batch in enumerate(batches):
            texts = batch.column("text")
            if number == 0:
                encoder.check_some(texts.slice(0, 100))
            encoded = encoder.encode_batch(texts)
            stream.write(encoded.tokens.data)
            columns = [batch.column(name) for name in PART_DOCUMENTS.names[:-2]]
            writer.write_batch(
                pa.record_batch(
                    [*columns, pa.array(encoded.lengths), pa.array(_content(encoded))], schema=schema
                )
            )
            tokens += len(encoded.tokens)
            documents += int(np.count_nonzero(encoded.lengths))
            empty += int(np.count_nonzero(encoded.lengths == 0))
            text_bytes += _text_bytes(texts)
        stream.flush()
        os.fsync(stream.fileno())
    with temporary_table.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.replace(flat)
    rename_durably(temporary_table, table)  # the folder's entry for both
    return PartSummary(tokens, documents, empty, text_bytes, encoder.engine)


class PartTokens:
    """A part's tokens and documents, as `write_part` left them.

    Raises:
        CrawlmixError: a file is missing, or the tokens are not as many as the table states.
    """

    def __init__(self, stem: Path) -> None:
        self.stem = stem
        try:
            with pq.ParquetFile(table_path(stem)) as file:
                self.table: pa.Table = file.read()  # `PART_DOCUMENTS`: one row per document or piece
        except (OSError, pa.ArrowInvalid) as error:
            raise CrawlmixError(f"{table_path(stem)}: cannot read the part's documents: {error}") from error
        about = self.table.schema.metadata or {}
        self.fingerprint = about.get(_FINGERPRINT, b"").decode()
        self.dtype = np.dtype(about.get(_DTYPE, b"<u2").decode())
        self.lengths: npt.NDArray[np.int64] = self.table["length"].to_numpy()
        expected = int(self.lengths.sum()) * self.dtype.itemsize
        found = tokens_path(stem).stat().st_size if tokens_path(stem).exists() else 0
        if expected != found:
            raise CrawlmixError(
                f"{tokens_path(stem)}: expected {expected:,} bytes, found {found:,}; tokenize this part again"
            )

    def tokens(self) -> Tokens:
        """All tokens of the part, (n,), mapped and read-only."""
        if not len(self.lengths) or not int(self.lengths.sum()):
            return np.zeros(0, dtype=self.dtype)
        return np.asarray(np.memmap(tokens_path(self.stem), dtype=self.dtype, mode="r"))


def pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Make `PIECES` of batches that hold `document_id`, `row` and whole `text`s."""
    for batch in batches:
        text = batch.column("text")
        ends = pc.fill_null(pc.utf8_length(text), 0).cast(pa.int64())
        zeros = pa.array(np.zeros(batch.num_rows, dtype=np.int64))
        yield pa.record_batch(
            [batch.column("document_id"), batch.column("row"), zeros, ends, text.cast(pa.string())],
            schema=PIECES,
        )


def _content(encoded: Encoded) -> npt.NDArray[np.uint64]:
    """A hash of the tokens of each document: (n,)."""
    raw = memoryview(encoded.tokens.tobytes())
    ends = np.cumsum(encoded.lengths) * encoded.tokens.itemsize
    begins = ends - encoded.lengths * encoded.tokens.itemsize
    digests = [
        hashlib.blake2b(raw[begin:end], digest_size=8).digest()
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _text_bytes(texts: pa.Array) -> int:
    return int(pc.sum(pc.binary_length(texts)).as_py() or 0)

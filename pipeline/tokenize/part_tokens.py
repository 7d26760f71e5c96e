"""Token files of one part: what a worker writes before shards are cut."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import CrawlmixError, NoFileError, UsageError
from pipeline.storage.listing import remove
from pipeline.storage.paths import is_remote, local_path, name
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_input, size
from pipeline.tokenize.encoder import Encoded, Encoder

Tokens = npt.NDArray[Any]
ReadTokens = Callable[[int, int], Tokens]

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


def tokens_path(stem: str) -> str:
    """Flat tokens of a part."""
    return f"{stem}.tokens"


def table_path(stem: str) -> str:
    """Documents of a part; it is written last, so a part with a table is whole."""
    return f"{stem}.parquet"


def write_part(stem: str, batches: Iterable[pa.RecordBatch], encoder: Encoder) -> PartSummary:
    """Encode a part into `<stem>.tokens` and `<stem>.parquet`, each whole or not at all, the table last.

    Memory is that of one batch and its tokens.

    Args:
        stem: path or URL of the part without suffix.
        batches: of schema `PIECES`, in the part's order.
        encoder: checked on some of the first batch's texts as well before it is used.
    """
    flat, table = tokens_path(stem), table_path(stem)
    remove(table)  # it vouches for the tokens, which are about to change
    schema = PART_DOCUMENTS.with_metadata(
        {_FINGERPRINT: encoder.tokenizer.fingerprint, _DTYPE: encoder.dtype.newbyteorder("<").str}
    )
    tokens = documents = empty = text_bytes = 0
    # Closed from the last to the first: the tokens are in place before the table is.
    with (
        publish(table) as temporary_table,
        publish(flat) as temporary,
        pq.ParquetWriter(temporary_table, schema, compression="zstd") as writer,
        temporary.open("wb") as stream,
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
    return PartSummary(tokens, documents, empty, text_bytes, encoder.engine)


class PartTokens:
    """A part's tokens and documents, as `write_part` left them.

    Raises:
        CrawlmixError: a file is missing, or the tokens are not as many as the table states.
    """

    def __init__(self, stem: str) -> None:
        self.stem = stem
        try:
            with open_input(table_path(stem)) as stream:
                # `PART_DOCUMENTS`: one row per document or piece
                self.table: pa.Table = pq.read_table(pa.PythonFile(stream))
        except (OSError, pa.ArrowInvalid, UsageError) as error:
            raise CrawlmixError(f"{table_path(stem)}: cannot read the part's documents: {error}") from error
        about = self.table.schema.metadata or {}
        self.fingerprint = about.get(_FINGERPRINT, b"").decode()
        self.dtype = np.dtype(about.get(_DTYPE, b"<u2").decode())
        self.lengths: npt.NDArray[np.int64] = self.table["length"].to_numpy()
        expected = int(self.lengths.sum()) * self.dtype.itemsize
        try:
            found = size(tokens_path(stem))
        except NoFileError:
            found = 0
        if expected != found:
            raise CrawlmixError(
                f"{tokens_path(stem)}: expected {expected:,} bytes, found {found:,}; tokenize this part again"
            )

    @property
    def name(self) -> str:
        """Name of the part, the same wherever it lies."""
        return name(self.stem)

    @contextmanager
    def tokens(self) -> Iterator[ReadTokens]:
        """Open the tokens: calls with [begin, end) return (end - begin,) tokens, read-only.

        Local ones are mapped. Remote ones are read in the ranges asked for, which should rise.
        """
        path = tokens_path(self.stem)
        if not int(self.lengths.sum()):
            yield lambda _begin, _end: np.zeros(0, dtype=self.dtype)
        elif not is_remote(path):
            mapped = np.asarray(np.memmap(local_path(path), dtype=self.dtype, mode="r"))
            yield lambda begin, end: mapped[begin:end]
        else:
            width = self.dtype.itemsize
            with open_input(path) as stream:

                def read(begin: int, end: int) -> Tokens:
                    stream.seek(begin * width)
                    return np.frombuffer(stream.read((end - begin) * width), dtype=self.dtype)

                yield read


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

"""Arrow schema of documents, and the fates that a record can meet."""

import hashlib
from typing import Literal, get_args

import pyarrow as pa

Fate = Literal["kept", "removed", "failed"]
FATES: tuple[Fate, ...] = get_args(Fate)

ORIGIN = pa.struct([("file", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])

# One row per input record, whatever its fate; row i of a part is record i of the input.
DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("timestamp", pa.string()),  # ISO 8601, UTC, as the archive states it
        ("origin", ORIGIN),  # offset and length in bytes of the file as stored (compressed)
        ("http_status", pa.int16()),
        ("mime", pa.string()),
        ("charset", pa.string()),
        ("charset_from", pa.string()),
        ("extractor", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),  # null when there is none
        ("truncated", pa.string()),  # why the payload is not whole, null when it is
        ("opt_out", pa.list_(pa.string())),
        ("fate", pa.string()),
        ("rule", pa.string()),  # the rule that removed it, or the name of the error that it failed with
        ("detail", pa.string()),
    ]
)


def document_id(source: str, file: str, offset: int, index: int = 0) -> str:
    """Name a record that brings no id of its own: a hash of where it stands.

    Args:
        source: name of the source in the recipe.
        file: the input's name as the recipe reaches it, without the recipe's own folder.
        offset: byte offset of the record (or of its compressed member) in the file.
        index: position among the records that share this offset.
    """
    place = f"{source}\0{file}\0{offset}\0{index}".encode()
    return hashlib.blake2b(place, digest_size=16, person=b"crawlmix-doc").hexdigest()

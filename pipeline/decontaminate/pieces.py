"""What is left of documents that were cut: pieces, each a training document of its own."""

import pyarrow as pa
import pyarrow.compute as pc


def cut_documents(ids: pa.Array, rows: pa.Array, texts: pa.Array, pieces: pa.Array) -> pa.RecordBatch:
    """Put the pieces of cut documents in their place; whole documents stay as they are.

    Args:
        ids: (n,) of the documents.
        rows: (n,) int64, of the documents in their part.
        texts: (n,) as trained on.
        pieces: (n,) lists of (start, end) in characters, as in the table `contamination`; null where a document
            stays whole.

    Returns:
        (m,) rows of `document_id`, `row`, `first_char`, `end_char`, `text`. Piece k of a document is named
        `<id>#<k>`, counted from 0 over the pieces that stay; a whole document keeps its id.
    """
    lengths = pc.fill_null(pc.utf8_length(texts), 0).to_pylist()
    columns: dict[str, list[object]] = {
        name: [] for name in ("document_id", "row", "first_char", "end_char", "text")
    }
    spans = zip(ids.to_pylist(), rows.to_pylist(), lengths, pieces.to_pylist(), strict=True)
    for number, (name, row, length, cut) in enumerate(spans):
        text = texts[number].as_py()
        whole = cut is None
        for place, span in enumerate([{"start": 0, "end": length}] if whole else cut):
            columns["document_id"].append(name if whole else f"{name}#{place}")
            columns["row"].append(row)
            columns["first_char"].append(span["start"])
            columns["end_char"].append(span["end"])
            columns["text"].append(text if whole else text[span["start"] : span["end"]])
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.string())
    arrays = [pa.array(values, kind) for values, kind in zip(columns.values(), kinds, strict=True)]
    return pa.record_batch(arrays, names=list(columns))

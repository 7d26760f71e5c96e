"""Training samples drawn by keyed hashes of document ids: the same from any parts in any order."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.errors import ClassifierError
from classifiers.keyed import keyed_hashes

SAMPLE = pa.schema(
    [
        ("key", pa.uint64()),  # keyed hash of the piece's id; a sample holds the smallest
        ("id", pa.string()),
        ("document", pa.string()),  # the document that the piece is of
        ("source", pa.string()),
        ("group", pa.string()),
        ("text", pa.string()),
    ]
)
_ORDER = [("source", "ascending"), ("key", "ascending"), ("id", "ascending"), ("text", "ascending")]


class Sampler:
    """Keeps, of all documents it is shown, the `limit` pieces per source with the smallest keys.

    A document over `max_chars` characters gives up to `pieces` pieces of that length, one from each of as many
    equal stretches, so that books and snippets are seen at similar lengths. Piece 0 has the document's id, piece
    k has `#k` behind it. Memory grows with limit x sources, not with what is shown.
    """

    def __init__(self, *, limit: int, max_chars: int, pieces: int, seed: int) -> None:
        if limit < 1 or max_chars < 1 or pieces < 1:
            raise ClassifierError(
                f"limit {limit}, max_chars {max_chars} and pieces {pieces} must be positive"
            )
        self._limit, self._max_chars, self._pieces, self._seed = limit, max_chars, pieces, seed
        self._held: list[pa.Table] = []
        self._rows = 0
        self._highest: dict[str, int] = {}  # the largest key that can still enter, of sources that are full

    def add(self, documents: pa.RecordBatch | pa.Table) -> None:
        """Show documents with columns `id`, `text`, `source` and `group`; those without text are passed over."""
        table = self._cut(documents)
        if self._highest:
            limits = np.array(
                [self._highest.get(source, (1 << 64) - 1) for source in table["source"].to_pylist()],
                np.uint64,
            )
            table = table.filter(pa.array(table["key"].to_numpy() <= limits))
        if table.num_rows == 0:
            return
        self._held.append(table)
        self._rows += table.num_rows
        if self._rows > 2 * self._limit * max(1, len(self._highest)):
            self._compact()

    def table(self) -> pa.Table:
        """Return the sample: columns of `SAMPLE`, sorted by source and key."""
        self._compact()
        return self._held[0] if self._held else SAMPLE.empty_table()

    def _compact(self) -> None:
        if not self._held:
            return
        kept = merge_samples(self._held, limit=self._limit)
        self._held, self._rows = [kept], kept.num_rows
        for group in kept.group_by("source").aggregate([("key", "max"), ("key", "count")]).to_pylist():
            if group["key_count"] >= self._limit:
                self._highest[group["source"]] = group["key_max"]
            else:
                self._highest.setdefault(group["source"], (1 << 64) - 1)

    def _cut(self, documents: pa.RecordBatch | pa.Table) -> pa.Table:
        columns: dict[str, list[str]] = {name: [] for name in ("id", "document", "source", "group", "text")}
        rows = zip(
            *(documents.column(name).to_pylist() for name in ("id", "source", "group", "text")), strict=True
        )
        spread = keyed_hashes(documents.column("id"), seed=self._seed, purpose="crop").tolist()
        for (name, source, group, text), draw in zip(rows, spread, strict=True):
            for number, piece in enumerate(cut_pieces(text or "", self._max_chars, self._pieces, draw)):
                columns["id"].append(name if number == 0 else f"{name}#{number}")
                columns["document"].append(name)
                columns["source"].append(source)
                columns["group"].append(group)
                columns["text"].append(piece)
        keys = keyed_hashes(pa.array(columns["id"], pa.string()), seed=self._seed, purpose="sample")
        return pa.table({"key": keys, **columns}, SAMPLE)


def cut_pieces(text: str, max_chars: int, pieces: int, draw: int) -> list[str]:
    """Cut a document for training; a short one stays whole, one without text gives nothing.

    Args:
        text: the document.
        max_chars: longest piece, in characters.
        pieces: most pieces.
        draw: 64 random bits that decide where in its stretch each piece begins.
    """
    size = len(text)
    if size <= max_chars:
        return [text] if text.strip() else []
    count = min(pieces, -(-size // max_chars))
    found = []
    for number in range(count):
        low, high = size * number // count, size * (number + 1) // count
        room = max(0, high - low - max_chars)
        start = low + (draw * (2 * number + 1) % (1 << 64)) * (room + 1) // (1 << 64)
        piece = text[start : start + max_chars]
        if start > 0:  # what is left of a word that was cut says nothing
            piece = piece[next((at for at, char in enumerate(piece[:100]) if char.isspace()), 0) :]
        found.append(piece)
    return [piece for piece in found if piece.strip()]


def merge_samples(samples: Iterable[pa.Table], *, limit: int) -> pa.Table:
    """Join samples of parts into the sample of the whole: per source the `limit` smallest keys, each piece once."""
    table = pa.concat_tables([SAMPLE.empty_table(), *samples]).sort_by(_ORDER).combine_chunks()
    if table.num_rows == 0:
        return table
    sources = pc.rank(table["source"], tiebreaker="dense").to_numpy()
    keys = table["key"].to_numpy()
    same = np.zeros(table.num_rows, bool)
    same[1:] = (sources[1:] == sources[:-1]) & (keys[1:] == keys[:-1])
    same[1:] &= np.asarray(pc.equal(table["id"].slice(1), table["id"].slice(0, table.num_rows - 1)))
    table, sources = table.filter(pa.array(~same)), sources[~same]
    first = np.concatenate([[0], np.flatnonzero(np.diff(sources)) + 1])
    place = np.arange(len(sources)) - np.repeat(first, np.diff(np.append(first, len(sources))))
    return table.filter(pa.array(place < limit)).combine_chunks()


def fair_shares(available: npt.ArrayLike, *, total: int) -> npt.NDArray[np.int64]:
    """Share a total over sources as evenly as what they have allows: (n,) at most `available`, sum at most `total`."""
    left = np.asarray(available, np.int64)
    shares = np.zeros(len(left), np.int64)
    for done, source in enumerate(np.argsort(left, kind="stable")):
        shares[source] = min(left[source], (total - shares.sum()) // (len(left) - done))
    return shares


def even_sample(sample: pa.Table, *, total: int) -> pa.Table:
    """Take at most `total` pieces of a sorted sample, evenly from its sources, those with the smallest keys."""
    sources = sorted(set(sample["source"].to_pylist()))
    parts = [sample.filter(pc.equal(sample["source"], source)) for source in sources]
    shares = fair_shares([part.num_rows for part in parts], total=total)
    taken = [part.slice(0, int(share)) for part, share in zip(parts, shares, strict=True)]
    return pa.concat_tables([SAMPLE.empty_table(), *taken]).combine_chunks()

"""What a part adds to the report: small sums, sets and maxima that merge in any order."""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from pipeline.decontaminate.decide import Decision, row_benchmarks
from pipeline.decontaminate.index import Flags, Index, Numbers
from pipeline.decontaminate.overlap import Overlaps, longest, longest_overlaps
from pipeline.decontaminate.scan import Hits
from text.distinct import distinct

PER_BENCHMARK = ("hit", "touched", "split", "removed", "characters_removed")


def _none() -> Numbers:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Statistics:
    """Sums over documents."""

    documents: int = 0
    untouched: int = 0  # no match that counts: the text goes on as it is
    tagged: int = 0  # a match that counts, in a mode that leaves the text whole
    split: int = 0  # cut; some pieces stay
    removed: dict[str, int] = field(default_factory=dict)  # by rule
    pieces: int = 0
    characters: int = 0
    characters_removed: int = 0
    by_benchmark: Numbers = field(
        default_factory=_none
    )  # (benchmarks, 5) documents and characters, as PER_BENCHMARK
    before: Numbers = field(default_factory=_none)  # n-grams in any document, rising
    after: Numbers = field(default_factory=_none)  # n-grams in what stays, rising
    overlaps: Overlaps = field(default_factory=lambda: Overlaps(_none(), _none()))

    def to_bytes(self) -> bytes:
        """Pack for a shuffle; no pickle."""
        sums = {name: getattr(self, name) for name in _SUMS} | {"removed": self.removed}
        sink = io.BytesIO()
        np.savez(
            sink,
            sums=np.frombuffer(json.dumps(sums).encode(), np.uint8),
            by_benchmark=self.by_benchmark,
            before=self.before,
            after=self.after,
            example=self.overlaps.example,
            words=self.overlaps.words,
        )
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Statistics":
        """Unpack what `to_bytes` packed."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            sums = json.loads(arrays["sums"].tobytes())
            return cls(
                **sums,
                by_benchmark=arrays["by_benchmark"],
                before=arrays["before"],
                after=arrays["after"],
                overlaps=Overlaps(arrays["example"], arrays["words"]),
            )


_SUMS = ("documents", "untouched", "tagged", "split", "pieces", "characters", "characters_removed")


def part_statistics(hits: Hits, lengths: Numbers, decision: Decision, index: Index) -> Statistics:
    """Sum up n documents.

    Args:
        hits: all hits of the scan.
        lengths: (n,) characters.
        decision: of `decide` with these hits.
        index: that was scanned with.
    """
    rows = len(lengths)
    kept_characters = np.bincount(decision.pieces.row, weights=decision.pieces.sizes, minlength=rows).astype(
        np.int64
    )
    cut = np.zeros(rows, bool)
    cut[decision.pieces.row] = True
    whole = ~cut & ~decision.removed
    gone = np.where(whole, 0, lengths - kept_characters)
    removed: dict[str, int] = {}
    for rule in decision.rules:
        if rule is not None:
            removed[rule] = removed.get(rule, 0) + 1
    return Statistics(
        documents=rows,
        untouched=int(np.count_nonzero(~decision.touched)),
        tagged=int(np.count_nonzero(decision.touched & whole)),
        split=int(np.count_nonzero(cut)),
        removed=dict(sorted(removed.items())),
        pieces=len(decision.pieces.row),
        characters=int(lengths.sum()),
        characters_removed=int(gone.sum()),
        by_benchmark=_by_benchmark(hits, decision, cut, gone, index),
        before=distinct(hits.gram),
        after=distinct(hits.gram[_survives(hits, decision, whole)]),
        overlaps=longest_overlaps(hits, index),
    )


def merge_statistics(parts: Iterable[Statistics]) -> Statistics:
    """Add the statistics of parts, whatever their order."""
    total = Statistics()
    listed = list(parts)
    for part in listed:
        for name in _SUMS:
            setattr(total, name, getattr(total, name) + getattr(part, name))
        for rule, count in part.removed.items():
            total.removed[rule] = total.removed.get(rule, 0) + count
        if len(part.by_benchmark):
            total.by_benchmark = part.by_benchmark + (total.by_benchmark if len(total.by_benchmark) else 0)
    total.removed = dict(sorted(total.removed.items()))
    total.before = distinct(np.concatenate([_none(), *(part.before for part in listed)]))
    total.after = distinct(np.concatenate([_none(), *(part.after for part in listed)]))
    total.overlaps = longest([Overlaps(_none(), _none()), *(part.overlaps for part in listed)])
    return total


def _by_benchmark(hits: Hits, decision: Decision, cut: Flags, gone: Numbers, index: Index) -> Numbers:
    count = len(index.benchmarks)
    found = np.zeros((count, len(PER_BENCHMARK)), np.int64)
    # Documents with any n-gram of the filter, common ones too: what tells a training file among the benchmarks.
    _, number = row_benchmarks(hits.take(index.is_filtered(hits.gram)), index)
    found[:, 0] = np.bincount(number, minlength=count)
    row, number = row_benchmarks(decision.hits, index)
    for column, weight in enumerate((np.ones(len(row)), cut[row], decision.removed[row], gone[row]), 1):
        found[:, column] = np.bincount(number, weights=weight, minlength=count).astype(np.int64)
    return found


def _survives(hits: Hits, decision: Decision, whole: Flags) -> Flags:
    """Whether each hit lies in text that stays."""
    found: Flags = whole[hits.row]
    pieces = decision.pieces
    if not len(pieces.row) or not len(hits.row):
        return found
    apart = int(max(hits.end.max(), pieces.end.max())) + 1
    place = (
        np.searchsorted(pieces.row * apart + pieces.start, hits.row * apart + hits.start, side="right") - 1
    )
    known = np.maximum(place, 0)
    inside = (place >= 0) & (pieces.row[known] == hits.row) & (hits.end <= pieces.end[known])
    found |= inside
    return found

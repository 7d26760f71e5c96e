"""datatrove's four MinHash stages over one file of texts; run by `benchmarks.dedup_peers` with datatrove's interpreter.

    PYTHON benchmarks/datatrove_minhash.py TEXTS.jsonl FOLDER

Prints JSON: seconds of CPU time of each stage, `clusters` (rows of each) and `kept` (rows).
"""

import json
import sys
import time
from pathlib import Path
from typing import Self

from datatrove.data import Document
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig


class Gone:
    """Stands where datatrove wants a writer, and keeps the documents that the filter drops."""

    def __init__(self) -> None:
        self.documents: list[Document] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, document: Document, *_: object) -> None:
        """Take a dropped document."""
        self.documents.append(document)


def main() -> None:
    texts = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    folder = Path(sys.argv[2])
    config = MinhashConfig(num_buckets=14, hashes_per_bucket=8, n_grams=5)
    seconds = {}

    def documents() -> list[Document]:
        return [Document(text=text, id=str(row)) for row, text in enumerate(texts)]

    # The word tokenizer is loaded at its first use; that belongs to no document.
    MinhashDedupSignature(str(folder / "warm"), config).get_shingles("some words to begin with here")
    stages = {
        "signature": lambda: MinhashDedupSignature(str(folder / "signatures"), config).run(documents(), 0, 1),
        "buckets": lambda: [
            MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config).run(
                None, rank, 14
            )
            for rank in range(14)
        ],
        "cluster": lambda: MinhashDedupCluster(
            str(folder / "buckets"), str(folder / "removed"), config, save_cluster_id=True
        ).run(None, 0, 1),
        "filter": lambda: list(
            MinhashDedupFilter(str(folder / "removed"), load_cluster_ids=True).run(documents(), 0, 1)
        ),
    }
    results = {}
    for name, stage in stages.items():
        begin = time.process_time()
        results[name] = stage()
        seconds[name] = time.process_time() - begin
    kept = sorted(int(document.id) for document in results["filter"])
    gone = Gone()
    again = MinhashDedupFilter(str(folder / "removed"), gone, load_cluster_ids=True)
    clusters: dict[int, list[int]] = {}
    for document in [*again.run(documents(), 0, 1), *gone.documents]:
        if document.metadata.get("minhash_cluster_id", -1) != -1:
            clusters.setdefault(document.metadata["minhash_cluster_id"], []).append(int(document.id))
    print(json.dumps({"seconds": seconds, "kept": kept, "clusters": sorted(map(sorted, clusters.values()))}))


if __name__ == "__main__":
    main()

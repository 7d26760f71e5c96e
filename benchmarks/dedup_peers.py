"""Signature speed and agreement with exact similarity on one crawl: this project and datatrove's four MinHash stages.

    python -m benchmarks.dedup_peers [--data DIR] [--files N] [--datatrove PYTHON]

Texts are those of `benchmarks.dedup_agreement`. Recall: pairs of an exact similarity that stand in one cluster.
Precision: dropped documents that are that similar to the one kept for them (datatrove keeps one of each cluster).
PYTHON is an interpreter that has datatrove; without one it is left out. CPU time, one process each.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.dedup_agreement import DATA, Pairs, exact_pairs, load, shingle_sets
from pipeline.dedup.bands import PRESETS, band_keys
from pipeline.dedup.buckets import bucket_edges
from pipeline.dedup.choose import choose
from pipeline.dedup.components import components
from pipeline.dedup.partition import pack, unpack
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import signatures

Drops = list[tuple[int, int]]


def ours(texts: list[str]) -> tuple[float, list[list[int]], Drops]:
    """Seconds of signing, clusters and (dropped, kept)."""
    bands = PRESETS["fineweb"]
    array = pa.array(texts)
    begin = time.process_time()
    signed = signatures(array, Scheme(num_hashes=bands.num_hashes))
    seconds = time.process_time() - begin
    numbers = np.arange(len(texts), dtype=np.uint64)
    packed = pack(band_keys(signed.minima, bands)[signed.valid], numbers[signed.valid], 1)
    edges = np.concatenate([bucket_edges(*unpack([element])).edges for _, *element in packed])
    found = components(edges)
    nodes = found.nodes.astype(np.int64)
    choice = choose(found.labels, nodes, signed.minima[nodes], verify=bands.verify)
    clusters = [nodes[found.labels == label].tolist() for label in np.unique(found.labels)]
    drops = [(int(nodes[i]), int(nodes[choice.duplicate_of[i]])) for i in np.flatnonzero(~choice.kept)]
    return seconds, clusters, drops


def theirs(texts: list[str], python: str) -> tuple[float, list[list[int]], Drops]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        path.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
        script = Path(__file__).with_name("datatrove_minhash.py")
        command = [python, "-P", str(script), str(path), str(Path(folder) / "w")]
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(ended.stdout.splitlines()[-1])
    kept = set(told["kept"])
    drops = []
    for cluster in told["clusters"]:
        stays = [row for row in cluster if row in kept]
        drops += [(row, stays[0]) for row in cluster if row not in kept and stays]
    print(
        "datatrove, CPU seconds by stage:", {name: round(value, 2) for name, value in told["seconds"].items()}
    )
    return told["seconds"]["signature"], told["clusters"], drops


def judge(name: str, texts: int, found: tuple[float, list[list[int]], Drops], exact: Pairs) -> None:
    seconds, clusters, drops = found
    home = {row: number for number, cluster in enumerate(clusters) for row in cluster}
    print(f"{name:10} {texts / seconds:10,.0f} signatures/s, {len(clusters)} clusters, {len(drops)} dropped")
    for level in (0.7, 0.8):
        similar = [pair for pair, value in exact.items() if value >= level]
        together = sum(home.get(a, -1) == home.get(b, -2) for a, b in similar)
        right = sum(exact.get((min(pair), max(pair)), 0.0) >= level for pair in drops)
        print(
            f"{'':10} J >= {level}: recall {together / max(1, len(similar)):.3f} of {len(similar)} pairs,"
            f" precision {right / max(1, len(drops)):.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--files", type=int, default=7)
    parser.add_argument("--datatrove", help="interpreter that has datatrove")
    arguments = parser.parse_args()
    texts = load(arguments.data, arguments.files)
    if not texts:
        print(f"no pages below {arguments.data}/crawl/dev: nothing to compare")
        return
    exact = exact_pairs(shingle_sets(texts, Scheme()))
    print(f"{len(texts)} documents of {sum(map(len, texts)) / len(texts):,.0f} characters")
    mine = ours(texts)
    judge("crawlmix", len(texts), mine, exact)
    if arguments.datatrove is None:
        print("datatrove is not compared with: give --datatrove PYTHON")
        return
    peer = theirs(texts, arguments.datatrove)
    judge("datatrove", len(texts), peer, exact)
    print(f"signatures: {peer[0] / mine[0]:.1f} times as fast as datatrove's stage")


if __name__ == "__main__":
    main()

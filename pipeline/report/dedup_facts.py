"""What there is to say about the duplicates of a workspace: figures of the summary, recall on a sample, examples."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from pipeline.dedup.bands import Bands, band_keys, probability
from pipeline.dedup.columns import fixed_width, one_array
from pipeline.dedup.exact_pairs import exact_pairs
from pipeline.dedup.part_keys import read_scheme
from pipeline.dedup.scheme import Scheme
from pipeline.dedup.settings import minhash_bands
from pipeline.errors import UsageError
from pipeline.exclusions import Exclusions
from pipeline.report.repeats_facts import repeats_facts
from pipeline.sections.root import Root
from pipeline.storage.listing import list_dir
from pipeline.storage.reading import open_input
from pipeline.workspace import Workspace
from text.hashes import uniform

SAMPLES = 3  # documents shown of a cluster
SHOWN_CHARS = 300
MAX_CHARS = 100_000  # longer documents take no part in the sample
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Part = tuple[str, str]  # source, file name


def dedup_facts(root: str, *, sample: int) -> dict[str, Any]:
    """Gather what the report shows, JSON-like.

    Args:
        root: of a workspace whose dedup stage is done.
        sample: documents whose pairs are compared exactly.

    Returns:
        `levels` and `templates` as `duplicates/summary.json` has them; `rates` of drops by pair of sources; `curve` and
        `recall`, the chance of a pair to share a band in theory and in the sample; `clusters`, the largest, with
        `samples`; `repeats`, where that level is on.

    Raises:
        UsageError: no workspace, or its dedup stage is not done.
    """
    workspace = Workspace(root)
    build, ledger = workspace.read_json("build.json"), workspace.read_json("ledger.json")
    summary, text = workspace.read_json("duplicates", "summary.json"), workspace.read_text("recipe.yaml")
    if build is None or ledger is None or summary is None or text is None:
        raise UsageError(f"{root}: no workspace with a finished dedup stage; `crawlmix build` makes one")
    recipe = Root.model_validate(yaml.safe_load(text))
    bands = minhash_bands(recipe.dedup)
    seen = {name: source["stages"]["dedup"]["in"] for name, source in ledger["sources"].items()}
    facts: dict[str, Any] = {
        "name": build["name"],
        "levels": summary["levels"],
        "templates": summary["templates"],
        "rates": _rates(summary, seen),
        "clusters": _clusters(workspace, summary),
    }
    if ledger.get("repeats"):
        facts["repeats"] = repeats_facts(workspace, recipe, ledger["repeats"])
    if bands is not None:
        facts["bands"] = bands.describe()
        facts["verify"] = bands.verify
        curve = [round(0.02 * step, 2) for step in range(51)]
        facts["curve"] = [[j, round(probability(j, bands.bands, bands.rows), 6)] for j in curve]
        facts["recall"] = _recall(workspace, bands, sample)
    return facts


def _rates(summary: Mapping[str, Any], seen: Mapping[str, int]) -> list[dict[str, Any]]:
    rates = []
    for level, told in summary["levels"].items():
        for dropped, kept, number in told["pairs"]:
            share = number / seen[dropped] if seen.get(dropped) else None
            rates.append(
                {"level": level, "dropped": dropped, "kept": kept, "documents": number, "share": share}
            )
    return sorted(rates, key=lambda rate: (-rate["documents"], rate["dropped"], rate["kept"], rate["level"]))


def _parts(workspace: Workspace) -> Iterator[Part]:
    for source in list_dir(workspace.path("documents")):
        for name in list_dir(workspace.path("documents", source)):
            if name.endswith(".parquet"):
                yield source, name


def _clusters(workspace: Workspace, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The largest clusters of content, with their best document and some others; none that was taken out by hand."""
    largest = summary["levels"]["content"]["largest"]
    wanted = pa.array([best for _, _, best in largest], pa.string())
    excluded = Exclusions.read(workspace).documents
    places: dict[str, list[tuple[bool, Part, int]]] = {best: [] for _, _, best in largest}
    for part in _parts(workspace):
        table = _read(workspace.path("duplicates", *part), ["cluster", "fate"])
        for row in pc.indices_nonzero(
            pc.is_in(table["cluster"], value_set=wanted).combine_chunks()
        ).to_pylist():
            held = places[table["cluster"][row].as_py()]
            held.append((table["fate"][row].as_py() != "kept", part, row))
            if len(held) > 50 * SAMPLES:
                places[table["cluster"][row].as_py()] = sorted(held)[:SAMPLES]
    clusters = []
    for size, dropped, best in largest:
        samples = [_document(workspace, part, row) for _, part, row in sorted(places[best])[:SAMPLES]]
        shown = [told for told in samples if (told["source"], told["id"]) not in excluded]
        clusters.append({"documents": size, "dropped": dropped, "best": best, "samples": shown})
    return clusters


def _document(workspace: Workspace, part: Part, row: int) -> dict[str, Any]:
    document = _row(workspace.path("documents", *part), row, ["id", "url", "title", "text"])
    told = _row(workspace.path("duplicates", *part), row, ["fate", "duplicate_of", "similarity"])
    text = document.pop("text") or ""
    return {"source": part[0], **document, **told, "text_begins": text[:SHOWN_CHARS]}


def _row(path: str, row: int, columns: list[str]) -> dict[str, Any]:
    with open_input(path) as stream:
        file = pq.ParquetFile(pa.PythonFile(stream))
        group = 0
        while row >= file.metadata.row_group(group).num_rows:
            row -= file.metadata.row_group(group).num_rows
            group += 1
        values: dict[str, Any] = file.read_row_group(group, columns=columns).slice(row, 1).to_pylist()[0]
    return values


def _recall(workspace: Workspace, bands: Bands, sample: int) -> dict[str, Any]:
    """Of the pairs of a sample that are similar by exact comparison: how many share a band."""
    texts, minima, scheme = _draw(workspace, sample)
    if scheme is None:
        return {"documents": 0, "bins": []}
    pairs = exact_pairs(texts, scheme, least=BINS[0])
    keys = band_keys(minima, bands)
    met = (keys[pairs.first] == keys[pairs.second]).any(axis=1)
    bins = []
    for low, high in pairwise(BINS):
        inside = (pairs.similarity >= low) & ((pairs.similarity < high) | (high == BINS[-1]))
        expected = [
            probability(value, bands.bands, bands.rows) for value in pairs.similarity[inside].tolist()
        ]
        bins.append(
            {
                "low": low,
                "high": high,
                "pairs": int(inside.sum()),
                "found": int(met[inside].sum()),
                "expected": round(sum(expected), 3),
            }
        )
    return {"documents": len(texts), "bins": bins}


def _draw(workspace: Workspace, sample: int) -> tuple[pa.Array, Any, Scheme | None]:
    """Draw documents by their id: those with the smallest numbers among all that came to the stage with a signature."""
    drawn: list[tuple[float, Part, int]] = []
    scheme = None
    for part in _parts(workspace):
        place = workspace.path("annotations", *part)
        scheme = read_scheme(place)
        ids = _read(workspace.path("documents", *part), ["id"])["id"]
        table = _read(place, ["fate", "signature", "characters"])
        fits = pc.and_(pc.is_valid(table["signature"]), pc.less_equal(table["characters"], MAX_CHARS))
        wanted = pc.fill_null(pc.and_(pc.equal(table["fate"], "kept"), fits), False).combine_chunks()
        rows = pc.indices_nonzero(wanted)
        numbers = uniform(ids.take(rows), seed=0, rule="dedup_report")
        drawn += zip(numbers.tolist(), [part] * len(rows), rows.to_pylist(), strict=True)
        drawn = sorted(drawn)[:sample]
    texts, minima = [], []
    for part in dict.fromkeys(part for _, part, _ in sorted(drawn, key=lambda item: item[1:])):
        rows = pa.array(sorted(row for _, where, row in drawn if where == part))
        text = _read(workspace.path("documents", *part), ["text"])["text"].take(rows)
        texts.append(one_array(text, pa.large_string()))
        signature = _read(workspace.path("annotations", *part), ["signature"])["signature"].take(rows)
        assert scheme is not None
        minima.append(fixed_width(one_array(signature), 4 * scheme.num_hashes, np.uint32))
    if scheme is None or not texts:
        return pa.array([], pa.large_string()), None, None
    return pa.concat_arrays(texts), np.concatenate(minima), scheme


def _read(path: str, columns: list[str]) -> pa.Table:
    with open_input(path) as stream:
        return pq.read_table(pa.PythonFile(stream), columns=columns)

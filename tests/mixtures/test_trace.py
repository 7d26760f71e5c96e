"""From a sample back to its documents."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixtures.dataset import MixtureDataset
from mixtures.errors import MixtureError
from mixtures.mixture import build_mixture
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from mixtures.trace import trace
from tests.mixtures.corpora import EOS, TOKENIZER, documents


def make_source(root: Path, name: str, seed: int) -> dict[str, np.ndarray]:
    """Write a source with its documents table; returns each document's tokens by id."""
    tokens, lengths = documents(80, seed=seed)
    ends = np.cumsum(lengths)
    ids = [f"{name}-{n}" for n in range(len(lengths))]

    def table(path: Path, first: int, end: int) -> None:
        count = end - first
        columns = {
            "document_id": ids[first:end],
            "part": ["part-00000"] * count,
            "row": range(first, end),
            "first_char": [0] * count,
            "end_char": lengths[first:end] * 4,
            "first_token": np.cumsum(lengths[first:end]) - lengths[first:end],
            "length": lengths[first:end],
        }
        pq.write_table(pa.table({key: pa.array(value) for key, value in columns.items()}), path)

    with ShardWriter(
        root / name, source=name, tokenizer=TOKENIZER, vocabulary_size=50257, eos_id=EOS, shard_tokens=1_000,
        documents_table=table,
    ) as writer:  # fmt: skip
        writer.add(tokens, lengths)
    return {name: tokens[end - length : end] for name, end, length in zip(ids, ends, lengths, strict=True)}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[MixtureDataset, dict[str, np.ndarray]]:
    root = tmp_path_factory.mktemp("trace")
    contents = make_source(root, "web", 1) | make_source(root, "wiki", 2)
    shards = {name: ShardSet(root / name) for name in ("web", "wiki")}
    mixture = build_mixture("m", shards, relative_to=root, weights={"web": 2, "wiki": 1}, sequence_length=300)
    mixture.write(root / "m.json")
    return MixtureDataset(root / "m.json"), contents


def test_the_documents_of_every_sample_spell_the_sample(traced) -> None:
    dataset, contents = traced
    crossing = 0
    for sample in range(len(dataset)):
        found = trace(dataset, sample)
        tokens = [
            contents[document.document_id][document.first_token : document.end_token]
            for document in found.documents
        ]
        assert np.array_equal(np.concatenate(tokens), dataset[sample])
        crossing += len({document.shard for document in found.documents}) > 1
        for document in found.documents:
            assert document.source == found.source == document.document_id.split("-")[0]
            assert document.document_tokens == len(contents[document.document_id])
            assert (document.row, document.end_char) == (
                int(document.document_id.split("-")[1]),
                4 * document.document_tokens,
            )
    assert crossing > 5, "some samples must cross shards"


def test_a_documents_table_that_is_missing_or_short_is_named(tmp_path: Path) -> None:
    make_source(tmp_path, "web", 1)
    mixture = build_mixture(
        "m", {"web": ShardSet(tmp_path / "web")}, relative_to=tmp_path, weights={"web": 1}, sequence_length=64
    )
    mixture.write(tmp_path / "m.json")
    dataset = MixtureDataset(tmp_path / "m.json")
    shard = trace(dataset, 3).documents[0].shard
    table = (tmp_path / "web" / shard).with_suffix(".docs.parquet")
    pq.write_table(pq.read_table(table).slice(1), table)
    with pytest.raises(MixtureError, match=r"docs.parquet: \d+ rows, but the shard has \d+ documents"):
        trace(dataset, 3)
    table.unlink()
    with pytest.raises(MixtureError, match=r"docs.parquet: cannot read the documents of a shard"):
        trace(dataset, 3)

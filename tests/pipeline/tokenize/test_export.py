"""Shards in other trainers' forms, read back from the published layouts."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from pipeline.errors import UsageError
from pipeline.tokenize.export import export_shards
from tests.mixtures.corpora import EOS, TOKENIZER, documents, write_source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    root = tmp_path_factory.mktemp("export")
    write_source(root, "web", *documents(60, seed=1))
    return ShardSet(root / "web")


def test_llmc_finds_its_header_and_the_tokens(source: ShardSet, tmp_path: Path) -> None:
    paths = export_shards(source.folder, tmp_path, "llmc")
    assert len(paths) == len(source.manifest.shards)
    for number, path in enumerate(paths):
        header = np.fromfile(path, dtype="<i4", count=256)
        tokens = np.fromfile(path, dtype="<u2", offset=1024)
        assert header.tolist() == [20240520, 1, len(tokens)] + [0] * 253
        assert np.array_equal(tokens, source.view(number))


def test_datatrove_finds_the_end_of_each_document(source: ShardSet, tmp_path: Path) -> None:
    for number, path in enumerate(export_shards(source.folder, tmp_path, "datatrove")):
        ends = np.fromfile(path.with_name(path.name + ".index"), dtype="<u8")
        assert path.read_bytes() == source.view(number).tobytes()
        assert np.array_equal(ends, np.cumsum(source.lengths(number)))


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_tables_hold_one_document_a_row(source: ShardSet, tmp_path: Path, form) -> None:
    for number, path in enumerate(export_shards(source.folder, tmp_path, form)):
        table = pq.read_table(path) if form == "parquet" else pa.ipc.open_file(path).read_all()
        assert table["tokens"].combine_chunks().values.to_numpy().tolist() == source.view(number).tolist()
        assert [len(row) for row in table["tokens"]] == source.lengths(number).tolist()
        assert table["document_id"].null_count == table.num_rows  # these shards have no documents table


def test_a_form_that_cannot_be_is_refused(source: ShardSet, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="format `npz` is unknown; choose one of llmc, datatrove, parquet, arrow"
    ):
        export_shards(source.folder, tmp_path, "npz")  # type: ignore[arg-type]
    with ShardWriter(
        tmp_path / "big", source="big", tokenizer=TOKENIZER, vocabulary_size=70_000, eos_id=EOS
    ) as writer:
        writer.add(np.array([EOS]), np.array([1]))
    with pytest.raises(UsageError, match=r"llm\.c reads uint16 tokens only, these shards hold int32"):
        export_shards(tmp_path / "big", tmp_path / "out", "llmc")

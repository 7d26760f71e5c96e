"""Shards: written by rule, read back exactly, refused when they changed."""

import hashlib
import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures import shards as shards_module
from mixtures.errors import MixtureError
from mixtures.manifest import Manifest
from mixtures.shard_writer import ShardFile, ShardWriter, cut_shards
from mixtures.shards import ShardSet
from tests.mixtures.corpora import EOS, TOKENIZER, documents, write_source


@settings(max_examples=100)
@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 120))
def test_a_shard_ends_with_the_first_document_that_reaches_the_target(
    lengths: list[int], target: int
) -> None:
    cuts = cut_shards(np.array(lengths, dtype=np.int64), target).tolist()
    assert cuts[0] == 0
    assert cuts[-1] == len(lengths)
    for first, end in itertools.pairwise(cuts):
        size = sum(lengths[first:end])
        assert size - lengths[end - 1] < target, "the shard could have ended earlier"
        assert size >= target or end == len(lengths)


def test_tokens_and_documents_come_back(tmp_path: Path) -> None:
    tokens, lengths = documents(200, seed=1)
    manifest = write_source(tmp_path, "books", tokens, lengths)
    shards = ShardSet(tmp_path / "books")
    assert len(manifest.shards) > 5
    assert (len(shards), manifest.documents) == (len(tokens), 200)
    assert np.array_equal(shards.tokens(0, len(tokens)), tokens)
    found = np.concatenate([shards.lengths(number) for number in range(len(manifest.shards))])
    assert np.array_equal(found, lengths)
    shards.verify()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=200), st.integers(10, 2_000), st.data())
def test_bytes_do_not_depend_on_how_documents_arrive(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], target: int, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("shards")
    draw = np.random.default_rng(0)
    lengths = np.array(sizes, dtype=np.int64)
    tokens = draw.integers(0, EOS, int(lengths.sum())).astype(np.uint16)
    ends = np.cumsum(lengths)
    tokens[ends - 1] = EOS
    write_source(root, "whole", tokens, lengths, shard_tokens=target)
    with ShardWriter(
        root / "bits",
        source="whole",
        tokenizer=TOKENIZER,
        vocabulary_size=50257,
        eos_id=EOS,
        shard_tokens=target,
    ) as writer:
        first = 0
        while first < len(lengths):
            end = data.draw(st.integers(first + 1, len(lengths)))
            begin = int(ends[first - 1]) if first else 0
            writer.add(tokens[begin : ends[end - 1]], lengths[first:end])
            first = end
    whole = {path.name: path.read_bytes() for path in (root / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in (root / "bits").iterdir()} == whole


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=30), st.integers(1, 7_000))
def test_windows_cross_shards(shard_set: tuple[ShardSet, np.ndarray], starts: list[int], length: int) -> None:
    shards, tokens = shard_set
    expected = np.stack([tokens[start : start + length] for start in starts])
    assert np.array_equal(shards.gather(np.array(starts), length), expected)


@pytest.fixture(scope="module")
def shard_set(tmp_path_factory: pytest.TempPathFactory) -> tuple[ShardSet, np.ndarray]:
    root = tmp_path_factory.mktemp("shards")
    tokens, lengths = documents(100, seed=2)
    write_source(root, "wiki", tokens, lengths, shard_tokens=700)
    return ShardSet(root / "wiki"), tokens


def test_more_shards_than_may_be_open_are_read(shard_set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "MAX_OPEN_SHARDS", 2)
    shards, tokens = shard_set
    shards.close()
    assert np.array_equal(shards.tokens(0, len(tokens)), tokens)
    assert np.array_equal(shards.tokens(3, len(tokens)), tokens[3:])


def test_a_reader_travels_to_another_process(shard_set) -> None:
    shards, tokens = shard_set
    shards.tokens(0, 10)
    assert np.array_equal(pickle.loads(pickle.dumps(shards)).tokens(5, 900), tokens[5:900])


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (0, 10**9)])
def test_tokens_that_are_not_there_are_refused(shard_set, start: int, stop: int) -> None:
    with pytest.raises(MixtureError, match="the shards hold"):
        shard_set[0].tokens(start, stop)


def test_a_large_vocabulary_changes_type_code_and_manifest_together(tmp_path: Path) -> None:
    with ShardWriter(
        tmp_path / "big", source="big", tokenizer=TOKENIZER, vocabulary_size=70_000, eos_id=69_999
    ) as writer:
        writer.add(np.array([68_000, 69_999, 69_999]), np.array([2, 1]))
    assert (tmp_path / "big/shard-00000.bin").read_bytes() == np.array(
        [68_000, 69_999, 69_999], "<i4"
    ).tobytes()
    assert (tmp_path / "big/shard-00000.idx").read_bytes()[17] == 4
    assert json.loads((tmp_path / "big/manifest.json").read_text())["dtype"] == "int32"
    assert ShardSet(tmp_path / "big").tokens(0, 3).tolist() == [68_000, 69_999, 69_999]


def test_the_manifest_names_what_is_there_and_no_time_or_host(tmp_path: Path) -> None:
    tokens, lengths = documents(30, seed=3)
    write_source(tmp_path, "web", tokens, lengths)
    raw = json.loads((tmp_path / "web/manifest.json").read_text())
    assert sorted(raw) == [
        "created_by", "documents", "dtype", "eos_id", "inputs", "shards", "source", "split", "tokenizer", "tokens",
        "version", "vocabulary_size",
    ]  # fmt: skip
    for shard in raw["shards"]:
        data = (tmp_path / "web" / shard["file"]).read_bytes()
        assert shard["sha256"] == hashlib.sha256(data).hexdigest()
        assert shard["tokens"] * 2 == len(data)


@pytest.mark.parametrize(
    ("tokens", "lengths", "message"),
    [
        ([1, 2], [2], "1 documents but 0 end-of-text ids"),
        ([1, EOS, 2, EOS], [4], "1 documents but 2 end-of-text ids"),
        ([EOS, 1], [2], "1 documents but 1 end-of-text ids"),
        ([1, EOS], [1], "given 2"),
        ([EOS], [1, 0], "given 1"),
        ([70_000, EOS], [2], "id 70,000 does not fit uint16 tokens"),
        ([-1, EOS], [2], "does not fit uint16 tokens"),
    ],
)
def test_tokens_that_are_no_documents_are_refused(tmp_path: Path, tokens, lengths, message: str) -> None:
    shard = ShardFile(tmp_path, 0, dtype=np.dtype("<u2"), eos_id=EOS)
    with pytest.raises(MixtureError, match=message):
        shard.write(np.array(tokens), np.array(lengths))
    shard.abort()
    assert list(tmp_path.iterdir()) == []


def build_and_interrupt(folder: Path, tokens: np.ndarray, lengths: np.ndarray) -> None:
    with ShardWriter(
        folder, source="web", tokenizer=TOKENIZER, vocabulary_size=50257, eos_id=EOS, shard_tokens=1_000
    ) as writer:
        writer.add(tokens, lengths)
        raise KeyboardInterrupt


def test_an_interrupted_build_leaves_no_manifest_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    tokens, lengths = documents(100, seed=4)
    write_source(tmp_path, "web", tokens, lengths)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "web").iterdir()}
    more = documents(300, seed=5)
    with pytest.raises(KeyboardInterrupt):
        build_and_interrupt(tmp_path / "web", *more)
    with pytest.raises(MixtureError, match="cannot read the manifest"):
        ShardSet(tmp_path / "web")
    (tmp_path / "web/.shard-00099.bin.tmp").write_bytes(b"left by a killed process")
    write_source(tmp_path, "web", tokens, lengths)
    assert {path.name: path.read_bytes() for path in (tmp_path / "web").iterdir()} == expected


def test_a_missing_cut_or_changed_shard_is_refused(tmp_path: Path) -> None:
    write_source(tmp_path, "web", *documents(100, seed=6))
    path = tmp_path / "web/shard-00001.bin"
    data = path.read_bytes()
    path.write_bytes(data[:-2])
    with pytest.raises(
        MixtureError, match=rf"shard-00001.bin: expected {len(data):,} bytes .* found {len(data) - 2:,}"
    ):
        ShardSet(tmp_path / "web")
    path.write_bytes(data[:-4] + b"\0\0" + data[-2:])
    changed = ShardSet(tmp_path / "web")
    with pytest.raises(
        MixtureError, match=r"shard-00001.bin: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"
    ):
        changed.verify()
    path.unlink()
    with pytest.raises(
        MixtureError, match=r"shard-00001.bin: the manifest names this shard, but it is missing"
    ):
        ShardSet(tmp_path / "web")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2; this release reads version 1"),
        ({"dtype": "float32"}, "dtype `float32`"),
        ({"tokens": 1}, "states 1 tokens in"),
        (
            {"shards": [{"file": "../x.bin", "tokens": 0, "documents": 0, "sha256": ""}]},
            "is not a plain file name",
        ),
        ({"shards": 3}, "not a manifest of token shards"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, change, message: str) -> None:
    write_source(tmp_path, "web", *documents(10, seed=6))
    path = tmp_path / "web/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(MixtureError, match=message):
        Manifest.read(tmp_path / "web")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(MixtureError, match=r"manifest\.json: the manifest of token shards"):
        Manifest.read(tmp_path)


def test_a_source_without_documents_has_a_manifest_and_no_shards(tmp_path: Path) -> None:
    with ShardWriter(
        tmp_path / "none", source="none", tokenizer=TOKENIZER, vocabulary_size=50257, eos_id=EOS
    ):
        pass
    assert len(ShardSet(tmp_path / "none")) == 0

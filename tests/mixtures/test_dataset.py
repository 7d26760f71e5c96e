"""The mixture as a sequence of arrays."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mixtures.dataset import MixtureDataset, ValidationWindows, rank_samples
from mixtures.errors import MixtureError
from mixtures.shards import ShardSet
from tests.mixtures.corpora import documents, make_mixture, write_source

WEIGHTS = {"web": 6, "wiki": 3, "books": 2}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> MixtureDataset:
    path, _ = make_mixture(tmp_path_factory.mktemp("mixture"), WEIGHTS)
    return MixtureDataset(path, verify=True)


def test_a_sample_is_a_window_of_its_source(dataset: MixtureDataset) -> None:
    for sample in (0, 1, 500, len(dataset) - 1):
        place = dataset.sampler.place(sample)
        source = dataset.shards[place.source]
        tokens = source.tokens(0, len(source))
        assert dataset[sample].tolist() == tokens[place.window * 64 : place.window * 64 + 65].tolist()
        assert dataset[sample].dtype == np.uint16


def test_the_last_token_of_a_sample_is_the_target_of_the_window_before_the_next(
    dataset: MixtureDataset,
) -> None:
    source = dataset.shards[0]
    assert source.tokens(0, 65)[-1] == source.tokens(64, 129)[0]


def test_a_batch_is_its_samples(dataset: MixtureDataset) -> None:
    chosen = [5, 1, 700, 1]
    expected = np.stack([dataset[sample] for sample in chosen])
    assert np.array_equal(dataset.batch(np.array(chosen, dtype=np.uint64)), expected)
    assert np.array_equal(dataset.__getitems__(chosen), expected)


def test_the_dataset_ends_and_a_batch_may_go_on(dataset: MixtureDataset) -> None:
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    assert dataset.batch(np.array([len(dataset) * 10], dtype=np.uint64)).shape == (1, 65)


def test_wide_types_and_other_processes_see_the_same_tokens(dataset: MixtureDataset) -> None:
    wide = MixtureDataset(dataset.path, dtype=np.int64)
    assert wide[3].dtype == np.int64
    assert wide[3].tolist() == dataset[3].tolist() == pickle.loads(pickle.dumps(dataset))[3].tolist()


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize(("world", "micro"), [(1, 24), (1, 1), (2, 4), (8, 3), (3, 8), (24, 1)])
def test_a_run_resumed_elsewhere_reads_the_same_bytes(
    dataset: MixtureDataset, stop: int, world: int, micro: int
) -> None:
    batch, steps = 24, 5
    straight = dataset.batch(np.arange(batch * steps, dtype=np.uint64))

    def read(first: int, end: int, world: int, micro: int) -> np.ndarray:
        out = np.empty((0, 65), dtype=np.uint16)
        for step in range(first, end):
            ranks = [
                rank_samples(step * batch, batch, rank=r, world=world, micro_batch=micro)
                for r in range(world)
            ]
            numbers = np.concatenate([rank.ravel() for rank in ranks])
            assert sorted(numbers.tolist()) == list(range(step * batch, (step + 1) * batch))
            out = np.concatenate([out, dataset.batch(numbers)[np.argsort(numbers)]])
        return out

    resumed = np.concatenate([read(0, stop, 2, 4), read(stop, steps, world, micro)])
    assert resumed.tobytes() == straight.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"batch": 10, "world": 4, "micro_batch": 1},
            "a batch of 10 .* over 4 ranks .* make it a multiple of 4",
        ),
        ({"batch": 8, "rank": 4}, "rank 4 of 4.* out of range"),
        ({"batch": 8, "consumed": -1}, "consumed -1.* out of range"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(options, message: str) -> None:
    arguments = {"consumed": 0, "rank": 0, "world": 4, "micro_batch": 2} | options
    with pytest.raises(MixtureError, match=message):
        rank_samples(arguments.pop("consumed"), arguments.pop("batch"), **arguments)


def test_held_out_documents_are_read_in_order(tmp_path: Path) -> None:
    tokens, lengths = documents(30, seed=9)
    for name in ("web", "wiki"):
        write_source(tmp_path / "shards", name, *documents(60, seed=1))
    write_source(tmp_path / "shards/web", "validation", tokens, lengths, shard_tokens=1_000)
    shards = {name: ShardSet(tmp_path / "shards" / name) for name in ("web", "wiki")}
    path = tmp_path / "m.json"
    from mixtures.mixture import build_mixture

    build_mixture("m", shards, relative_to=tmp_path, weights={"web": 1, "wiki": 1}, sequence_length=64).write(
        path
    )
    windows = ValidationWindows(path, "web")
    assert len(windows) == (len(tokens) - 1) // 64
    assert np.array_equal(
        np.stack(list(windows)), np.stack([tokens[64 * n : 64 * n + 65] for n in range(len(windows))])
    )
    with pytest.raises(MixtureError, match="source `wiki` has no validation split"):
        ValidationWindows(path, "wiki")
    with pytest.raises(MixtureError, match="unknown source `books`; there are web, wiki"):
        ValidationWindows(path, "books")


def test_a_shard_that_changed_under_the_mixture_is_seen(tmp_path: Path) -> None:
    path, _ = make_mixture(tmp_path, {"web": 1})
    shard = tmp_path / "shards/web/shard-00000.bin"
    shard.write_bytes(b"\1\0" + shard.read_bytes()[2:])
    with pytest.raises(MixtureError, match=r"shard-00000.bin: expected SHA-256"):
        MixtureDataset(path, verify=True)

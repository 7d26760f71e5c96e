"""The mixture file: what it holds, and what it refuses."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mixtures.errors import MixtureError
from mixtures.manifest import TokenizerId
from mixtures.mixture import Mixture, build_mixture
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from tests.mixtures.corpora import EOS, documents, make_mixture, write_source


def test_a_mixture_comes_back_and_its_bytes_are_fixed(tmp_path: Path) -> None:
    path, mixture = make_mixture(tmp_path / "a", {"web": "0.6", "wiki": 0.3})
    again, _ = make_mixture(tmp_path / "b", {"wiki": "0.30", "web": 0.6})
    assert Mixture.read(path) == mixture
    assert {source.name: source.weight for source in mixture.sources} == {"web": 2, "wiki": 1}
    assert mixture.samples == 200_000 // 64
    assert Mixture.read(again).fingerprint == mixture.fingerprint  # "0.30" is 0.3
    make_mixture(tmp_path / "c", {"wiki": 0.3, "web": "0.6"})
    assert (tmp_path / "c/mixtures/mix.json").read_bytes() == path.read_bytes()


def test_moving_or_renaming_a_mixture_keeps_its_fingerprint(tmp_path: Path) -> None:
    path, mixture = make_mixture(tmp_path, {"web": 1})
    raw = json.loads(path.read_text()) | {"name": "other"}
    raw["sources"][0]["folder"] = "../shards/./web"
    path.write_text(json.dumps(raw))
    moved = Mixture.read(path)
    assert moved.fingerprint == mixture.fingerprint
    assert len(moved.open_shards(path)["web"]) == mixture.sources[0].tokens


def test_epochs_are_met_to_the_sample(tmp_path: Path) -> None:
    for number, name in enumerate(("web", "wiki")):
        write_source(tmp_path, name, *documents(100 + 200 * number, seed=number))
    shards = {name: ShardSet(tmp_path / name) for name in ("web", "wiki")}
    mixture = build_mixture(
        "m", shards, relative_to=tmp_path, epochs={"web": 2, "wiki": "0.5"}, sequence_length=64
    )
    counts = mixture.sampler().counts(mixture.samples)
    for source, count, epochs in zip(mixture.sources, counts, (Fraction(2), Fraction(1, 2)), strict=True):
        assert abs(count - source.windows * epochs) < 1


def test_epochs_and_weights_share_a_run(tmp_path: Path) -> None:
    for number, name in enumerate(("web", "wiki", "books")):
        write_source(tmp_path, name, *documents(200, seed=number))
    shards = {name: ShardSet(tmp_path / name) for name in ("web", "wiki", "books")}
    mixture = build_mixture(
        "m", shards, relative_to=tmp_path, weights={"web": 3, "books": 1}, epochs={"wiki": 1}, sequence_length=64,
        tokens=128_000,
    )  # fmt: skip
    counts = dict(
        zip(
            (source.name for source in mixture.sources),
            mixture.sampler().counts(mixture.samples),
            strict=True,
        )
    )
    wiki = next(source for source in mixture.sources if source.name == "wiki")
    assert abs(counts["wiki"] - wiki.windows) <= 1
    assert counts["web"] == pytest.approx(3 * counts["books"], abs=4)


def test_without_a_size_nothing_repeats(tmp_path: Path) -> None:
    _, mixture = make_mixture(tmp_path, {"web": 5, "wiki": 1, "books": 1}, tokens=None)
    counts = mixture.sampler().counts(mixture.samples)
    more = mixture.sampler().counts(mixture.samples + mixture.sampler().period)
    assert all(count <= source.windows for count, source in zip(counts, mixture.sources, strict=True))
    assert any(count > source.windows for count, source in zip(more, mixture.sources, strict=True))


def test_shards_that_were_built_again_are_refused(tmp_path: Path) -> None:
    path, mixture = make_mixture(tmp_path, {"web": 1, "wiki": 1})
    write_source(tmp_path / "shards", "wiki", *documents(100, seed=99))
    with pytest.raises(
        MixtureError, match=r"source `wiki`: shard-00000.bin has SHA-256 \w+ instead of \w+ in .*again"
    ):
        mixture.open_shards(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw | {"version": 9}, "version 9; this release reads version 1"),
        (lambda raw: raw | {"seed": 8}, "the file was changed: its content has fingerprint"),
        (lambda raw: {key: value for key, value in raw.items() if key != "sources"}, "not a mixture file"),
        (lambda raw: raw | {"surprise": 1}, "not a mixture file"),
    ],
)
def test_a_mixture_file_that_was_edited_is_refused(tmp_path: Path, change, message: str) -> None:
    path, _ = make_mixture(tmp_path, {"web": 1})
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(MixtureError, match=message):
        Mixture.read(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"web": 1, "nowhere": 1}}, "unknown source `nowhere`; there are other, tiny, web"),
        ({"weights": {"web": 1, "tiny": 1}}, "source `tiny` has 3 tokens, fewer than the 65 of one sample"),
        ({"weights": {"web": 1, "other": 1}}, "sources of different tokenizers cannot be mixed"),
        ({"weights": {"web": 0}}, "weight of source `web` is 0"),
        ({"weights": {"web": 1}, "tokens": 63}, "63 tokens are less than one sample of 64"),
        ({"weights": {"web": 1}, "sequence_length": 0}, "sequence_length is 0"),
        ({"weights": {"web": 1}, "epochs": {"web": 1}, "tokens": 6400}, "has both a weight and epochs"),
        ({}, "at least one source"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(tmp_path: Path, options, message: str) -> None:
    write_source(tmp_path, "web", *documents(50, seed=0))
    write_source(tmp_path, "tiny", np.array([1, 2, EOS], dtype=np.uint16), np.array([3]))
    with ShardWriter(
        tmp_path / "other",
        source="other",
        tokenizer=TokenizerId("other", "0" * 64),
        vocabulary_size=50257,
        eos_id=EOS,
    ) as writer:
        writer.add(*documents(50, seed=0))
    shards = {name: ShardSet(tmp_path / name) for name in ("web", "tiny", "other")}
    with pytest.raises(MixtureError, match=message):
        build_mixture("m", shards, relative_to=tmp_path, **({"sequence_length": 64} | options))


def test_weights_hold_in_tokens_when_documents_differ_a_hundredfold(tmp_path: Path) -> None:
    write_source(tmp_path, "short", *documents(3000, seed=0, longest=20))
    write_source(tmp_path, "long", *documents(30, seed=1, longest=2000))
    shards = {name: ShardSet(tmp_path / name) for name in ("short", "long")}
    mixture = build_mixture(
        "m", shards, relative_to=tmp_path, weights={"short": 1, "long": 1}, sequence_length=64, tokens=64_000
    )
    assert mixture.sampler().counts(mixture.samples) == (500, 500)

"""From texts to shards: nothing but the documents decides what is in them."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.shards import ShardSet
from mixtures.split import is_validation
from pipeline.errors import CrawlmixError
from pipeline.tokenize.assemble import Assembled, assemble, run_shard, write_shard
from pipeline.tokenize.encoder import Encoder
from pipeline.tokenize.part_tokens import PartTokens, pieces, table_path, tokens_path, write_part
from pipeline.tokenize.shard_plan import Plan, ShardTask, plan_shards

WORDS = ["the", "crawl", "gave", "pages", "and", "we", "kept", "it's", "42", "naïve", "日本", "<|endoftext|>"]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load("gpt2")


def texts(count: int, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    return ["" if n % 13 == 5 else " ".join(draw.choice(WORDS, draw.integers(1, 60))) for n in range(count)]


def write_parts(
    root: Path, documents: list[str], cuts: list[int], encoder: Encoder, batch: int = 7
) -> list[str]:
    """Write documents d0, d1, ... as parts that end at `cuts`."""
    stems, first = [], 0
    for number, end in enumerate([*cuts, len(documents)]):
        stem = str(root / f"part-{number:05d}")
        rows = pa.record_batch(
            {
                "document_id": pa.array([f"d{n}" for n in range(first, end)], pa.string()),
                "row": pa.array(range(end - first), pa.int64()),
                "text": pa.array(documents[first:end], pa.string()),
            }
        )
        batches = [rows.slice(start, batch) for start in range(0, max(1, rows.num_rows), batch)]
        write_part(stem, pieces(batches), encoder)
        stems.append(stem)
        first = end
    return stems


def plan(root: Path, stems: list[str], encoder: Encoder, **options) -> Plan:
    return plan_shards(
        "web", str(root / "shards"), stems, encoder.tokenizer, **({"shard_tokens": 500} | options)
    )


def write(tasks: Sequence[ShardTask]) -> None:
    """Write shards as workers do, from what travels to them."""
    for task in tasks:
        run_shard(json.loads(json.dumps({"shard": asdict(task)})), lambda _records, _bytes: None)


def done(made: Plan) -> Assembled:
    return assemble([made], write)[0]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def without_tables(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.endswith(".parquet")}


def test_shards_hold_the_documents_in_order(tmp_path: Path, encoder: Encoder) -> None:
    documents = texts(120)
    stems = write_parts(tmp_path, documents, [30, 31, 80], encoder)
    manifest = done(plan(tmp_path, stems, encoder)).manifests["train"]
    expected = encoder.encode_batch(pa.array(documents))
    shards = ShardSet(tmp_path / "shards")
    assert np.array_equal(shards.tokens(0, len(shards)), expected.tokens)
    assert manifest.documents == np.count_nonzero(expected.lengths) == sum(map(bool, documents))
    assert len(manifest.shards) > 5
    row = 0
    kept = [n for n, text in enumerate(documents) if text]
    for number in range(len(manifest.shards)):
        table = pq.read_table(shards.documents_file(number)).to_pylist()
        assert [entry["length"] for entry in table] == shards.lengths(number).tolist()
        for entry in table:
            n = kept[row]
            start = entry["first_token"]
            tokens = shards.view(number)[start : start + entry["length"] - 1].tolist()
            assert encoder.tokenizer.decode(tokens) == documents[n]
            assert (entry["document_id"], entry["end_char"]) == (f"d{n}", len(documents[n]))
            row += 1
    assert row == len(kept)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=4), st.integers(1, 40), st.randoms())
def test_parts_batches_and_workers_cannot_be_seen(
    tmp_path_factory: pytest.TempPathFactory, encoder: Encoder, cuts: list[int], batch: int, order
) -> None:
    root, documents = tmp_path_factory.mktemp("assemble"), texts(90)
    options = {"validation": 0.2, "seed": 3, "shard_tokens": 1_500}
    done(plan(root / "one", write_parts(root / "one", documents, [], encoder), encoder, **options))
    stems = write_parts(root / "many", documents, sorted(cuts), encoder, batch)

    def in_any_order(tasks: list[ShardTask]) -> None:
        twice = [*tasks, *tasks]  # as engines may
        order.shuffle(twice)
        write(twice)

    assemble([plan(root / "many", stems, encoder, **options)], in_any_order)
    assert without_tables(content(root / "many/shards")) == without_tables(content(root / "one/shards"))


def test_a_rebuild_gives_the_same_bytes_tables_included(tmp_path: Path, encoder: Encoder) -> None:
    for name in ("a", "b"):
        stems = write_parts(tmp_path / name, texts(60), [20], encoder)
        done(plan(tmp_path / name, stems, encoder, validation=0.1))
    assert content(tmp_path / "a/shards") == content(tmp_path / "b/shards")


def test_held_out_documents_are_in_the_validation_split_alone(tmp_path: Path, encoder: Encoder) -> None:
    documents = texts(150)
    stems = write_parts(tmp_path, documents, [70], encoder)
    done(plan(tmp_path, stems, encoder, validation=0.1, seed=5))
    ids = [f"d{n}" for n, text in enumerate(documents) if text]
    held = is_validation(ids, seed=5, fraction=0.1)
    for folder, expected in (("shards", ~held), ("shards/validation", held)):
        shards = ShardSet(tmp_path / folder)
        found = [
            row for number in range(len(shards.manifest.shards))
            for row in pq.read_table(shards.documents_file(number))["document_id"].to_pylist()
        ]  # fmt: skip
        assert found == [name for name, mine in zip(ids, expected, strict=True) if mine]
    done(plan(tmp_path, stems, encoder))
    assert not (tmp_path / "shards/validation").exists()


def test_taking_a_page_out_changes_its_own_shard_alone(tmp_path: Path, encoder: Encoder) -> None:
    documents = texts(120)
    stems = write_parts(tmp_path, documents, [50], encoder)
    before = done(plan(tmp_path, stems, encoder)).manifests["train"]
    after = done(plan(tmp_path, stems, encoder, excluded={"d60", "d61"})).manifests["train"]
    changed = [one.file for one, other in zip(before.shards, after.shards, strict=True) if one != other]
    assert len(changed) in (1, 2)
    assert after.documents == before.documents - 2
    gone = encoder.encode_batch(pa.array(documents[60:62])).lengths.sum()
    assert after.tokens == before.tokens - gone
    assert after.inputs != before.inputs


def test_a_word_that_changes_within_the_same_length_is_seen(tmp_path: Path, encoder: Encoder) -> None:
    here = write_parts(tmp_path / "a", ["some pages", "we kept"], [], encoder)
    there = write_parts(tmp_path / "b", ["some pages", "we gave"], [], encoder)
    assert PartTokens(here[0]).lengths.tolist() == PartTokens(there[0]).lengths.tolist()
    assert plan(tmp_path, here, encoder).inputs != plan(tmp_path, there, encoder).inputs


def test_a_source_without_text_has_an_empty_manifest(tmp_path: Path, encoder: Encoder) -> None:
    stems = write_parts(tmp_path, ["", ""], [1], encoder)
    manifest = done(plan(tmp_path, stems, encoder)).manifests["train"]
    assert (manifest.tokens, manifest.documents, manifest.shards) == (0, 0, ())


def test_a_part_is_summed_up(tmp_path: Path, encoder: Encoder) -> None:
    rows = pa.record_batch(
        {"document_id": ["a", "b"], "row": pa.array([0, 1], pa.int64()), "text": ["Hello world é", ""]}
    )
    summary = write_part(str(tmp_path / "p"), pieces([rows]), encoder)
    assert (summary.tokens, summary.documents, summary.empty, summary.text_bytes) == (4, 1, 1, 14)
    with PartTokens(str(tmp_path / "p")).tokens() as tokens:
        assert tokens(0, 4).tolist()[:2] == [15496, 995]
        assert tokens(1, 3).tolist() == tokens(0, 4).tolist()[1:3]


def test_a_part_that_is_cut_missing_or_of_another_tokenizer_is_refused(
    tmp_path: Path, encoder: Encoder
) -> None:
    (stem,) = write_parts(tmp_path, texts(20), [], encoder)
    other = Encoder.load("gpt2", eos="!")
    with pytest.raises(CrawlmixError, match="encoded by another tokenizer than `gpt2`"):
        plan_shards("web", str(tmp_path / "shards"), [stem], other.tokenizer)
    size = Path(tokens_path(stem)).stat().st_size
    with Path(tokens_path(stem)).open("rb+") as stream:
        stream.truncate(size - 2)
    with pytest.raises(
        CrawlmixError, match=rf"part-00000.tokens: expected {size:,} bytes, found {size - 2:,}"
    ):
        PartTokens(stem)
    Path(table_path(stem)).unlink()
    with pytest.raises(CrawlmixError, match=r"part-00000.parquet: cannot read the part's documents"):
        PartTokens(stem)


def moments(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_shards_that_are_there_are_not_written_again(tmp_path: Path, encoder: Encoder) -> None:
    stems = write_parts(tmp_path, texts(120), [50], encoder)
    options = {"validation": 0.2, "seed": 5}
    whole = done(plan(tmp_path, stems, encoder, **options))
    assert (whole.written, whole.changed) == (len(plan(tmp_path, stems, encoder, **options).tasks), True)
    before, times = content(tmp_path / "shards"), moments(tmp_path / "shards")
    again = done(plan(tmp_path, stems, encoder, **options))
    assert (again.written, again.changed) == (0, False)
    assert moments(tmp_path / "shards") == times
    out = done(plan(tmp_path, stems, encoder, excluded={"d60", "another source's"}, **options))
    assert out.written == 1
    changed = {name for name, moment in moments(tmp_path / "shards").items() if times[name] != moment}
    folder = "validation/" if is_validation(["d60"], seed=5, fraction=0.2)[0] else ""
    assert {name.split(".")[0] for name in changed if "manifest" not in name} == {
        f"{folder}shard-{next(n for n in range(99) if f'{folder}shard-{n:05d}.bin' in changed):05d}"
    }
    done(plan(tmp_path, stems, encoder, **options))
    assert content(tmp_path / "shards") == before


@pytest.mark.parametrize("damage", ["bin", "idx", "docs.parquet", "manifest"])
def test_a_shard_that_was_cut_or_lost_is_written_again(tmp_path: Path, encoder: Encoder, damage: str) -> None:
    stems = write_parts(tmp_path, texts(60), [], encoder)
    done(plan(tmp_path, stems, encoder))
    before = content(tmp_path / "shards")
    path = tmp_path / "shards" / ("manifest.json" if damage == "manifest" else f"shard-00001.{damage}")
    path.write_bytes(path.read_bytes()[:-1])
    assert done(plan(tmp_path, stems, encoder)).written == (0 if damage == "manifest" else 1)
    assert content(tmp_path / "shards") == before


def test_a_document_that_moved_to_another_part_is_told_in_the_tables(
    tmp_path: Path, encoder: Encoder
) -> None:
    documents = texts(60)
    done(plan(tmp_path, write_parts(tmp_path, documents, [], encoder), encoder))
    before = content(tmp_path / "shards")
    done(plan(tmp_path, write_parts(tmp_path, documents, [20], encoder), encoder))
    after = content(tmp_path / "shards")
    assert without_tables(after) == without_tables(before)
    shards = ShardSet(tmp_path / "shards")
    parts = pq.read_table(shards.documents_file(len(shards.manifest.shards) - 1))["part"].to_pylist()
    assert set(parts) == {"part-00001"}


def test_a_shard_whose_documents_were_all_taken_out_is_empty(tmp_path: Path, encoder: Encoder) -> None:
    stems = write_parts(tmp_path, texts(20), [], encoder)
    out = done(plan(tmp_path, stems, encoder, excluded={f"d{n}" for n in range(20)}))
    assert {(shard.tokens, shard.documents) for shard in out.manifests["train"].shards} == {(0, 0)}
    assert len(ShardSet(tmp_path / "shards")) == 0


def test_a_shard_that_is_gone_after_it_was_written_is_no_success(tmp_path: Path, encoder: Encoder) -> None:
    stems = write_parts(tmp_path, texts(20), [], encoder)
    with pytest.raises(CrawlmixError, match=r"shard-00000: was made and is gone"):
        assemble([plan(tmp_path, stems, encoder)], lambda _tasks: None)
    assert not (tmp_path / "shards/manifest.json").exists()
    assert done(plan(tmp_path, stems, encoder)).changed


def test_two_writers_of_one_shard_do_not_meet(tmp_path: Path, encoder: Encoder) -> None:
    stems = write_parts(tmp_path, texts(400), [100], encoder)
    made = plan(tmp_path, stems, encoder, shard_tokens=10**6)

    def four_times(tasks: list[ShardTask]) -> None:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(write_shard, tasks * 4))

    assemble([made], four_times)
    together = content(tmp_path / "shards")
    (tmp_path / "shards/shard-00000.docs.parquet").unlink()
    done(made)
    assert content(tmp_path / "shards") == together

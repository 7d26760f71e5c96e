import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli.main import run
from pipeline.decontaminate.counts import (
    add_counts,
    common_grams,
    count_documents,
    pack_counts,
    unpack_counts,
)
from pipeline.decontaminate.decide import CONTAMINATION, contamination_columns, decide
from pipeline.decontaminate.html_page import report_page
from pipeline.decontaminate.report import make_report
from pipeline.decontaminate.run import text_lengths
from pipeline.decontaminate.scan import scan
from pipeline.decontaminate.settings import BenchmarkSettings, FilterSettings
from pipeline.decontaminate.statistics import Statistics, merge_statistics, part_statistics
from tests.pipeline.decontaminate.made import judged, made_words, make_index, prose

EXAMPLES = [" ".join(made_words(25, seed=200 + number)) for number in range(6)]
SHORT = "far too short"
TEXTS = [
    prose(300, seed=1),
    f"{prose(200, seed=2)}\n{EXAMPLES[0]}\n{prose(200, seed=3)}",
    EXAMPLES[1],
    f" {EXAMPLES[2]} ".join(prose(90, seed=seed) for seed in range(20, 33)),
    "tiny",
    f"{EXAMPLES[3].upper()}. {prose(150, seed=4)}",
]


def write(file: Path, texts: Sequence[str], **fields: Any) -> None:
    lines = [json.dumps({"id": f"d{number}", "text": text, **fields}) for number, text in enumerate(texts)]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sets").mkdir()
    write(tmp_path / "sets" / "made.jsonl.gz", [*EXAMPLES, SHORT])
    write(tmp_path / "in.jsonl.gz", TEXTS, url="http://example.org/", source="web")
    return tmp_path


def command(folder: Path, *more: str) -> int:
    given = [
        "--documents",
        str(folder / "in.jsonl.gz"),
        "--benchmarks",
        str(folder / "sets"),
        "--out",
        str(folder / "out"),
    ]
    return run(["decontaminate", *given, *more])


def test_the_command_writes_pieces_with_their_parents_and_every_document_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder) == 0
    written = read(folder / "out" / "documents.jsonl.gz")
    assert [(item["id"], item["parent"]) for item in written] == [
        ("d0", "d0"),
        ("d1#0", "d1"),
        ("d1#1", "d1"),
        ("d4", "d4"),
        ("d5#0", "d5"),
    ]
    assert written[0] == {
        "id": "d0",
        "parent": "d0",
        "text": TEXTS[0],
        "url": "http://example.org/",
        "source": "web",
    }
    assert all(item["text"] in TEXTS[int(item["parent"][1:])] for item in written)
    summary = json.loads((folder / "out" / "benchmarks.json").read_text())
    assert summary["documents"] == {
        "in": 6,
        "kept": 2,
        "tagged": 0,
        "split": 2,
        "removed": 2,
        "removed_by_rule": {"no_piece_left": 1, "too_many_pieces": 1},
        "pieces": 3,
        "out": 5,
        "failed": 0,
    }
    made = summary["benchmarks"]["made"]
    assert {
        key: made[key]
        for key in ("examples", "unprotected", "dirty_before", "dirty_after", "clean", "clean_percent")
    } == {
        "examples": 7,
        "unprotected": 1,
        "dirty_before": 4,
        "dirty_after": 0,
        "clean": 6,
        "clean_percent": 100.0,
    }
    assert made["longest_overlaps"] == [{"id": f"d{i}", "words": 25, "of": 25} for i in range(4)]
    assert summary["characters"]["in"] == sum(map(len, TEXTS))
    assert summary["characters"]["out"] == sum(len(item["text"]) for item in written)
    assert json.loads((folder / "out" / "clean_ids.json").read_text()) == {
        "made": [f"d{i}" for i in range(6)]
    }
    assert "6 documents in = 2 kept whole + 2 split + 2 removed" in capsys.readouterr().out


def test_the_same_input_gives_the_same_bytes_and_other_formats_the_same_texts(folder: Path) -> None:
    assert command(folder) == 0
    first = (folder / "out" / "documents.jsonl.gz").read_bytes()
    assert command(folder) == 0
    assert (folder / "out" / "documents.jsonl.gz").read_bytes() == first
    pq.write_table(
        pa.table({"id": [f"d{i}" for i in range(len(TEXTS))], "text": TEXTS}), folder / "in.parquet"
    )
    given = ["--documents", str(folder / "in.parquet"), "--benchmarks", str(folder / "sets")]
    assert run(["decontaminate", *given, "--out", str(folder / "other")]) == 0
    texts = [item["text"] for item in read(folder / "other" / "documents.jsonl.gz")]
    assert texts == [item["text"] for item in read(folder / "out" / "documents.jsonl.gz")]


def test_tag_writes_all_texts_and_says_where_the_matches_are(folder: Path) -> None:
    assert command(folder, "--preset", "tag") == 0
    written = read(folder / "out" / "documents.jsonl.gz")
    assert [item["text"] for item in written] == TEXTS
    assert [len(item.get("contamination", {}).get("spans", [])) for item in written] == [0, 1, 1, 12, 0, 1]
    span = written[1]["contamination"]["spans"][0]
    assert TEXTS[1][span["start"] : span["end"]] == EXAMPLES[0]
    made = json.loads((folder / "out" / "benchmarks.json").read_text())["benchmarks"]["made"]
    assert (made["dirty_before"], made["dirty_after"]) == (4, 4)


def test_options_change_the_rule(folder: Path) -> None:
    assert (
        command(
            folder, "--max-pieces", "20", "--min-piece-chars", "0", "--window-chars", "0", "--no-analysis"
        )
        == 0
    )
    written = read(folder / "out" / "documents.jsonl.gz")
    assert sum(item["parent"] == "d3" for item in written) == 13
    assert all(example not in item["text"] for item in written for example in EXAMPLES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ngram", "0"], "ngram: must lie between 1 and 64, got 0"),
        (["--benchmarks", "nowhere/*.jsonl"], "matches no file"),
        (["--text-field", "body"], "no document could be read; the first of 6 failures: "),
    ],
)
def test_mistakes_are_told_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert command(folder, *arguments) in {1, 2}
    assert message in capsys.readouterr().err
    assert not (folder / "out" / "documents.jsonl.gz").exists()


def test_rows_that_are_no_documents_are_counted_and_named(folder: Path) -> None:
    (folder / "in.jsonl.gz").write_bytes(
        gzip.compress(b'{"id": 1, "text": "fine"}\n{broken\n{"id": 2}\n{"text": 3}\n')
    )
    assert command(folder) == 0
    summary = json.loads((folder / "out" / "benchmarks.json").read_text())
    documents = summary["documents"]
    assert (documents["in"], documents["kept"], documents["failed"]) == (4, 1, 3)
    assert [message.partition("in.jsonl.gz: ")[2][:6] for message in summary["failures"]] == [
        "line 2",
        "line 3",
        "line 4",
    ]
    assert "no n-gram of any benchmark was found in 1 documents" in " ".join(summary["warnings"])


def test_a_benchmark_that_is_training_data_is_warned_of_with_numbers(folder: Path) -> None:
    texts = [prose(40, seed=seed) for seed in range(30)]
    write(folder / "in.jsonl.gz", texts)
    write(folder / "sets" / "train.jsonl.gz", texts[:25])
    assert command(folder) == 0
    benchmarks = json.loads((folder / "out" / "benchmarks.json").read_text())["benchmarks"]
    assert benchmarks["train"]["warnings"] == [
        "25 of 30 documents hold n-grams of train: is it training data, or text that the documents share?"
    ]
    assert benchmarks["made"]["warnings"] == []


def test_the_page_escapes_what_it_shows_and_loads_nothing(folder: Path) -> None:
    write(folder / "sets" / "<script>.jsonl.gz", EXAMPLES[:1])
    assert command(folder) == 0
    page = (folder / "out" / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page == report_page(json.loads((folder / "out" / "benchmarks.json").read_text()))


def test_parts_in_any_order_give_the_report_of_the_whole(tmp_path: Path) -> None:
    rule = FilterSettings(max_documents=2)
    shared_words = EXAMPLES[4]
    texts = [
        *TEXTS,
        *(f"{prose(100, seed=50 + i)} {shared_words} {prose(100, seed=60 + i)}" for i in range(4)),
    ]
    by_name = {"made": [*EXAMPLES, SHORT], "other": [" ".join(EXAMPLES[0].split()[:10])]}
    index = make_index(tmp_path, by_name, rule, {"other": BenchmarkSettings(n=9)})
    hits, decision = judged(texts, index, rule)
    lengths = text_lengths(pa.array(texts))
    counts = count_documents(hits, index)
    whole = make_report(part_statistics(hits, lengths, decision, index), counts, index, rule)
    assert whole.benchmarks["ignored_ngrams"]["count"] == 13
    assert whole.benchmarks["benchmarks"]["made"]["dirty_after"] == 1
    assert whole.benchmarks["benchmarks"]["other"]["documents_split"] == 1

    for seed in range(3):
        order = random.Random(seed).sample(range(len(texts)), len(texts))
        parts = [pa.array([texts[i] for i in order[k::3]]) for k in range(3)]
        scans = [scan(part, index) for part in parts]
        packed: dict[int, list[tuple[bytes, bytes]]] = {}
        for found in scans:
            for partition, element in pack_counts(count_documents(found, index), 4):
                packed.setdefault(partition, []).append(element)
        together = add_counts(unpack_counts(elements) for elements in packed.values())
        common = common_grams(together, rule.max_documents)
        sums = []
        for part, found in zip(parts, scans, strict=True):
            decided = decide(found, text_lengths(part), common, index, rule)
            sums.append(
                Statistics.from_bytes(part_statistics(found, text_lengths(part), decided, index).to_bytes())
            )
        assert make_report(merge_statistics(sums), together, index, rule) == whole


def test_columns_are_aligned_with_the_rows(tmp_path: Path) -> None:
    index = make_index(tmp_path, {"made": EXAMPLES})
    texts = [*TEXTS, None]
    array = pa.array(texts)
    hits = scan(array, index)
    decision = decide(
        hits, text_lengths(array), common_grams(count_documents(hits, index), 10), index, FilterSettings()
    )
    columns = contamination_columns(decision, index)
    assert columns.schema == CONTAMINATION
    rows = columns.to_pylist()
    assert [(row["fate"], row["rule"], row["benchmarks"]) for row in rows] == [
        ("kept", None, None),
        ("kept", None, ["made"]),
        ("removed", "no_piece_left", ["made"]),
        ("removed", "too_many_pieces", ["made"]),
        ("kept", None, None),
        ("kept", None, ["made"]),
        ("kept", None, None),
    ]
    assert [row["pieces"] is None for row in rows] == [True, False, False, False, True, False, True]
    assert rows[2]["pieces"] == rows[3]["pieces"] == []
    cut = sum(span["end"] - span["start"] for span in rows[1]["spans"])
    stays = sum(span["end"] - span["start"] for span in rows[1]["pieces"])
    assert cut + stays == len(TEXTS[1])
    assert rows[1]["detail"] == f"1 spans of {cut} characters cut, 2 pieces stay"

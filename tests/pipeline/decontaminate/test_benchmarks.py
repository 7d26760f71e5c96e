import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.decontaminate.benchmark_settings import read_settings
from pipeline.decontaminate.benchmarks import Benchmark, fill_template, find_benchmarks, read_benchmark
from pipeline.decontaminate.build_index import analysis_n, ensure_index
from pipeline.decontaminate.settings import BenchmarkSettings, FilterSettings, preset
from pipeline.errors import CrawlmixError, UsageError
from tests.shared_data import shared


def write_lines(file: Path, rows: list[Any]) -> Path:
    lines = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()
    file.write_bytes(gzip.compress(lines) if file.suffix == ".gz" else lines)
    return file


def read(path: Path, **settings: Any) -> Benchmark:
    (found,) = find_benchmarks([str(path)], "/", default=BenchmarkSettings(**settings))
    return read_benchmark(found)


def test_one_set_in_three_formats_reads_the_same(tmp_path: Path) -> None:
    texts = ["One example.", "Another \u00e9 one."]
    write_lines(tmp_path / "a.jsonl.gz", [{"id": i, "text": text} for i, text in enumerate(texts)])
    pq.write_table(pa.table({"id": ["0", "1"], "text": texts}), tmp_path / "b.parquet")
    (tmp_path / "c.txt").write_text("\n\n".join(texts), encoding="utf-8")
    found = [read_benchmark(item) for item in find_benchmarks([str(tmp_path)], "/")]
    assert [(item.name, item.ids, item.texts.to_pylist()) for item in found] == [
        (name, ["0", "1"], texts) for name in "abc"
    ]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("line", ["a b", "c", "d"]), ("paragraph", ["a b\nc", "d"]), ("file", ["a b\nc\n\nd\n"])],
)
def test_plain_text_holds_lines_paragraphs_or_one_example(
    tmp_path: Path, unit: str, expected: list[str]
) -> None:
    (tmp_path / "set.txt").write_text("a b\nc\n\nd\n")
    assert read(tmp_path / "set.txt", unit=unit).texts.to_pylist() == expected


def test_a_template_puts_fields_together() -> None:
    row = {
        "question": "Why {x}?",
        "choices": {"text": ["one", "two"], "label": ["A", "B"]},
        "meta": {"answer": 2},
    }
    assert fill_template("Q: {question} {choices.text} = {meta.answer}", row) == "Q: Why {x}? one\ntwo = 2"


def test_lists_of_any_depth_are_joined() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert fill_template("{a}", {"a": [["one", ["two"]], deep, None, 3]}) == "one\ntwo\nx\n\n3"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": 1}], "line 1: no field 'text' for `text`; fields: id"),
        (['{"text": "a"}', "{broken"], "line 2: is no JSON"),
        (["[1]"], "line 1: expected a JSON object, found list"),
    ],
)
def test_a_row_that_is_no_example_is_an_error_that_names_it(
    tmp_path: Path, rows: list[Any], message: str
) -> None:
    write_lines(tmp_path / "set.jsonl", rows)
    with pytest.raises(UsageError) as error:
        read(tmp_path / "set.jsonl")
    assert f"set.jsonl: {message}" in str(error.value)


def test_an_example_of_100_megabytes_is_refused_by_name_without_being_held(tmp_path: Path) -> None:
    with (tmp_path / "set.jsonl").open("wb") as file:
        file.write(b'{"text": "')
        for _ in range(120):
            file.write(b"word " * 200_000)
        file.write(b'"}\n')
    with pytest.raises(
        UsageError, match="line 1: more than 1,048,576 bytes; that is no example of a benchmark"
    ):
        read(tmp_path / "set.jsonl", max_example_bytes=1 << 20)
    with pytest.raises(UsageError, match=r"line 1: (an example of|more than) .* bytes; that is no example"):
        read(tmp_path / "set.jsonl")


def test_faults_that_leave_examples_usable_are_warnings_with_numbers(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_bytes(
        b'{"id": "a", "text": "caf\xff one"}\n{"id": "a", "text": "two"}\n\n{"id": "a~2", "text": "..."}\n'
    )
    found = read(tmp_path / "set.jsonl")
    assert found.ids == ["a", "a~3", "a~2"]
    assert found.texts[0].as_py() == "caf\ufffd one"
    assert found.warnings == [
        "1 of 3 examples held invalid UTF-8, read as U+FFFD",
        "1 of 3 ids are repeated; later ones are told apart by ~2, ~3, ...",
    ]
    index = ensure_index(find_benchmarks([str(tmp_path)], "/"), FilterSettings(), str(tmp_path / "index"))
    assert "1 of 3 examples have no words" in index.benchmarks[0].warnings


def test_an_empty_benchmark_is_a_warning_and_nothing_but_empty_ones_an_error(tmp_path: Path) -> None:
    write_lines(tmp_path / "empty.jsonl", [])
    with pytest.raises(UsageError, match="none of empty has an example"):
        ensure_index(find_benchmarks([str(tmp_path)], "/"), FilterSettings(), str(tmp_path / "index"))
    write_lines(tmp_path / "full.jsonl", [{"text": "some words"}])
    index = ensure_index(find_benchmarks([str(tmp_path)], "/"), FilterSettings(), str(tmp_path / "index"))
    assert [(item.name, item.examples, item.warnings) for item in index.benchmarks] == [
        ("empty", 0, ["no examples: the benchmark is empty"]),
        ("full", 1, []),
    ]


def test_folders_without_benchmarks_and_unknown_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no benchmark"):
        find_benchmarks([str(tmp_path)], "/")
    (tmp_path / "set.csv").write_text("a,b")
    with pytest.raises(UsageError, match=r"set.csv: unknown kind of file; expected .jsonl"):
        read(tmp_path / "set.csv")


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    write_lines(tmp_path / "set.jsonl.gz", [{"text": f"word {i} " * 50} for i in range(2000)])
    data = (tmp_path / "set.jsonl.gz").read_bytes()
    (tmp_path / "set.jsonl.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(UsageError, match=r"set.jsonl.gz: (line|byte) \d+: "):
        read(tmp_path / "set.jsonl.gz")
    (tmp_path / "set.parquet").write_bytes(b"PAR1 is no parquet PAR1")
    with pytest.raises(UsageError, match="the rest of the file cannot be read"):
        read(tmp_path / "set.parquet")


def test_an_index_is_built_once_for_the_same_benchmarks_and_again_for_others(tmp_path: Path) -> None:
    write_lines(tmp_path / "set.jsonl", [{"text": " ".join(f"w{i}" for i in range(30))}])
    folder = tmp_path / "index"

    def build(**changes: Any) -> str:
        return ensure_index(
            find_benchmarks([str(tmp_path / "set.jsonl")], "/"), preset("gpt3", **changes), str(folder)
        ).folder

    first = build()
    made = Path(first, "index.json").stat().st_mtime_ns
    assert build() == first
    assert build(window_chars=7) == first  # the index does not depend on how documents are cut
    assert Path(first, "index.json").stat().st_mtime_ns == made
    assert build(ngram=8) != first
    write_lines(tmp_path / "set.jsonl", [{"text": "other words"}])
    assert build() != first


def test_a_damaged_index_says_what_to_delete(tmp_path: Path) -> None:
    write_lines(tmp_path / "set.jsonl", [{"text": " ".join(f"w{i}" for i in range(30))}])
    benchmarks = find_benchmarks([str(tmp_path / "set.jsonl")], "/")
    folder = ensure_index(benchmarks, FilterSettings(), str(tmp_path / "index")).folder
    Path(folder, "keys-13.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(CrawlmixError, match=r"keys-13.npy: is damaged .* delete the folder"):
        ensure_index(benchmarks, FilterSettings(), str(tmp_path / "index"))


def test_settings_by_benchmark_are_read_and_wrong_ones_explained(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("piqa: {n: 8, synthetic: true}\n")
    assert read_settings(file) == {"piqa": BenchmarkSettings(n=8, synthetic=True)}
    for text, message in (
        ("piqa: {nn: 8}", "piqa: unknown key `nn`; did you mean `n`?"),
        ("piqa: {n: 0}", "piqa: benchmark setting `n`: must lie between 1 and 64, got 0"),
        ("piqa: {n: x}", "piqa: `n` cannot be 'x'"),
        ("piqa: {template: plain}", "names no field"),
        ("- a", "expected settings by benchmark"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError) as error:
            read_settings(file)
        assert message in str(error.value)
    write_lines(tmp_path / "set.jsonl", [])
    with pytest.raises(UsageError, match="there is no benchmark `piqa`; found: set"):
        find_benchmarks([str(tmp_path / "set.jsonl")], "/", {"piqa": BenchmarkSettings()})


@pytest.mark.parametrize(("name", "percentile", "n"), [("lambada_test", 46, 13), ("gsm8k_test", 53, 13)])
def test_n_of_the_analysis_follows_table_c1(name: str, percentile: int, n: int, tmp_path: Path) -> None:
    """Brown et al. 2020, table C.1: LAMBADA 13; the sets here are about 70 % of the published ones."""
    benchmarks = find_benchmarks([str(shared(f"ref/benchmarks/{name}.jsonl.gz"))], "/")
    index = ensure_index(benchmarks, FilterSettings(), str(tmp_path))
    words = np.diff(index.example_words)
    assert abs(np.percentile(words, 5) - percentile) <= 12
    assert index.benchmarks[0].analysis_n == n


@pytest.mark.parametrize(
    ("words", "synthetic", "n"),
    [([20] * 9, False, 13), ([3] * 9, False, 8), ([3] * 9, True, 3), ([1] * 9, True, 2), ([], False, 8)],
)
def test_n_of_the_analysis_is_clipped(words: list[int], synthetic: bool, n: int) -> None:
    assert analysis_n(np.array(words), synthetic=synthetic) == n

"""Training from files: reproducible, honest about unseen sources, and quick to say what is wrong."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from classifiers.documents import TRAINING_DOCUMENTS, read_documents
from classifiers.errors import ClassifierError
from classifiers.evaluate import evaluate
from classifiers.fasttext_model import FastTextModel, FastTextOptions, save_fasttext
from classifiers.model_file import load_model
from classifiers.splits import held_out, row_weights, source_folds
from classifiers.train import TrainOptions, sample_documents, train, train_on_samples
from tests.shared_data import shared

GOOD = [
    "the",
    "of",
    "and",
    "that",
    "which",
    "was",
    "had",
    "been",
    "in",
    "their",
    "its",
    "government",
    "history",
    "people",
    "however",
    "because",
    "after",
]
BAD = [
    "click",
    "here",
    "buy",
    "now",
    "free",
    "cart",
    "login",
    "|",
    "*",
    "»",
    "©",
    "cookies",
    "subscribe",
    "0",
    "1",
    "2",
    "price",
    "add",
    "view",
    "more",
]
OPTIONS = TrainOptions(grid=(1e-3, 1e-2))


def write(path: Path, words: list[str], *, rows: int = 60, seed: int = 0, domain: str | None = None) -> Path:
    rng = np.random.default_rng(seed)
    common = ["a", "to", "is", ",", "."]
    with path.open("w", encoding="utf-8") as file:
        for row in range(rows):
            chosen = rng.choice(words + common, rng.integers(5, 200))
            document = {"id": f"{path.stem}/{row}", "text": " ".join(chosen)}
            if domain:
                document["url"] = f"https://www.{domain.format(row // 2)}/page/{row}"
            file.write(json.dumps(document) + "\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    good = [write(tmp_path / f"good{number}.jsonl", GOOD, seed=number) for number in range(3)]
    return good, [write(tmp_path / "crawl.jsonl", BAD, rows=120, seed=9, domain="site{}.co.uk")]


def test_training_twice_gives_the_same_bytes(files: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(*files, tmp_path / name, OPTIONS)
    for name in ("model.json", "weights.npy", "metrics.json", "metrics.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_metrics_of_separable_sources(files: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    train(*files, tmp_path / "out", OPTIONS)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["auc"] > 0.99
    assert set(metrics["auc_by_source"]) == {"good0", "good1", "good2"}
    assert set(metrics["auc_unseen_source"]) == {"good0", "good1", "good2"}
    assert min(metrics["auc_unseen_source"].values()) > 0.99
    assert metrics["training"]["split_by"] == {
        "crawl": "group",
        "good0": "group",
        "good1": "group",
        "good2": "group",
    }
    assert set(metrics["keep_rate_by_source"]["crawl"]) >= {
        "none",
        "pareto(9)",
        "threshold(0.5)",
        "top_percent(10)",
    }
    strongest = [token for row in metrics["strongest_features"][:12] for token in row["tokens"]]
    assert set(strongest) <= {*GOOD, "a", "to", "is", ",", "."}
    scores = load_model(tmp_path / "out").score(pa.array([" ".join(GOOD * 3), " ".join(BAD * 3)]))
    assert scores[0] > 0.5 > scores[1]


def test_order_and_parts_of_the_input_change_no_sample(files: tuple[list[Path], list[Path]]) -> None:
    options = TrainOptions(documents_per_class=40, max_chars=150, pieces=3)
    whole = sample_documents(read_documents(files[0]), options)
    again = sample_documents(read_documents(reversed(files[0]), rows=7), options)
    assert whole.equals(again)
    assert whole.num_rows == 3 * 40
    assert max(map(len, whole["text"].to_pylist())) <= 150


def test_files_of_every_compression_are_read(files: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    plain = files[0][0].read_bytes()
    zipped, packed = tmp_path / "good0.jsonl.gz", tmp_path / "good0.jsonl.zst"
    zipped.write_bytes(gzip.compress(plain))
    packed.write_bytes(zstandard.compress(plain))
    tables = [pa.Table.from_batches(read_documents([path])) for path in (files[0][0], zipped, packed)]
    assert tables[0].schema == TRAINING_DOCUMENTS
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


def test_awkward_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    rows = [
        '{"id": "a", "text": "lone \\ud800 surrogate", "url": "http://A.b.Example.CO.UK:8/x"}',
        "",
        '{"id": "b", "text": null}',
        '{"text": "no id", "source": "mine"}',
        '{"id": 7, "text": "x", "url": "http://[::1", "group": ""}',
    ]
    path.write_text("\n".join(rows))
    found = pa.Table.from_batches(read_documents([path])).to_pylist()
    assert found == [
        {"id": "a", "text": "lone ? surrogate", "source": "odd", "group": "example.co.uk"},
        {"id": "odd.jsonl:4", "text": "no id", "source": "mine", "group": "mine\0odd.jsonl:4"},
        {"id": "7", "text": "x", "source": "odd", "group": "odd\x007"},
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", "a.jsonl: no document with text"),
        ("a.jsonl", b'{"id": "x"}\n{"id": "y", "text": " "}\n', "a.jsonl: no document with text"),
        (
            "a.jsonl",
            b'{"id": "x", "text": "t"}\nnonsense\n',
            "a.jsonl: line 2: not a JSON object: b'nonsense",
        ),
        ("a.jsonl", b"[1]\n", "a.jsonl: line 1: expected a JSON object, got list"),
        ("a.jsonl", b'{"text": 5}\n', "a.jsonl: line 1: `text` must be a string, got int"),
        ("a.jsonl.gz", b"no gzip", "a.jsonl.gz: cannot be read: Not a gzipped file"),
        ("a.jsonl.zst", b"no zstd", "a.jsonl.zst: cannot be read: "),
        ("a.jsonl", None, "a.jsonl: cannot be read: No such file"),
    ],
)
def test_an_unusable_file_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    other = write(tmp_path / "other.jsonl", GOOD)
    with pytest.raises(ClassifierError, match=message):
        train([tmp_path / name], [other], tmp_path / "out", OPTIONS)


def test_classes_that_cannot_be_told_apart_are_refused(
    files: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    good, crawl = files
    with pytest.raises(ClassifierError, match="given as positives and as negatives"):
        train(good, good[:1], tmp_path / "out", OPTIONS)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(good[0].read_bytes())
    with pytest.raises(ClassifierError, match="60 of 60 texts are positives and negatives"):
        train(good, [copy], tmp_path / "out", OPTIONS)
    with pytest.raises(ClassifierError, match="no files of negatives"):
        train(good, [], tmp_path / "out", OPTIONS)
    few = write(tmp_path / "few.jsonl", BAD, rows=2)
    with pytest.raises(ClassifierError, match="2 negatives with text; a classifier needs at least 4"):
        train(good, [few], tmp_path / "out", OPTIONS)
    sample = sample_documents(read_documents(crawl), OPTIONS)
    with pytest.raises(ClassifierError, match="source `books` of the positives gave no document"):
        train_on_samples(sample, sample, tmp_path / "out", OPTIONS, positive_sources=["books"])
    assert not (tmp_path / "out").exists()


def test_training_and_held_out_sets_share_no_domain(files: tuple[list[Path], list[Path]]) -> None:
    sample = sample_documents(read_documents(files[1]), OPTIONS)
    out, how = held_out(sample, share=0.2, seed=0)
    groups = np.array(sample["group"].to_pylist())
    assert how == {"crawl": "group"}
    assert not set(groups[out]) & set(groups[~out])
    assert len(set(groups[out])) == 12


def test_folds_leave_out_whole_sources() -> None:
    sources = ["a"] * 10 + ["b"] * 5 + ["crawl"] * 20
    labels = np.arange(35) < 15
    for fold in source_folds(sources, [str(row) for row in range(35)], labels, seed=0):
        left_out = {
            source for source, inside in zip(sources, fold.validation & labels, strict=True) if inside
        }
        trained = {source for source, inside in zip(sources, fold.training & labels, strict=True) if inside}
        assert len(left_out) == 1
        assert not left_out & trained


def test_large_groups_and_sources_weigh_less_by_the_row() -> None:
    labels = np.repeat([True, False], [5, 4])
    weights = row_weights(["a"] * 4 + ["b", *"cccc"], [*"wxyz", "b", "d", "d", "d", "e"], labels)
    assert weights[labels].sum() == pytest.approx(weights[~labels].sum())
    assert weights.mean() == pytest.approx(1)
    assert weights[4] / weights[0] == pytest.approx(2)  # source a has 4 rows
    assert weights[8] / weights[5] == pytest.approx(np.sqrt(3))  # group d has 3 rows


@pytest.mark.parametrize("quantise", [False, True])
def test_fasttext_has_the_same_interface(
    files: tuple[list[Path], list[Path]], tmp_path: Path, quantise: bool
) -> None:
    options = TrainOptions(
        kind="fasttext",
        fasttext=FastTextOptions(buckets=1 << 12, epochs=10, learning_rate=0.5, quantise=quantise),
    )
    first = train(*files, tmp_path / "one", options)
    assert first["auc"] > 0.95
    assert train(*files, tmp_path / "two", options)["fingerprint"] == first["fingerprint"]
    model = load_model(tmp_path / "one")
    assert isinstance(model, FastTextModel)
    texts = pa.array([" ".join(GOOD), " ".join(BAD), "", None, "a\nb\u2028c", "x" * 1_000_000], pa.string())
    scores = model.score(texts)
    assert scores.dtype == np.float32
    assert scores[0] > 0.5 > scores[1]
    assert [float(model.score(texts.slice(row, 1))[0]) for row in range(6)] == scores.tolist()
    data = tmp_path / "one" / ("model.ftz" if quantise else "model.bin")
    cut = data.read_bytes()[:-1]
    data.write_bytes(cut)
    with pytest.raises(ClassifierError, match="the file is damaged"):
        load_model(tmp_path / "one")
    # A description that fits does not make a file whole: fastText's own reader would go on with what memory held.
    save_fasttext(tmp_path / "forged", cut, style="light", quantised=quantise, training={})
    with pytest.raises(ClassifierError, match=r"model\.(bin|ftz): cut off"):
        load_model(tmp_path / "forged")


def test_a_page_shows_hostile_names_as_text(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    train(*files, tmp_path / "model", OPTIONS)
    rows = [{"id": str(row), "text": "<script>x</script> the", "source": "<img src=x>"} for row in range(5)]
    odd = tmp_path / "odd.jsonl"
    odd.write_text("\n".join(map(json.dumps, rows)))
    metrics = evaluate(tmp_path / "model", [odd], files[1], tmp_path / "judged")
    assert list(metrics["auc_by_source"]) == ["<img src=x>"]
    page = (tmp_path / "judged" / "metrics.html").read_text()
    assert "&lt;img src=x&gt;" in page
    assert "<img" not in page
    assert "<script" not in page
    assert "http" not in page


def test_real_sources_are_told_from_wordless_noise(tmp_path: Path) -> None:
    """A source never seen in training scores above pages of shuffled menu words, from real reference text."""
    news, snippets = shared("ref/webtext/abc_news_2006.jsonl.gz"), shared("ref/webtext/webtext63.jsonl.gz")
    crawl = write(tmp_path / "crawl.jsonl", BAD, rows=300, domain="site{}.com")
    train([news], [crawl], tmp_path / "out", TrainOptions(documents_per_class=300, grid=(1e-3, 1e-2)))
    metrics = evaluate(tmp_path / "out", [snippets], [crawl], tmp_path / "judged")
    assert metrics["auc_by_source"]["webtext63"] > 0.97

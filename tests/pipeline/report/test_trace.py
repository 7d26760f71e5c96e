"""A training sample leads back to the characters that it was made of."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mixtures.dataset import MixtureDataset
from pipeline.annotate.trained_text import read_texts, text_edits
from pipeline.cli.main import run
from pipeline.recipe import load_recipe
from pipeline.report.trace import trace_sample
from pipeline.tokenize.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def trained(dataset: Path) -> dict[tuple[str, str, int], str]:
    """Texts as they are trained on, by source, part and row."""
    root = load_recipe(dataset / "recipe.yaml").root
    texts = {}
    for source in root.sources:
        for part in sorted((dataset / "w/documents" / source).iterdir()):
            tables = [
                str(dataset / "w" / table / source / part.name) for table in ("documents", "annotations")
            ]
            for _, rows, some, _ in read_texts(tables, text_edits(root, source)):
                places = zip(rows.to_pylist(), some.to_pylist(), strict=True)
                texts |= {(source, part.stem, row): text for row, text in places}
    return texts


@pytest.mark.parametrize("mixture", ["both", "reading"])
def test_the_characters_of_a_sample_are_those_that_its_tokens_decode_to(dataset, trained, mixture):
    data = MixtureDataset(dataset / f"w/mixtures/{mixture}.json")
    tokenizer = load_tokenizer("gpt2")
    cut = 0
    for sample in range(0, len(data), 3):
        found = trace_sample(str(dataset / "w"), mixture, sample)
        pieces, expected = [], []
        for one in found["documents"]:
            text = trained[one["source"], one["part"], one["row"]]
            assert one["exact"]
            assert 0 <= one["first_char"] <= one["end_char"] <= len(text)
            piece = text[one["first_char"] : one["end_char"]]
            whole = one["text_begins"] + (one["text_ends"] and "|") + one["text_ends"]
            pieces.append((piece, one["end_token"] - one["first_token"]))
            if "�" not in whole:
                assert piece.startswith(one["text_begins"])
                assert piece.endswith(one["text_ends"] or one["text_begins"])
            else:
                cut += 1
            expected.append(text)
        assert sum(count for _, count in pieces) == data.mixture.sequence_length + 1
        decoded = tokenizer.decode(data[sample].tolist())
        if "�" not in decoded:
            assert "".join(piece for piece, _ in pieces) == decoded
    if mixture == "both":
        assert cut, "some sample should cut a character"


def test_neighbouring_windows_share_no_character_but_one_that_is_cut(dataset):
    data = MixtureDataset(dataset / "w/mixtures/reading.json")
    places = data.sampler.places(np.arange(data.sampler.windows[0], dtype=np.uint64))
    by_window = {int(window): g for g, window in enumerate(places.window)}
    before = None
    for window in range(len(by_window)):
        documents = trace_sample(str(dataset / "w"), "reading", by_window[window])["documents"]
        if before is not None:
            # Windows share one token: the last target is the next window's first input.
            assert documents[0]["document_id"] == before["document_id"]
            assert documents[0]["first_token"] == before["end_token"] - 1
            assert documents[0]["first_char"] <= before["end_char"]
        before = documents[-1]


def test_the_command_shows_where_a_sample_comes_from(dataset, capsys):
    assert run(["trace", str(dataset / "w"), "both", "5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert run(["trace", str(dataset / "w"), "both", "5"]) == 0
    shown = capsys.readouterr().out
    for one in told["documents"]:
        assert one["document_id"] in shown
        assert f"characters  {one['first_char']:,} to {one['end_char']:,}" in shown
        assert one["origin"]["file"].rpartition("/")[2] in shown
        line = (dataset / one["origin"]["file"].rpartition("/")[2]).read_bytes()[one["origin"]["offset"] :]
        assert json.loads(line.split(b"\n")[0])["id"] == one["document_id"]
    assert "@mail.example" not in shown


def test_documents_of_another_build_are_refused(dataset, tmp_path, capsys):
    workspace = Path(shutil.copytree(dataset / "w", tmp_path / "w"))
    for table in sorted((workspace / "documents/web").iterdir())[1:]:
        shutil.copy(workspace / "documents/web/part-00000.parquet", table)
    sample = next(
        g
        for g in range(99)
        if trace_sample(str(dataset / "w"), "both", g)["documents"][0]["part"] == "part-00001"
    )
    assert run(["trace", str(workspace), "both", str(sample)]) == 2
    assert "the documents are of another build than the shards" in capsys.readouterr().err


def test_a_sample_or_mixture_that_is_not_there_is_told(dataset, capsys):
    assert run(["trace", str(dataset / "w"), "none", "0"]) == 2
    assert "no mixture `none`; `crawlmix status" in capsys.readouterr().err
    assert run(["trace", str(dataset / "w"), "both", "-1"]) == 2

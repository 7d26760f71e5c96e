"""A tokenizer of one's own: the same texts give the same file."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.tokenize.encoder import Encoder
from pipeline.tokenize.train import draw, sampling_rates, train_tokenizer

TEXTS = [
    f"The {n}th page says: don't split café, 日本語 or x{n % 7} = y{n % 5};\n\n\tnext line {n * n * n} {chr(97 + n % 26) * 3}"
    for n in range(300)
]


def test_a_trained_tokenizer_is_complete_and_encodes_fast(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(TEXTS, tmp_path / "tokenizer.json", vocabulary_size=350)
    encoder = Encoder(tokenizer, TEXTS)
    assert (tokenizer.vocabulary_size, tokenizer.eos_id, encoder.engine) == (350, 349, "tiktoken")
    for text in (*TEXTS[:5], "никогда не видел", "\x00\U0010ffff", "<|endoftext|>"):
        assert tokenizer.decode(encoder.encode(text).tolist()) == text
        assert 349 not in encoder.encode(text)
    assert len(encoder.encode(TEXTS[0])) < len(TEXTS[0].encode()) / 2


def test_training_does_not_depend_on_hash_seed_or_threads(tmp_path: Path) -> None:
    expected = tmp_path / "here.json"
    train_tokenizer(TEXTS, expected, vocabulary_size=350)
    script = (
        "import sys; from pathlib import Path; from pipeline.tokenize.train import train_tokenizer; "
        "from tests.pipeline.tokenize.test_train import TEXTS; "
        "train_tokenizer(TEXTS, Path(sys.argv[1]), vocabulary_size=350)"
    )
    for seed, threads in (("1", "1"), ("2", "4")):
        path = tmp_path / f"{seed}.json"
        subprocess.run(
            [sys.executable, "-c", script, str(path)],
            check=True,
            timeout=60,
            cwd=Path(__file__).parents[3],
            env={"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads, "PATH": ""},
        )
        assert path.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    ("texts", "size", "message"),
    [
        (TEXTS, 256, "a vocabulary of 256 ids; expected 257 to"),
        ([], 300, "no text to train"),
        ([""], 300, "no text to train"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path: Path, texts: list[str], size: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train_tokenizer(texts, tmp_path / "t.json", vocabulary_size=size)


def test_a_sample_has_the_weights_of_the_mixture() -> None:
    rates = sampling_rates({"web": 10_000, "wiki": 1_000}, {"web": 3, "wiki": 1}, budget_bytes=2_000)
    assert rates == {"web": 0.15, "wiki": 0.5}
    assert sampling_rates({"web": 10, "wiki": 10}, {"web": 1, "wiki": 1}, budget_bytes=1_000)["web"] == 1.0


def test_a_drawn_document_does_not_depend_on_the_others() -> None:
    documents = [(f"d{n}", f"text {n}") for n in range(2000)]
    drawn = list(draw(documents, rate=0.3, seed=1))
    assert len(drawn) == pytest.approx(600, abs=4 * (2000 * 0.3 * 0.7) ** 0.5)
    assert list(draw(documents[1000:], rate=0.3, seed=1)) == [
        text for text in drawn if int(text.split()[1]) >= 1000
    ]

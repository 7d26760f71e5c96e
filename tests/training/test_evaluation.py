import gzip
import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.evaluation import Reader, Score, evaluate, normalise
from training.scoring import Likelihood, Request, likelihoods, split_tokens
from training.tasks import Task, context_of, few_shot, read_examples

EOS = 0


class Bigrams(nn.Module):
    """A model whose next token depends on the last one alone: log probabilities are a table."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


def encode(text: str) -> list[int]:
    return list(text.encode())


def decode(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


@pytest.fixture
def model() -> Bigrams:
    return Bigrams(torch.randn(256, 256, generator=torch.Generator().manual_seed(0)))


def reader(model: Bigrams) -> Reader:
    return Reader(model, context=200, eos_id=EOS, encode=encode, decode=decode)


def by_hand(model: Bigrams, text: str, completion: str) -> float:
    log = torch.log_softmax(model.table.detach(), dim=-1)
    ids = encode(text + completion)
    first = len(encode(text))
    return sum(float(log[ids[n - 1], ids[n]]) for n in range(first, len(ids)))


def task(tmp_path: Path, rows: list[dict[str, object]], **changes: object) -> Task:
    with gzip.open(tmp_path / "data.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    raw = {
        "kind": "multiple_choice",
        "data": "data.jsonl.gz",
        "prompt": "Q: {question}\nA:",
        "answer": "label",
    }
    raw |= {"choices": "options"} if changes.get("kind", "multiple_choice") == "multiple_choice" else {}
    return Task.from_dict(raw | changes, file=tmp_path / "quiz.yaml")


ROWS = [
    {"id": f"q{n}", "question": f"what is {n}", "options": ["one", "two hundred", "x"], "label": n % 3}
    for n in range(12)
]


def test_likelihoods_are_those_computed_by_hand_in_any_order(model: Bigrams) -> None:
    pairs = [("abc", " de"), ("a", "b"), ("the end of it", "!"), ("a", "b")]
    found = likelihoods(model, [split_tokens(encode, *pair, eos_id=EOS) for pair in pairs], context=64)
    for one, pair in zip(found, pairs, strict=True):
        assert one.log == pytest.approx(by_hand(model, *pair), abs=1e-4)
        assert one.tokens == len(pair[1])
    assert found[1] == found[3]


def test_long_contexts_lose_their_beginning(model: Bigrams) -> None:
    request = Request(tuple(encode("x" * 500 + "ab")), tuple(encode("cd")))
    (found,) = likelihoods(model, [request], context=16)
    assert found.log == pytest.approx(by_hand(model, "ab", "cd"), abs=1e-4)
    with pytest.raises(TrainingError, match="3 tokens does not fit the context of 2"):
        likelihoods(model, [Request((1,), (1, 2, 3))], context=2)


def test_spaces_at_the_border_belong_to_the_completion() -> None:
    assert split_tokens(encode, "A: ", "b", eos_id=EOS) == Request(tuple(b"A:"), tuple(b" b"))
    assert split_tokens(encode, "", "b", eos_id=EOS) == Request((EOS,), tuple(b"b"))


def test_normalisations_are_those_of_the_paper() -> None:
    after = [Likelihood(-6.0, 3, greedy=False), Likelihood(-4.0, 1, greedy=False)]
    plain = [Likelihood(-9.0, 3, greedy=False), Likelihood(-4.5, 1, greedy=False)]
    assert normalise(after, None, "none") == [-6.0, -4.0]
    assert normalise(after, None, "per_token") == [-2.0, -4.0]
    assert normalise(after, plain, "answer_context") == [3.0, 0.5]


@pytest.mark.parametrize("how", ["per_token", "answer_context", "none"])
def test_multiple_choice_takes_the_best_choice(model: Bigrams, tmp_path: Path, how: str) -> None:
    quiz = task(tmp_path, ROWS, normalisation=how)
    right = 0
    for row in ROWS:
        scores = []
        for choice in ROWS[0]["options"]:
            log = by_hand(model, f"Q: {row['question']}\nA:", f" {choice}")
            if how == "per_token":
                log /= len(choice) + 1
            elif how == "answer_context":
                log -= by_hand(model, "Answer:", f" {choice}")
            scores.append(log)
        right += scores.index(max(scores)) == row["label"]
    assert evaluate(reader(model), quiz, shots=0).all == Score(right, 12)


def test_clean_examples_are_scored_apart(model: Bigrams, tmp_path: Path) -> None:
    result = evaluate(reader(model), task(tmp_path, ROWS), shots=1, clean_ids={"q1", "q4", "q7", "elsewhere"})
    assert result.clean is not None
    assert (result.all.examples, result.clean.examples) == (12, 3)
    assert result.to_dict()["task"] == "quiz"


def test_cloze_asks_for_every_token_of_the_answer(tmp_path: Path) -> None:
    table = torch.zeros(256, 256)
    for one, other in zip(b"n ca", b" cat", strict=True):
        table[one, other] = 5.0
    rows = [{"id": 1, "text": "on", "word": "cat"}, {"id": 2, "text": "on", "word": "cab"}]
    words = task(tmp_path, rows, kind="cloze", prompt="{text}", answer="word")
    assert evaluate(reader(Bigrams(table)), words, shots=0).all == Score(1, 2)


def test_exact_match_reads_to_the_end_of_the_line(tmp_path: Path) -> None:
    table = torch.full((256, 256), -5.0)
    for one, other in zip(b": 4\n", b" 4\n?", strict=True):
        table[one, other] = 5.0
    rows = [{"id": 1, "sum": "2+2", "result": ["5", "4"]}, {"id": 2, "sum": "2+3", "result": "5"}]
    sums = task(tmp_path, rows, kind="exact_match", prompt="{sum}:", answer="result", max_tokens=6)
    assert evaluate(reader(Bigrams(table)), sums, shots=0).all == Score(1, 2)


def test_shots_are_drawn_by_the_seed_and_never_hold_the_question(tmp_path: Path) -> None:
    quiz = task(tmp_path, ROWS)
    pool = read_examples(quiz, quiz.data)
    drawn = few_shot(quiz, pool, pool[3], shots=4, seed=1)
    assert drawn == few_shot(quiz, pool[::-1], pool[3], shots=4, seed=1)
    assert pool[3] not in few_shot(quiz, pool, pool[3], shots=11, seed=1)
    assert drawn != few_shot(quiz, pool, pool[3], shots=4, seed=2)
    text = context_of(quiz, pool[3], drawn[:1])
    assert text == f"{drawn[0].prompt} {drawn[0].choices[drawn[0].right]}\n\nQ: what is 3\nA:"
    with pytest.raises(TrainingError, match="12 examples asked for, there are 11"):
        few_shot(quiz, pool, pool[3], shots=12, seed=1)


def test_the_standard_error_is_that_of_a_mean() -> None:
    assert Score(30, 100).standard_error == pytest.approx(math.sqrt(0.3 * 0.7 / 99))
    assert Score(1, 1).standard_error is None
    assert Score(0, 0).accuracy is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kidn": "cloze"}, "unknown key `kidn`; did you mean `kind`"),
        ({"kind": "essay"}, "kind `essay`; expected one of"),
        ({"normalisation": "bytes"}, "normalisation `bytes`"),
        ({"kind": "cloze", "choices": "options"}, "`choices` belongs to multiple_choice"),
        ({"answer": 3}, "`answer` is missing or no text"),
    ],
)
def test_a_wrong_task_file_is_explained(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        task(tmp_path, ROWS, **changes)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "?", "options": ["a", "b"]}, "line 1: no field `label`"),
        ({"question": "?", "options": ["a", "b"], "label": 2}, "line 1: answer 2 is none of the 2 choices"),
        ({"options": ["a", "b"], "label": 0}, "line 1: no field `question`"),
        ({"question": "?", "options": "a", "label": 0}, "must be a list of two choices"),
    ],
)
def test_a_wrong_example_is_named_by_its_line(
    model: Bigrams, tmp_path: Path, row: dict[str, object], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        evaluate(reader(model), task(tmp_path, [row]), shots=0)

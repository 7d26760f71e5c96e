"""Zero-, one- and few-shot scores as in GPT-3's paper, each with its standard error, all and clean examples."""

import math
import string
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from training.beam import beam_search
from training.errors import TrainingError
from training.scoring import Encode, Likelihood, Request, likelihoods, split_tokens
from training.tasks import Example, Task, context_of, few_shot, read_examples


@dataclass(frozen=True, slots=True)
class Score:
    """A share of right answers."""

    right: float
    examples: int

    @property
    def accuracy(self) -> float | None:
        """0 to 1; None without examples."""
        return self.right / self.examples if self.examples else None

    @property
    def standard_error(self) -> float | None:
        """Of the accuracy, as a mean of n values 0 or 1, with n - 1 in the variance; None for less than two."""
        if self.examples < 2 or self.accuracy is None:
            return None
        return math.sqrt(self.accuracy * (1 - self.accuracy) / (self.examples - 1))


@dataclass(frozen=True, slots=True)
class Result:
    """What a task gave."""

    task: str
    shots: int
    all: Score
    clean: Score | None  # examples that decontamination found clean; None if it did not look at this task

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        out: dict[str, object] = {"task": self.task, "shots": self.shots}
        for name, score in (("all", self.all), ("clean", self.clean)):
            out[name] = None if score is None else {
                "accuracy": score.accuracy, "standard_error": score.standard_error, "examples": score.examples
            }  # fmt: skip
        return out


@dataclass(frozen=True, slots=True)
class Reader:
    """A model that is examined, and its tokenizer."""

    model: nn.Module
    context: int
    eos_id: int
    encode: Encode
    decode: Callable[[list[int]], str]


def evaluate(
    reader: Reader,
    task: Task,
    *,
    shots: int,
    seed: int = 0,
    limit: int | None = None,
    clean_ids: Collection[str] | None = None,
) -> Result:
    """Score a model on a task.

    Args:
        reader: the model.
        task: what to ask.
        shots: solved examples before each question.
        seed: of the draw of these.
        limit: read only so many examples.
        clean_ids: ids that decontamination found clean.

    Raises:
        TrainingError: the data is not usable.
    """
    asked = read_examples(task, task.data, limit=limit)
    pool = read_examples(task, task.train or task.data) if shots else []
    contexts = [context_of(task, one, few_shot(task, pool, one, shots=shots, seed=seed)) for one in asked]
    judge = {"multiple_choice": _multiple_choice, "cloze": _cloze, "exact_match": _exact_match}[task.kind]
    right = judge(reader, task, asked, contexts)
    clean = None
    if clean_ids is not None:
        kept = [hit for one, hit in zip(asked, right, strict=True) if one.id in clean_ids]
        clean = Score(sum(kept), len(kept))
    return Result(task.name, shots, Score(sum(right), len(right)), clean)


def normalise(scores: Sequence[Likelihood], plain: Sequence[Likelihood] | None, how: str) -> list[float]:
    """Scores of the choices of one question, the larger the better.

    Args:
        scores: of each choice after the question.
        plain: of each choice after the answer context alone; for `answer_context`.
        how: see `Task`.
    """
    if how == "per_token":
        return [one.log / one.tokens for one in scores]
    if how == "answer_context":
        if plain is None:
            raise TrainingError("normalisation by the answer context needs likelihoods without the question")
        return [one.log - base.log for one, base in zip(scores, plain, strict=True)]
    return [one.log for one in scores]


def _multiple_choice(reader: Reader, task: Task, asked: list[Example], contexts: list[str]) -> list[bool]:
    def request(context: str, choice: str) -> Request:
        return split_tokens(reader.encode, context, task.joint + choice, eos_id=reader.eos_id)

    questions = [
        request(text, choice) for one, text in zip(asked, contexts, strict=True) for choice in one.choices
    ]
    scores = iter(likelihoods(reader.model, questions, context=reader.context))
    plain = None
    if task.normalisation == "answer_context":
        bare = [request(task.answer_context, choice) for one in asked for choice in one.choices]
        plain = iter(likelihoods(reader.model, bare, context=reader.context))
    right = []
    for one in asked:
        mine = [next(scores) for _ in one.choices]
        base = None if plain is None else [next(plain) for _ in one.choices]
        found = normalise(mine, base, task.normalisation)
        right.append(found.index(max(found)) == one.right)
    return right


def _cloze(reader: Reader, task: Task, asked: list[Example], contexts: list[str]) -> list[bool]:
    requests = [
        split_tokens(reader.encode, text, task.joint + one.answers[0], eos_id=reader.eos_id)
        for one, text in zip(asked, contexts, strict=True)
    ]
    return [found.greedy for found in likelihoods(reader.model, requests, context=reader.context)]


def _exact_match(reader: Reader, task: Task, asked: list[Example], contexts: list[str]) -> list[bool]:
    right = []
    for one, text in zip(asked, contexts, strict=True):
        prompt = reader.encode(text.rstrip(" ")) or [reader.eos_id]
        room = reader.context - task.max_tokens
        ids = beam_search(
            reader.model,
            prompt[-room:] if room > 0 else prompt,
            tokens=task.max_tokens,
            context=reader.context,
            beams=task.beams,
            length_penalty=task.length_penalty,
            ends=partial(_ends, reader, task),
        )
        answer = reader.decode([token for token in ids if token != reader.eos_id])
        given = answer.removeprefix(task.joint)
        given = given if task.stop is None else given.split(task.stop)[0]
        right.append(_plain(given) in {_plain(truth) for truth in one.answers})
    return right


def _ends(reader: Reader, task: Task, ids: Sequence[int]) -> bool:
    if ids[-1] == reader.eos_id:
        return True
    return task.stop is not None and task.stop in reader.decode(list(ids)).removeprefix(task.joint)


def _plain(text: str) -> str:
    """Lower case, without punctuation, articles and double spaces, as question answering is scored."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(word for word in kept.split() if word not in {"a", "an", "the"})

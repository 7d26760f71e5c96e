"""Evaluation tasks: what a YAML file says, and how examples become text (Brown et al. 2020, section 2.4, appendix G)."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from training.errors import TrainingError

KINDS = ("multiple_choice", "cloze", "exact_match")
NORMALISATIONS = ("per_token", "answer_context", "none")
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Args:
        name: of the task.
        kind: `multiple_choice` picks the likeliest completion; `cloze` asks whether the last word is predicted, as
            LAMBADA does; `exact_match` generates.
        data: JSONL with the examples, `.gz` or plain, relative to the task's file.
        prompt: text with `{field}` for the fields of an example.
        answer: field with the answer: the number of the right choice (or its letter, or its text), or the text. A
            list holds all right answers of `exact_match`.
        choices: field with the list of choices, or a list of texts with `{field}`.
        train: JSONL that few-shot examples are drawn from; `data` itself, without the example asked, if missing.
        normalisation: of the log-likelihoods of choices. `per_token` divides by the number of tokens;
            `answer_context` takes P(choice | prompt) / P(choice | answer_context), GPT-3's way for ARC, OpenBookQA
            and RACE.
        answer_context: the context without the question.
        joint: what stands between prompt and answer.
        separator: between examples.
        benchmark: name in `clean_ids.json`; the task's own by default.
        id: field with the example's id; its number in the file if missing.
        stop: text that ends a generated answer; null for none.
        max_tokens: of a generated answer.
        beams, length_penalty: of the search for a generated answer; the paper's are 4 and 0.6.
    """

    name: str
    kind: str
    data: Path
    prompt: str
    answer: str
    choices: str | tuple[str, ...] | None = None
    train: Path | None = None
    normalisation: str = "per_token"
    answer_context: str = "Answer:"
    joint: str = " "
    separator: str = "\n\n"
    benchmark: str | None = None
    id: str = "id"
    stop: str | None = "\n"
    max_tokens: int = 32
    beams: int = 4
    length_penalty: float = 0.6

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], *, file: Path) -> Self:
        """Check what a task file says.

        Raises:
            TrainingError: a key is unknown, missing or of the wrong kind; names the nearest.
        """
        known = [item.name for item in fields(cls)]
        for key in raw:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
                raise TrainingError(f"{file}: unknown key `{key}`; {hint}")
        for key in ("kind", "data", "prompt", "answer"):
            if not isinstance(raw.get(key), str):
                raise TrainingError(f"{file}: `{key}` is missing or no text")
        values = dict(raw)
        values.setdefault("name", file.stem)
        for key in ("data", "train"):
            if values.get(key) is not None:
                values[key] = file.parent / str(values[key])
        if isinstance(values.get("choices"), list):
            values["choices"] = tuple(str(choice) for choice in values["choices"])
        _check_values(values, file)
        task = cls(**values)
        if task.kind not in KINDS:
            raise TrainingError(f"{file}: kind `{task.kind}`; expected one of {', '.join(KINDS)}")
        if task.normalisation not in NORMALISATIONS:
            raise TrainingError(
                f"{file}: normalisation `{task.normalisation}`; expected one of {', '.join(NORMALISATIONS)}"
            )
        if (task.kind == "multiple_choice") != (task.choices is not None):
            raise TrainingError(f"{file}: `choices` belongs to multiple_choice, and that needs it")
        return task


def _check_values(values: Mapping[str, Any], file: Path) -> None:
    for key in ("name", "normalisation", "answer_context", "joint", "separator", "benchmark", "id", "stop"):
        if key in values and not isinstance(values[key], str) and not (key == "stop" and values[key] is None):
            raise TrainingError(f"{file}: `{key}` is {values[key]!r}; expected text")
    if not isinstance(values.get("choices"), str | tuple | None):
        raise TrainingError(
            f"{file}: `choices` is {values['choices']!r}; expected a field's name or a list of texts"
        )
    for key in ("max_tokens", "beams"):
        found = values.get(key, 1)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise TrainingError(f"{file}: `{key}` is {found!r}; expected a whole number, 1 or more")
    penalty = values.get("length_penalty", 0)
    if not isinstance(penalty, int | float) or isinstance(penalty, bool) or not 0 <= penalty <= 10:
        raise TrainingError(f"{file}: `length_penalty` is {penalty!r}; expected a number from 0 to 10")


@dataclass(frozen=True, slots=True)
class Example:
    """One example in text."""

    id: str
    prompt: str
    choices: tuple[str, ...]  # empty unless multiple_choice
    right: int  # which choice
    answers: tuple[str, ...]  # right answers in text; the first is shown in few-shot examples


def read_examples(task: Task, path: Path, *, limit: int | None = None) -> list[Example]:
    """Read and fill in the examples of a file.

    Raises:
        TrainingError: the file is missing, no JSONL, or an example lacks a field; names file and line.
    """
    found = []
    for number, raw in enumerate(_read_jsonl(path)):
        if limit is not None and number >= limit:
            break
        found.append(_example(task, raw, f"{path}: line {number + 1}", str(raw.get(task.id, number))))
    if not found:
        raise TrainingError(f"{path}: task `{task.name}` has no example in it")
    return found


def few_shot(task: Task, pool: list[Example], asked: Example, *, shots: int, seed: int) -> list[Example]:
    """Draw examples to stand before the one asked, by a hash of (seed, task, both ids): no order or batch matters.

    Raises:
        TrainingError: there are not so many.
    """
    others = [example for example in pool if example != asked]
    if shots > len(others):
        raise TrainingError(f"task `{task.name}`: {shots} examples asked for, there are {len(others)}")

    def draw(example: Example) -> bytes:
        key = f"{seed}/{task.name}/{asked.id}/{example.id}"
        return hashlib.blake2b(key.encode(), digest_size=8).digest()

    return sorted(others, key=draw)[:shots] if shots else []


def context_of(task: Task, asked: Example, examples: list[Example]) -> str:
    """The text before the answer: solved examples, then the prompt."""
    solved = [example.prompt + task.joint + example.answers[0] + task.separator for example in examples]
    return "".join(solved) + asked.prompt


def _example(task: Task, raw: Mapping[str, Any], place: str, name: str) -> Example:
    def fill(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] not in raw:
                raise TrainingError(f"{place}: no field `{match[1]}`; there are {', '.join(map(str, raw))}")
            return str(raw[match[1]])

        return _FIELD.sub(value, text)

    if task.answer not in raw:
        raise TrainingError(f"{place}: no field `{task.answer}`; there are {', '.join(map(str, raw))}")
    answer = raw[task.answer]
    prompt = fill(task.prompt)
    if task.kind != "multiple_choice":
        answers = tuple(str(one) for one in (answer if isinstance(answer, list) else [answer]))
        return Example(name, prompt, (), 0, answers)
    listed = (
        raw.get(task.choices)
        if isinstance(task.choices, str)
        else [fill(text) for text in task.choices or ()]
    )
    if not isinstance(listed, list) or len(listed) < 2:
        raise TrainingError(f"{place}: `{task.choices}` must be a list of two choices or more")
    choices = tuple(str(choice) for choice in listed)
    right = _which(answer, choices)
    if right is None:
        raise TrainingError(f"{place}: answer {answer!r} is none of the {len(choices)} choices")
    return Example(name, prompt, choices, right, (choices[right],))


def _which(answer: Any, choices: tuple[str, ...]) -> int | None:
    if isinstance(answer, bool):
        answer = int(answer)
    if isinstance(answer, int):
        return answer if 0 <= answer < len(choices) else None
    text = str(answer)
    if text in choices:
        return choices.index(text)
    if text.isdecimal() and int(text) < len(choices):
        return int(text)
    letter = ord(text) - ord("A") if len(text) == 1 else -1
    return letter if 0 <= letter < len(choices) else None


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream):
                if not line.strip():
                    continue
                raw = json.loads(line)
                if not isinstance(raw, dict):
                    raise TrainingError(f"{path}: line {number + 1} is no JSON object")
                yield raw
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: not JSON lines: {error}") from error

"""Log-likelihoods of completions under a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from training.errors import TrainingError

Encode = Callable[[str], list[int]]
_BATCH_TOKENS = 8_192


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a completion is after a context."""

    log: float  # sum over its tokens, in nats
    tokens: int
    greedy: bool  # each of its tokens was the likeliest


@dataclass(frozen=True, slots=True)
class Request:
    """A completion whose likelihood is asked."""

    context: tuple[int, ...]
    completion: tuple[int, ...]


def split_tokens(encode: Encode, context: str, completion: str, *, eos_id: int) -> Request:
    """Tokens of context and completion; spaces at the border belong to the completion, where GPT-2's tokens have them.

    An empty context becomes the end-of-text token.
    """
    kept = context.rstrip(" ")
    completion = context[len(kept) :] + completion
    head = encode(kept) or [eos_id]
    tail = encode(completion)
    if not tail:
        raise TrainingError("an empty completion has no likelihood; every choice needs a text")
    return Request(tuple(head), tuple(tail))


@torch.no_grad()
def likelihoods(model: nn.Module, requests: Sequence[Request], *, context: int) -> list[Likelihood]:
    """Likelihoods in the order of the requests; each distinct one is computed once.

    Contexts that are too long lose their beginning.

    Args:
        model: gives logits, (batch, positions, vocabulary).
        requests: what is asked.
        context: positions of the model.
    """
    device = next(model.parameters()).device
    distinct = sorted(
        set(requests), key=lambda one: (-len(one.context) - len(one.completion), one.context, one.completion)
    )
    found: dict[Request, Likelihood] = {}
    begin = 0
    while begin < len(distinct):
        longest = min(len(distinct[begin].context) + len(distinct[begin].completion) - 1, context)
        batch = distinct[begin : begin + max(1, _BATCH_TOKENS // longest)]
        begin += len(batch)
        rows = []
        for one in batch:
            if len(one.completion) > context:
                raise TrainingError(
                    f"a completion of {len(one.completion)} tokens does not fit the context of {context}"
                )
            rows.append((one.context + one.completion)[-(context + 1) :])
        padded = torch.zeros(len(rows), longest, dtype=torch.long)
        for number, row in enumerate(rows):
            padded[number, : len(row) - 1] = torch.tensor(row[:-1])
        logits = model(padded.to(device))
        for number, (one, row) in enumerate(zip(batch, rows, strict=True)):
            count = len(one.completion)
            wanted = torch.tensor(row[-count:], device=device)
            scores = torch.log_softmax(logits[number, len(row) - 1 - count : len(row) - 1].float(), dim=-1)
            picked = scores.gather(1, wanted[:, None])[:, 0]
            found[one] = Likelihood(
                float(picked.double().sum()), count, bool((scores.argmax(1) == wanted).all())
            )
    return [found[one] for one in requests]

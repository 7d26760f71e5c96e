"""Continues token sequences."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn


@torch.no_grad()
def generate(
    model: nn.Module,
    prompt: Sequence[int],
    *,
    tokens: int,
    context: int,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    eos_id: int | None = None,
    fixed_length: bool = False,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> list[int]:
    """Continue a prompt; the same arguments give the same tokens.

    Args:
        model: gives (1, positions, vocabulary) logits of (1, positions) ids.
        prompt: ids, at least one.
        tokens: how many to add, at most.
        context: positions that the model sees; older ones are dropped.
        seed: of the draws.
        temperature: 0 always takes the likeliest token.
        top_k: draw among so many likeliest tokens only.
        eos_id: stop after this id.
        fixed_length: always run the model on `context` positions, so that compiled code fits.
        autocast: context in which the model runs.
    """
    device = next(model.parameters()).device
    draw = torch.Generator().manual_seed(seed)
    was_training = model.training
    model.eval()
    ids = list(prompt)
    for _ in range(tokens):
        seen = ids[-context:]
        last = len(seen) - 1
        if fixed_length:
            seen = seen + [0] * (context - len(seen))  # what comes later is invisible to a causal model
        with autocast():
            logits = model(torch.tensor([seen], device=device))[0, last].float().cpu()
        ids.append(_pick(logits, draw, temperature, top_k))
        if ids[-1] == eos_id:
            break
    model.train(was_training)
    return ids[len(prompt) :]


def _pick(logits: torch.Tensor, draw: torch.Generator, temperature: float, top_k: int | None) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        limit = torch.topk(logits, top_k).values[-1]
        logits = logits.masked_fill(logits < limit, float("-inf"))
    return int(torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=draw))

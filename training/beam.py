"""Beam search: the likeliest continuation that a bounded search finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class _Path:
    log: float  # likelihood, in nats
    ids: tuple[int, ...]


@torch.no_grad()
def beam_search(
    model: nn.Module,
    prompt: Sequence[int],
    *,
    tokens: int,
    context: int,
    beams: int,
    length_penalty: float,
    ends: Callable[[Sequence[int]], bool],
) -> list[int]:
    """Continue a prompt with the best of the continuations that `beams` paths lead to.

    A continuation of n tokens is worth log P / ((5 + n) / 6) ** length_penalty (Wu et al. 2016, equation 14).

    Args:
        model: gives (batch, positions, vocabulary) logits of (batch, positions) ids.
        prompt: ids, at least one.
        tokens: how many to add, at most.
        context: positions that the model sees; older ones are dropped.
        beams: paths kept at each step; 1 always takes the likeliest token.
        length_penalty: 0 prefers short continuations, larger values longer ones. GPT-3's paper: 4 beams, 0.6.
        ends: whether a continuation is finished by its last token.
    """

    def worth(log: float, length: int) -> float:
        return log / ((5 + length) / 6) ** length_penalty

    device = next(model.parameters()).device
    live, best, best_worth = [_Path(0.0, ())], _Path(0.0, ()), float("-inf")
    for length in range(1, tokens + 1):
        rows = torch.tensor([[*prompt, *path.ids][-context:] for path in live], device=device)
        scores = torch.log_softmax(model(rows)[:, -1].float(), dim=-1).cpu().double()
        scores += torch.tensor([[path.log] for path in live], dtype=torch.float64)
        # Twice as many as stay: at most half of them, one of each path, end with one and the same token.
        found, places = scores.flatten().topk(min(2 * beams, scores.numel()))
        width = scores.shape[1]
        grown = [
            _Path(log, (*live[place // width].ids, place % width))
            for log, place in zip(found.tolist(), places.tolist(), strict=True)
        ]
        live = []
        for rank, path in enumerate(grown):
            finished = length == tokens or ends(path.ids)
            if finished and rank < beams and worth(path.log, length) > best_worth:
                best, best_worth = path, worth(path.log, length)
            elif not finished and len(live) < beams:
                live.append(path)
        # No path can become better than its likelihood at the greatest length.
        if not live or worth(live[0].log, tokens) <= best_worth:
            break
    return list(best.ids)

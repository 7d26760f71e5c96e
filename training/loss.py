"""Cross-entropy of a tied output layer, without ever holding the logits of a whole batch."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_BYTES = 512 << 20  # of float32 logits held at once on a GPU
_TINY = 1e-30  # probabilities below lose digits in float32
CPU_CHUNK_BYTES = 64 << 20


@lru_cache(maxsize=2)
def _buffers(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Memory that stays from step to step: taking it anew costs as much as the softmax."""
    return torch.empty(rows, columns), torch.empty(rows, columns)


class _Chunks:
    """Computes chunk after chunk in the same two buffers."""

    def __init__(self, rows: int, columns: int) -> None:
        self._logits, self._slope = _buffers(rows, columns)

    def __call__(
        self, part: Tensor, matrix: Tensor, target: Tensor, vocabulary: int
    ) -> tuple[Tensor, Tensor]:
        """Sum of the losses and their gradient by the logits, (rows, padded vocabulary)."""
        logits = torch.mm(part, matrix.T, out=self._logits[: len(part)])
        logits[:, vocabulary:] = float("-inf")  # rows that only pad the embedding are no tokens
        slope = torch.softmax(logits, dim=1, out=self._slope[: len(part)])
        score, share = logits.gather(1, target), slope.gather(1, target)
        if bool(
            (share < _TINY).any()
        ):  # then the likeliest token tells the normaliser: its share is never small
            score, share = logits.amax(1, keepdim=True), slope.amax(1, keepdim=True)
        norm = score - share.log()
        loss = (norm - logits.gather(1, target)).sum()
        slope.scatter_add_(1, target, torch.full_like(norm, -1.0))
        return loss, slope


def _loss_and_slope(logits: Tensor, target: Tensor, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Loss and slope of (rows, padded vocabulary) logits and (rows, 1) targets, without writing in place."""
    column = torch.arange(logits.shape[1], device=logits.device)
    masked = torch.where(column < vocabulary, logits.float(), float("-inf"))
    norm = torch.logsumexp(masked, dim=1, keepdim=True)
    loss = (norm - masked.gather(1, target)).sum()
    slope = torch.exp(masked - norm) - (column == target).float()
    return loss, slope.to(logits.dtype)


@lru_cache(maxsize=1)
def _compiled() -> Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]:
    found: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]] = torch.compile(
        _loss_and_slope, dynamic=False
    )
    return found


class _Whole:
    """The same in any type, sums in float32; compiled, all between the matrix products becomes one kernel."""

    def __init__(self, *, fuse: bool) -> None:
        self._judge = _compiled() if fuse else _loss_and_slope

    def __call__(
        self, part: Tensor, matrix: Tensor, target: Tensor, vocabulary: int
    ) -> tuple[Tensor, Tensor]:
        """As `_Chunks`; the slope comes in the type of the logits."""
        return self._judge(part @ matrix.T, target, vocabulary)


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum over rows of -log softmax(hidden @ weight.T)[target].

    The gradients are computed with the loss, chunk by chunk: three matrix products as always, no second pass, and
    memory for one chunk instead of rows x vocabulary.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        vocabulary: int,
        fuse: bool,  # noqa: FBT001  autograd functions take no keywords
    ) -> Tensor:
        wanted = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        matrix = weight.to(hidden.dtype)
        limit = CHUNK_BYTES if hidden.is_cuda else CPU_CHUNK_BYTES
        rows = min(len(hidden), max(1, limit // (4 * len(weight))))
        judge = _Whole(fuse=fuse) if fuse or hidden.dtype != torch.float32 else _Chunks(rows, len(weight))
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        if wanted:
            grad_hidden = torch.empty_like(hidden)
            grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for begin in range(0, len(hidden), rows):
            part, target = hidden[begin : begin + rows], targets[begin : begin + rows, None]
            loss, slope = judge(part, matrix, target, vocabulary)
            total += loss
            if wanted:
                slope = slope.to(part.dtype)
                torch.mm(slope, matrix, out=grad_hidden[begin : begin + rows])
                if slope.dtype == torch.float32:
                    grad_weight.addmm_(slope.T, part)
                else:
                    grad_weight += slope.T @ part
        if wanted:
            ctx.save_for_backward(grad_hidden, grad_weight)
            ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        by_weight = grad_weight.mul_(grad).to(ctx.weight_dtype)
        return grad_hidden * grad.to(grad_hidden.dtype), by_weight, None, None, None


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, vocabulary: int, fuse: bool = False
) -> Tensor:
    """Sum of the losses in nats, a float32 scalar.

    Args:
        hidden: (n, width); its type is that of the matrix products, sums are float32.
        weight: (padded vocabulary, width); rows from `vocabulary` on cannot be predicted.
        targets: (n,) int64.
        vocabulary: number of real tokens.
        fuse: compile what lies between the matrix products.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        total: Tensor = _LinearCrossEntropy.apply(hidden, weight, targets, vocabulary, fuse)
    return total

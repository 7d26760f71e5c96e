"""Causal attention, dense or banded: several kernels, one meaning.

Shapes: queries, keys and values are (batch, heads, positions, head width). A position i sees key j iff
0 <= i - j < window (no upper bound if the window is None) and, where `documents` is given, both lie in the same
document. `documents` is (batch, positions), any integers that differ between neighbouring documents.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Kernel = Callable[[Tensor, Tensor, Tensor, int | None, Tensor | None], Tensor]

_RACE_ROUNDS = 5


def visible(positions: int, window: int | None, device: torch.device) -> Tensor:
    """Which keys each position sees: (positions, positions) bool."""
    index = torch.arange(positions, device=device)
    distance = index[:, None] - index[None, :]
    seen = distance >= 0
    return seen if window is None else seen & (distance < window)


def reference(
    query: Tensor, key: Tensor, value: Tensor, window: int | None, documents: Tensor | None
) -> Tensor:
    """The definition, written out: what the other kernels are tested against."""
    positions = query.shape[-2]
    mask = visible(positions, window, query.device)
    if documents is not None:
        mask = mask & (documents[:, None, :, None] == documents[:, None, None, :])
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1) @ value


# The compiler looks through caches and warns of them; what it compiles makes its masks itself.
_band = lru_cache(maxsize=8)(visible)


def sdpa(query: Tensor, key: Tensor, value: Tensor, window: int | None, documents: Tensor | None) -> Tensor:
    """PyTorch's own choice of kernel; bands and documents as a mask. The fastest on processors."""
    positions = query.shape[-2]
    if documents is None and (window is None or window >= positions):
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    make = visible if torch.compiler.is_compiling() else _band
    mask = make(positions, positions if window is None else min(window, positions), query.device)
    if documents is not None:
        mask = mask & (documents[:, None, :, None] == documents[:, None, None, :])
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def _make_block_mask(positions: int, window: int, device: torch.device) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    def seen(_batch: Tensor, _head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return (i >= j) & (i - j < window)

    return create_block_mask(seen, None, None, positions, positions, device=str(device))


_block_mask = lru_cache(maxsize=8)(_make_block_mask)


@lru_cache(maxsize=1)
def _compiled_flex() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    compiled: Callable[..., Tensor] = torch.compile(flex_attention)
    return compiled


def flex(query: Tensor, key: Tensor, value: Tensor, window: int | None, documents: Tensor | None) -> Tensor:
    """FlexAttention: skips the blocks outside the band. CUDA only; it has no backward pass on processors."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    positions = query.shape[-2]
    width = positions if window is None else min(window, positions)
    compiling = torch.compiler.is_compiling()
    if documents is None:
        make = _make_block_mask if compiling else _block_mask
        blocks = make(positions, width, query.device)
    else:

        def seen(batch: Tensor, _head: Tensor, i: Tensor, j: Tensor) -> Tensor:
            return (i >= j) & (i - j < width) & (documents[batch, i] == documents[batch, j])

        blocks = create_block_mask(seen, query.shape[0], None, positions, positions, device=str(query.device))
    attend: Any = flex_attention if compiling else _compiled_flex()
    out: Tensor = attend(query, key, value, block_mask=blocks)
    return out


def varlen(query: Tensor, key: Tensor, value: Tensor, window: int | None, documents: Tensor | None) -> Tensor:
    """FlashAttention over the sequences of a batch laid end to end; half precision on CUDA only."""
    from torch.nn.attention.varlen import varlen_attn

    batch, heads, positions, width = query.shape
    rows = batch * positions
    if documents is None:
        borders = torch.arange(0, rows + 1, positions, dtype=torch.int32, device=query.device)
    else:
        starts = torch.ones_like(documents, dtype=torch.bool)
        starts[:, 1:] = documents[:, 1:] != documents[:, :-1]
        found = torch.nonzero(starts.flatten())[:, 0].to(torch.int32)
        borders = torch.cat([found, found.new_tensor([rows])])
    q, k, v = (part.transpose(1, 2).reshape(rows, heads, width) for part in (query, key, value))
    # The kernel counts the keys before a position and sees the position besides: one less than our window.
    before = -1 if window is None else min(window, positions) - 1
    out: Any = varlen_attn(q, k, v, borders, borders, positions, positions, window_size=(before, 0))
    shaped: Tensor = out.view(batch, positions, heads, width).transpose(1, 2)
    return shaped


KERNELS: dict[str, Kernel] = {"sdpa": sdpa, "flex": flex, "varlen": varlen, "reference": reference}


@dataclass(frozen=True, slots=True)
class Race:
    """Which kernel a layer uses, and the milliseconds of each candidate, forward and backward."""

    winner: str
    milliseconds: dict[str, float]
    refused: dict[str, str]  # kernels that cannot run here, and why

    def __str__(self) -> str:
        times = ", ".join(
            f"{name} {ms:.2f} ms" for name, ms in sorted(self.milliseconds.items(), key=lambda it: it[1])
        )
        return f"{self.winner} ({times})" if times else self.winner


def choose(
    shape: tuple[int, int, int, int],
    window: int | None,
    *,
    device: torch.device,
    dtype: torch.dtype,
    documents: bool = False,
) -> Race:
    """Find the fastest kernel that gives the right answer here, for queries of `shape`.

    On processors it is `sdpa`, without a race. On CUDA every kernel runs forward and backward; one that fails, or
    whose output is farther from the reference than rounding explains, is left out.
    """
    if device.type != "cuda":
        return Race("sdpa", {}, {})
    draw = torch.Generator(device).manual_seed(0)
    query, key, value = (
        torch.randn(shape, generator=draw, device=device, dtype=dtype).requires_grad_() for _ in range(3)
    )
    halves = (torch.arange(shape[2], device=device) >= shape[2] // 2).long().expand(shape[0], -1)
    marks = halves if documents else None
    first = [part[:1, :1].float() for part in (query, key, value)]
    truth = reference(first[0], first[1], first[2], window, None if marks is None else marks[:1])
    tolerance = 2e-2 if dtype != torch.float32 else 1e-3
    times, refused = {}, {}
    for name in ("sdpa", "flex", "varlen"):
        kernel = KERNELS[name]
        try:
            out = kernel(query, key, value, window, marks)
            error = float((out[:1, :1].float() - truth).abs().max())
            if error > tolerance:
                refused[name] = f"differs by {error:.1e}"
                continue
            times[name] = _time(partial(kernel, query, key, value, window, marks))
        except (RuntimeError, ImportError, TypeError, ValueError, NotImplementedError) as error:
            # A kernel that this GPU, dtype or window does not have takes no part in the race; the reason is told.
            refused[name] = (str(error).splitlines() or [type(error).__name__])[0][:200]
    if not times:
        return Race("sdpa", {}, refused)
    return Race(min(times, key=lambda name: times[name]), times, refused)


def _time(run: Callable[[], Tensor]) -> float:
    best = float("inf")
    for _ in range(_RACE_ROUNDS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        run().sum().backward()  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return best * 1000

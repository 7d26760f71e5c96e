import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.attention import KERNELS, choose, reference, visible

CPU = torch.device("cpu")


def qkv(positions: int, seed: int = 0, batch: int = 2) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, 3, positions, 8, generator=draw).requires_grad_() for _ in range(3)]


def test_a_position_sees_itself_and_the_window_before_it() -> None:
    seen = visible(6, 3, CPU).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 0, 1, 1, 1],
    ]


def test_the_reference_is_attention_written_as_loops() -> None:
    query, key, value = qkv(7, batch=1)
    found = reference(query, key, value, 3, None)
    for head in range(3):
        for i in range(7):
            first = max(0, i - 2)
            scores = torch.stack([query[0, head, i] @ key[0, head, j] / 8**0.5 for j in range(first, i + 1)])
            expected = torch.softmax(scores, 0) @ value[0, head, first : i + 1]
            torch.testing.assert_close(found[0, head, i], expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.one_of(st.none(), st.integers(1, 50)), st.booleans())
def test_the_processors_kernel_equals_the_reference_forward_and_backward(
    positions: int, window: int | None, packed: bool
) -> None:
    documents = torch.arange(positions).expand(2, -1) // 7 if packed else None
    gradients = []
    for kernel in (reference, KERNELS["sdpa"]):
        tensors = qkv(positions)
        out = kernel(*tensors, window, documents)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        gradients.append([out, *(tensor.grad for tensor in tensors)])
    for ours, truth in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, truth, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_window_off_by_one_is_seen(wrong: int) -> None:
    tensors = qkv(32)
    right, other = (KERNELS["sdpa"](*tensors, window, None) for window in (8, 8 + wrong))
    assert torch.equal(right[:, :, : 7 + min(wrong, 0)], other[:, :, : 7 + min(wrong, 0)])
    assert (right - other)[:, :, 8:].abs().max() > 1e-2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["sdpa", "flex", "varlen"])
@pytest.mark.parametrize("window", [None, 1, 255, 256, 257])
def test_the_gpus_kernels_equal_the_reference(name: str, window: int | None) -> None:
    draw = torch.Generator("cuda").manual_seed(0)
    tensors = [torch.randn(2, 4, 1024, 64, generator=draw, device="cuda") for _ in range(3)]
    half = [tensor.bfloat16() for tensor in tensors]
    truth = reference(*(tensor.float() for tensor in half), window, None)
    torch.testing.assert_close(KERNELS[name](*half, window, None).float(), truth, atol=2e-2, rtol=2e-2)


def test_on_a_processor_there_is_no_race() -> None:
    assert str(choose((1, 2, 8, 4), 4, device=CPU, dtype=torch.float32)) == "sdpa"

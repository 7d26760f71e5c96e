import pytest
import torch
from torch.nn import functional

from training import loss as module
from training.loss import linear_cross_entropy


@pytest.mark.parametrize("fuse_like", [False, True])
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_loss_and_gradients_equal_those_of_the_plain_formula(
    monkeypatch: pytest.MonkeyPatch, chunk: int, fuse_like: bool
) -> None:
    monkeypatch.setattr(module, "CPU_CHUNK_BYTES", chunk * 4 * 128)
    monkeypatch.setattr(module, "_compiled", lambda: module._loss_and_slope)
    draw = torch.Generator().manual_seed(1)
    hidden = torch.randn(17, 16, generator=draw)
    weight = torch.randn(128, 16, generator=draw)
    targets = torch.randint(0, 100, (17,), generator=draw)
    found = []
    for ours in (True, False):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        if ours:
            total = linear_cross_entropy(h, w, targets, vocabulary=100, fuse=fuse_like)
        else:
            total = functional.cross_entropy(h @ w[:100].T, targets, reduction="sum")
        (total / 17).backward()
        found.append((total, h.grad, w.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert found[0][2][100:].abs().max() == 0  # rows of the padding learn nothing


def test_unlikely_targets_have_a_finite_loss() -> None:
    hidden, weight = torch.tensor([[200.0]]), torch.tensor([[1.0], [-1.0]])
    assert float(linear_cross_entropy(hidden, weight, torch.tensor([1]), vocabulary=2)) == pytest.approx(400)


def test_half_precision_sums_in_single() -> None:
    draw = torch.Generator().manual_seed(2)
    hidden, weight = torch.randn(64, 32, generator=draw), torch.randn(128, 32, generator=draw)
    targets = torch.randint(0, 128, (64,), generator=draw)
    truth = linear_cross_entropy(hidden, weight, targets, vocabulary=128)
    half = linear_cross_entropy(hidden.bfloat16(), weight, targets, vocabulary=128)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(truth), rel=5e-3)

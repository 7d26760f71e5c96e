"""GPT-2's decoder as GPT-3 uses it: pre-norm, modified initialisation, alternating dense and banded attention."""

import hashlib
import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from training.attention import KERNELS, Kernel
from training.errors import TrainingError
from training.loss import linear_cross_entropy
from training.presets import ModelConfig

_NORM_EPSILON = 1e-5
_INIT_STD = 0.02


class Attention(nn.Module):
    """Self-attention of one layer."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.window = config.layer_window(layer)
        self.kernel: Kernel = KERNELS["sdpa"]
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, documents: Tensor | None) -> Tensor:
        """(batch, positions, width) to the same."""
        batch, positions, width = x.shape
        split = self.qkv(x).view(batch, positions, 3, self.heads, width // self.heads)
        query, key, value = (part.transpose(1, 2) for part in split.unbind(2))
        seen = self.kernel(query, key, value, self.window, documents)
        out: Tensor = self.out(seen.transpose(1, 2).reshape(batch, positions, width))
        return out


class Block(nn.Module):
    """One layer: attention, then two dense layers of four times the width."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width, eps=_NORM_EPSILON)
        self.attention = Attention(config, layer)
        self.ln_2 = nn.LayerNorm(config.width, eps=_NORM_EPSILON)
        self.expand = nn.Linear(config.width, 4 * config.width)
        self.project = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor, documents: Tensor | None = None) -> Tensor:
        """(batch, positions, width) to the same."""
        x = x + self.attention(self.ln_1(x), documents)
        inner = functional.gelu(self.expand(self.ln_2(x)), approximate="tanh")
        out: Tensor = x + self.project(inner)
        return out


class GPT(nn.Module):
    """The whole model; the output layer is the token embedding.

    Args:
        config: the shape.
        activation_checkpointing: keep only the input of each block and compute the rest again in the backward pass.
    """

    def __init__(self, config: ModelConfig, *, activation_checkpointing: bool = False) -> None:
        super().__init__()
        self.config = config
        self.activation_checkpointing = activation_checkpointing
        self.fuse_loss = False
        self.tokens = nn.Embedding(config.padded_vocabulary, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width, eps=_NORM_EPSILON)

    def hidden(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Last hidden states, (batch, positions, width), of (batch, positions) int64 tokens."""
        length = tokens.shape[1]
        if length > self.config.context:
            raise TrainingError(f"{length} tokens do not fit the model's context of {self.config.context}")
        x = self.tokens(tokens) + self.positions.weight[:length]
        for block in self.blocks:
            if self.activation_checkpointing and self.training:
                x = checkpoint(block, x, documents, use_reentrant=False)
            else:
                x = block(x, documents)
        out: Tensor = self.ln_f(x)
        return out

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, documents: Tensor | None = None
    ) -> Tensor:
        """Logits, (batch, positions, vocabulary) float32; with targets the sum of the losses in nats."""
        hidden = self.hidden(tokens, documents)
        weight = self.tokens.weight
        if torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(
                torch.get_autocast_dtype(hidden.device.type)
            )  # the last norm came out as float32
        if targets is not None:
            return linear_cross_entropy(
                hidden.flatten(0, 1),
                weight,
                targets.flatten(),
                vocabulary=self.config.vocabulary,
                fuse=self.fuse_loss,
            )
        return (hidden @ weight[: self.config.vocabulary].to(hidden.dtype).T).float()

    def use_kernels(self, dense: str, banded: str) -> None:
        """Choose the attention kernels by name."""
        for module in self.modules():
            if isinstance(module, Attention):
                module.kernel = KERNELS[dense if module.window is None else banded]


@torch.no_grad()
def initialise(model: nn.Module, *, layers: int, seed: int) -> None:
    """Fill all parameters: N(0, 0.02), the layers that end in the residual stream by 1 / sqrt(2 layers) less.

    Each parameter draws from its own stream, keyed by seed and name, so that neither the device nor the way in which
    parameters are spread over processes changes a value. One parameter is whole in memory at a time.
    """
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
        elif ".ln_" in f".{name}":
            parameter.fill_(1.0)
        else:
            residual = name.endswith((".attention.out.weight", ".project.weight"))
            std = _INIT_STD / math.sqrt(2 * layers) if residual else _INIT_STD
            _fill(parameter, partial(_normal, std=std, seed=seed, name=name))


def _normal(shape: torch.Size, *, std: float, seed: int, name: str) -> Tensor:
    key = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    draw = torch.Generator().manual_seed(int.from_bytes(key, "little") >> 1)
    return torch.randn(shape, generator=draw) * std


def _fill(parameter: Tensor, make: Any) -> None:
    from torch.distributed.tensor import DTensor, distribute_tensor

    whole = make(parameter.shape)
    if isinstance(parameter, DTensor):
        spread = distribute_tensor(
            whole.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
        )
        parameter.copy_(spread)
    else:
        parameter.copy_(whole)


def document_numbers(tokens: Tensor, eos_id: int) -> Tensor:
    """Number the documents of packed sequences: (batch, positions) to the same; an end-of-text token closes its own."""
    ends = (tokens == eos_id).long()
    return torch.cumsum(ends, dim=1) - ends

"""A trained model as a Hugging Face folder: GPT-Neo's layout when it has banded layers, GPT-2's when all are dense."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.errors import TrainingError
from training.load import Trained
from training.presets import ModelConfig
from training.safetensors import write_safetensors

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def export(
    trained: Trained,
    out: Path,
    *,
    dtype: str = "fp32",
    tokenizer_files: Mapping[str, str] | None = None,
    dataset_digest: str | None = None,
) -> None:
    """Write config, weights, generation config, tokenizer, model card and the mixture into a folder.

    Args:
        trained: the model.
        out: the folder; made if missing.
        dtype: of the weights.
        tokenizer_files: name and text of each, put beside the weights.
        dataset_digest: of the build that the mixture belongs to, for the card.

    Raises:
        TrainingError: bfloat16 would change the model, or the folder cannot be written.
    """
    config = trained.model.config
    kind = DTYPES[dtype]
    if config.qkv_bias is False and kind != torch.float32 and not _exact_root(config.head_width):
        raise TrainingError(
            f"banded models with heads of {config.head_width} lose accuracy in {dtype}: GPT-Neo's layout folds a "
            "division by its square root into the weights; export fp32"
        )
    eos_id = int(trained.position.mixture["eos_id"])
    weights = _gpt2_weights(trained) if config.qkv_bias else _gpt_neo_weights(trained)
    about = _gpt2_config(config) if config.qkv_bias else _gpt_neo_config(config)
    about |= {
        "vocab_size": config.vocabulary,
        "bos_token_id": eos_id,
        "eos_token_id": eos_id,
        "tie_word_embeddings": True,
        "dtype": _NAMES[kind],
    }
    generation = {"bos_token_id": eos_id, "eos_token_id": eos_id, "pad_token_id": eos_id, "do_sample": True}
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_safetensors(
            out / "model.safetensors", {name: tensor.to(kind) for name, tensor in weights.items()}
        )
        _write_json(out / "config.json", about)
        _write_json(out / "generation_config.json", generation)
        _write_json(out / "mixture.json", trained.position.mixture)
        for name, text in (tokenizer_files or {}).items():
            (out / name).write_text(text, encoding="utf-8")
        (out / "README.md").write_text(model_card(trained, dataset_digest), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{out}: the export cannot be written: {error.strerror}") from error


def _exact_root(width: int) -> bool:
    """Whether dividing by sqrt(width) only changes exponents: 16, 64, 256."""
    return math.log2(width) % 2 == 0


def _shared_weights(trained: Trained) -> dict[str, Tensor]:
    model, config = trained.model, trained.model.config
    out = {
        "transformer.wte.weight": model.tokens.weight[: config.vocabulary],
        "transformer.wpe.weight": model.positions.weight,
        "transformer.ln_f.weight": model.ln_f.weight,
        "transformer.ln_f.bias": model.ln_f.bias,
    }
    for number, block in enumerate(model.blocks):
        for name in ("ln_1", "ln_2"):
            norm = getattr(block, name)
            out[f"transformer.h.{number}.{name}.weight"] = norm.weight
            out[f"transformer.h.{number}.{name}.bias"] = norm.bias
    return {name: tensor.detach() for name, tensor in out.items()}


def _gpt_neo_weights(trained: Trained) -> dict[str, Tensor]:
    out = _shared_weights(trained)
    root = math.sqrt(trained.model.config.head_width)
    for number, block in enumerate(trained.model.blocks):
        state = {name: tensor.detach() for name, tensor in block.state_dict().items()}
        place = f"transformer.h.{number}"
        query, key, value = state["attention.qkv.weight"].chunk(3)
        # GPT-Neo does not divide the scores by the root of the head's width.
        out[f"{place}.attn.attention.q_proj.weight"] = query / root
        out[f"{place}.attn.attention.k_proj.weight"] = key
        out[f"{place}.attn.attention.v_proj.weight"] = value
        for ours, theirs in (
            ("attention.out", "attn.attention.out_proj"),
            ("expand", "mlp.c_fc"),
            ("project", "mlp.c_proj"),
        ):
            out[f"{place}.{theirs}.weight"] = state[f"{ours}.weight"]
            out[f"{place}.{theirs}.bias"] = state[f"{ours}.bias"]
    return out


def _gpt2_weights(trained: Trained) -> dict[str, Tensor]:
    out = _shared_weights(trained)
    for number, block in enumerate(trained.model.blocks):
        state = {name: tensor.detach() for name, tensor in block.state_dict().items()}
        for ours, theirs in (
            ("attention.qkv", "attn.c_attn"),
            ("attention.out", "attn.c_proj"),
            ("expand", "mlp.c_fc"),
            ("project", "mlp.c_proj"),
        ):
            # GPT-2's layers hold (in, out) matrices.
            out[f"transformer.h.{number}.{theirs}.weight"] = state[f"{ours}.weight"].T
            out[f"transformer.h.{number}.{theirs}.bias"] = state[f"{ours}.bias"]
    return out


def _gpt_neo_config(config: ModelConfig) -> dict[str, Any]:
    kinds = ["local" if letter == "S" else "global" for letter in config.pattern]
    return {
        "architectures": ["GPTNeoForCausalLM"],
        "model_type": "gpt_neo",
        "attention_types": [[kinds, config.layers // len(kinds)]],
        "window_size": config.window,
        "hidden_size": config.width,
        "intermediate_size": 4 * config.width,
        "num_layers": config.layers,
        "num_heads": config.heads,
        "max_position_embeddings": config.context,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "resid_dropout": 0.0,
        "embed_dropout": 0.0,
        "attention_dropout": 0.0,
    }


def _gpt2_config(config: ModelConfig) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_positions": config.context,
        "n_ctx": config.context,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_inner": 4 * config.width,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }


def model_card(trained: Trained, dataset_digest: str | None) -> str:
    """The README of the folder."""
    config, position = trained.model.config, trained.position
    mixture = position.mixture
    total = sum(source["weight"] for source in mixture["sources"])
    rows = "\n".join(
        f"| {source['name']} | {source['weight'] / total:.2%} | {source['tokens']:,} |"
        for source in mixture["sources"]
    )
    layout = "GPT-2" if config.qkv_bias else "GPT-Neo"
    trap = (
        ""
        if config.qkv_bias
        else f"""
## Attention

Layers follow the pattern `{config.pattern}`: dense (L) and banded (S, {config.window} keys) in turn. **Do not load this
model with `attn_implementation="flash_attention_2"`**: that path never passes the window on, and the banded layers
become dense without a word. Use the default (`eager`). vLLM does not know this layout.
"""
    )
    return f"""---
library_name: transformers
pipeline_tag: text-generation
---
# {mixture["name"]}

GPT-3's decoder with {config.parameter_count():,} parameters in {layout}'s layout: {config.layers} layers, width {config.width},
{config.heads} heads, context {config.context}. Trained on {position.consumed_tokens:,} tokens ({position.step:,} steps).
{trap}
## Data

Mixture `{mixture["name"]}`, fingerprint `{mixture["fingerprint"]}`; the whole file is `mixture.json`.
Dataset digest: `{dataset_digest or "unknown"}`.

| source | share of samples | tokens |
| --- | --- | --- |
{rows}
"""


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")

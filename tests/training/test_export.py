import json
import math
from pathlib import Path

import pytest
import torch

from training.checkpoint import Position
from training.errors import TrainingError
from training.export import export
from training.load import Trained
from training.model import GPT, initialise
from training.presets import ModelConfig

MIXTURE = {
    "name": "mix", "fingerprint": "f" * 64, "eos_id": 90,
    "sources": [{"name": "web", "weight": 3, "tokens": 1000}, {"name": "books", "weight": 1, "tokens": 500}],
}  # fmt: skip


def trained(pattern: str, *, heads: int = 4, window: int = 16) -> Trained:
    config = ModelConfig(
        layers=4, width=64, heads=heads, context=96, vocabulary=91, pattern=pattern, window=window
    )
    model = GPT(config)
    initialise(model, layers=4, seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.mul_(6)  # sharp attention: an error in the window must show
            elif name.endswith("bias"):
                parameter.add_(0.1)
    position = Position(7, 56, 3584, MIXTURE, config.to_dict(), {})
    return Trained(model.eval(), position, Path("run/checkpoints/step-00000007"))


def reloaded(folder: Path) -> torch.nn.Module:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    model, told = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    assert not told["unexpected_keys"]
    assert not told["mismatched_keys"]
    assert set(told["missing_keys"]) <= {"lm_head.weight"}  # tied to the embedding
    return model.eval()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of libraries that transformers imports
@pytest.mark.parametrize(("pattern", "kind"), [("LS", "GPTNeoForCausalLM"), ("L", "GPT2LMHeadModel")])
@torch.no_grad()
def test_logits_equal_ours_past_the_windows_edge(tmp_path: Path, pattern: str, kind: str) -> None:
    mine = trained(pattern)
    export(mine, tmp_path)
    theirs = reloaded(tmp_path)
    assert type(theirs).__name__ == kind
    tokens = torch.randint(0, 91, (2, 96), generator=torch.Generator().manual_seed(0))
    ours = mine.model(tokens)
    difference = (theirs(tokens).logits - ours).abs().max()
    assert float(difference) < 1e-4
    assert float(ours.abs().max()) > 1
    prompt = tokens[:1, :8]
    cached, plain = (
        theirs.generate(
            prompt, max_new_tokens=40, do_sample=False, use_cache=cache, eos_token_id=None, pad_token_id=90
        )
        for cache in (True, False)
    )
    assert torch.equal(cached, plain)
    if pattern == "LS":
        for wrong in (15, 17):
            config = json.loads((tmp_path / "config.json").read_text()) | {"window_size": wrong}
            (tmp_path / "config.json").write_text(json.dumps(config))
            assert float((reloaded(tmp_path)(tokens).logits - ours).abs().max()) > 1e-2


def test_the_folder_says_where_the_model_comes_from(tmp_path: Path) -> None:
    export(trained("LS"), tmp_path, tokenizer_files={"tokenizer.json": "{}"}, dataset_digest="d" * 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md", "config.json", "generation_config.json", "mixture.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    card = (tmp_path / "README.md").read_text()
    assert 'attn_implementation="flash_attention_2"' in card
    assert "d" * 64 in card
    assert "| web | 75.00% | 1,000 |" in card
    assert json.loads((tmp_path / "mixture.json").read_text()) == MIXTURE
    assert "flash_attention_2" not in _dense_card(tmp_path)


def _dense_card(folder: Path) -> str:
    export(trained("L"), folder)
    return (folder / "README.md").read_text()


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(trained("LS"), tmp_path / name)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b"))
    assert one == other
    size = int.from_bytes(one[:8], "little")
    header = json.loads(one[8 : 8 + size])
    last = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    assert len(one) == 8 + size + last
    assert header["transformer.wte.weight"]["shape"] == [91, 64]  # without the padding
    assert header["transformer.h.0.mlp.c_fc.weight"]["shape"] == [256, 64]


def test_half_precision_is_refused_where_it_would_round(tmp_path: Path) -> None:
    export(trained("LS", heads=4), tmp_path, dtype="bf16")  # heads of 16: a root of 4 only moves exponents
    assert math.sqrt(16) == 4
    with pytest.raises(TrainingError, match="heads of 32 lose accuracy in bf16"):
        export(trained("LS", heads=2), tmp_path, dtype="bf16")

import pytest
import torch

from training.errors import TrainingError
from training.model import GPT
from training.presets import PRESETS, ModelConfig, find_preset

# Table 2.1 of Brown et al. 2020, printed sizes; 13B with the width that 40 heads of 128 give.
PRINTED = {
    "gpt3-125m": 125e6, "gpt3-350m": 350e6, "gpt3-760m": 760e6, "gpt3-1.3b": 1.3e9, "gpt3-2.7b": 2.7e9,
    "gpt3-6.7b": 6.7e9, "gpt3-13b": 13.0e9, "gpt3-175b": 175.0e9,
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_sizes_are_those_of_the_paper(name: str) -> None:
    model = find_preset(name).model
    assert model.parameter_count() == pytest.approx(PRINTED[name], rel=0.02)
    assert model.heads * model.head_width == model.width
    assert (model.context, model.pattern, model.window) == (2048, "LS", 256)


@pytest.mark.parametrize(
    ("name", "rate", "sequences"),
    [("gpt3-125m", 6e-4, 256), ("gpt3-1.3b", 2e-4, 512), ("gpt3-175b", 0.6e-4, 1536)],
)
def test_rates_and_batches_are_those_of_the_paper(name: str, rate: float, sequences: int) -> None:
    assert PRESETS[name].learning_rate == rate
    assert PRESETS[name].batch_tokens == sequences * 2048


def test_computed_size_of_the_dense_small_model_is_gpt2s_with_a_longer_context() -> None:
    dense = ModelConfig(layers=12, width=768, heads=12, pattern="L")
    # GPT-2 small has 124,439,808 parameters with 1,024 positions.
    assert dense.parameter_count() == 124_439_808 + 1024 * 768
    assert dense.flops_per_token(2048) == pytest.approx(0.978e9, rel=0.001)


@pytest.mark.parametrize("pattern", ["L", "LS"])
def test_the_formula_counts_what_the_model_has(pattern: str) -> None:
    config = ModelConfig(layers=2, width=32, heads=4, context=64, vocabulary=100, pattern=pattern)
    with torch.device("meta"):
        model = GPT(config)
    padding = (config.padded_vocabulary - config.vocabulary) * config.width
    assert sum(parameter.numel() for parameter in model.parameters()) == config.parameter_count() + padding


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "5 heads cannot share a width of 64 evenly"),
        ({"pattern": "LX"}, "attention pattern `LX`: write L"),
        ({"layers": 3}, "does not divide 3 layers evenly"),
        ({"window": 0}, "window 0"),
    ],
)
def test_shapes_that_cannot_be_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        ModelConfig(**{"layers": 2, "width": 64, "heads": 4} | changes)


def test_a_misspelt_preset_names_the_nearest() -> None:
    with pytest.raises(TrainingError, match="no preset `gpt3-125`; did you mean `gpt3-125m`"):
        find_preset("gpt3-125")

import math

import pytest
import torch

from training.errors import TrainingError
from training.model import GPT, document_numbers, initialise
from training.presets import ModelConfig

CONFIG = ModelConfig(layers=4, width=64, heads=4, context=64, vocabulary=300, window=8)


def made(config: ModelConfig = CONFIG, seed: int = 0) -> GPT:
    model = GPT(config)
    initialise(model, layers=config.layers, seed=seed)
    return model


def test_parameters_start_as_in_gpt2() -> None:
    state = made().state_dict()
    assert float(state["tokens.weight"].std()) == pytest.approx(0.02, rel=0.05)
    assert float(state["blocks.1.attention.out.weight"].std()) == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    assert float(state["blocks.1.project.weight"].std()) == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    assert torch.equal(state["blocks.0.ln_1.weight"], torch.ones(64))
    assert all(tensor.abs().max() == 0 for name, tensor in state.items() if name.endswith("bias"))


def test_the_seed_decides_every_parameter_and_layers_differ() -> None:
    one, same, other = (made(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["blocks.0.expand.weight"], other["blocks.0.expand.weight"])
    assert not torch.equal(one["blocks.0.expand.weight"], one["blocks.1.expand.weight"])


def test_the_first_loss_is_that_of_guessing() -> None:
    tokens = torch.randint(0, 300, (2, 65), generator=torch.Generator().manual_seed(0))
    loss = made()(tokens[:, :-1], tokens[:, 1:]).detach() / 128
    assert float(loss) == pytest.approx(math.log(300), abs=0.1)


def test_loss_is_the_cross_entropy_of_the_logits() -> None:
    model, tokens = made(), torch.randint(0, 300, (2, 65), generator=torch.Generator().manual_seed(0))
    logits = model(tokens[:, :-1])
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum"
    )
    torch.testing.assert_close(model(tokens[:, :-1], tokens[:, 1:]), expected)


def test_no_position_sees_what_comes_later() -> None:
    model, tokens = made(), torch.randint(0, 300, (1, 40), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[0, 25] += 1
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :25], after[:, :25])
    assert not torch.equal(before[:, 25:], after[:, 25:])


def test_documents_can_be_kept_apart() -> None:
    eos = 299
    tokens = torch.randint(0, 299, (1, 30), generator=torch.Generator().manual_seed(0))
    tokens[0, 11] = eos
    numbers = document_numbers(tokens, eos)
    assert numbers.tolist() == [[0] * 12 + [1] * 18]
    model, changed = made(), tokens.clone()
    changed[0, :11] = 7
    apart = [model.hidden(rows, numbers)[:, 12:] for rows in (tokens, changed)]
    assert torch.equal(*apart)
    together = [model.hidden(rows)[:, 12:] for rows in (tokens, changed)]
    assert not torch.equal(*together)


def test_activation_checkpointing_changes_no_gradient() -> None:
    tokens = torch.randint(0, 300, (2, 33), generator=torch.Generator().manual_seed(0))
    gradients = []
    for saving in (False, True):
        model = GPT(CONFIG, activation_checkpointing=saving)
        initialise(model, layers=4, seed=0)
        model(tokens[:, :-1], tokens[:, 1:]).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_more_tokens_than_positions_are_refused() -> None:
    with pytest.raises(TrainingError, match="65 tokens do not fit the model's context of 64"):
        made()(torch.zeros(1, 65, dtype=torch.long))

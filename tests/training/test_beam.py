from collections.abc import Sequence
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from training.beam import beam_search
from training.generate import generate

SIZE, END = 5, 0


class Table(nn.Module):
    """A model whose next token depends on the last two alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.table = nn.Parameter(
            2 * torch.randn(SIZE, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
        )

    def forward(self, tokens: Tensor) -> Tensor:
        before = torch.cat([tokens[:, :1], tokens[:, :-1]], dim=1)
        return self.table[before, tokens]


def ends(ids: Sequence[int]) -> bool:
    return ids[-1] == END


def by_hand(model: Table, prompt: list[int], ids: tuple[int, ...], penalty: float) -> float:
    log = torch.log_softmax(model.table.detach().double(), dim=-1)
    row = [*prompt, *ids]
    total = sum(float(log[row[n - 2], row[n - 1], row[n]]) for n in range(len(prompt), len(row)))
    return total / ((5 + len(ids)) / 6) ** penalty


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_a_wide_search_finds_what_trying_all_finds(seed: int, penalty: float) -> None:
    model, prompt = Table(seed), [1, 2]
    found = beam_search(model, prompt, tokens=4, context=8, beams=SIZE**4, length_penalty=penalty, ends=ends)
    every = [
        ids
        for length in range(1, 5)
        for ids in product(range(SIZE), repeat=length)
        if END not in ids[:-1] and (length == 4 or ids[-1] == END)
    ]
    best = max(every, key=lambda ids: by_hand(model, prompt, ids, penalty))
    assert tuple(found) == best


@pytest.mark.parametrize("seed", range(6))
def test_a_single_path_always_takes_the_likeliest_token(seed: int) -> None:
    model = Table(seed)
    found = beam_search(model, [3, 1], tokens=6, context=8, beams=1, length_penalty=0.6, ends=ends)
    assert found == generate(model, [3, 1], tokens=6, context=8, temperature=0, eos_id=END)


def test_more_paths_find_nothing_worse() -> None:
    for seed in range(6):
        model = Table(seed)
        worth = [
            by_hand(
                model,
                [1, 1],
                tuple(
                    beam_search(
                        model, [1, 1], tokens=5, context=8, beams=beams, length_penalty=0.6, ends=ends
                    )
                ),
                0.6,
            )
            for beams in (1, SIZE**5)
        ]
        assert worth[0] <= worth[1] + 1e-9

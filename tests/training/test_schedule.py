import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import TrainingError
from training.presets import PAPER_TOKENS, find_preset
from training.schedule import Schedule, plan_schedule


def paper(name: str = "gpt3-175b", **changes: object) -> Schedule:
    options = {"sequence_length": 2048, "tokens": PAPER_TOKENS} | changes
    return plan_schedule(find_preset(name), **options)  # type: ignore[arg-type]


def test_the_rate_follows_appendix_b() -> None:
    schedule = paper()
    assert schedule.learning_rate(0) == 0
    assert schedule.learning_rate(187_500_000) == pytest.approx(0.3e-4)
    assert schedule.learning_rate(375_000_000) == pytest.approx(0.6e-4)
    assert schedule.learning_rate((260_000_000_000 + 375_000_000) // 2) == pytest.approx(0.55 * 0.6e-4)
    assert schedule.learning_rate(260_000_000_000) == pytest.approx(0.06e-4)
    assert schedule.learning_rate(299_000_000_000) == pytest.approx(0.06e-4)


def test_the_batch_starts_at_32k_tokens_and_grows_to_the_printed_one() -> None:
    schedule = paper()
    assert schedule.batch_size(0) == 16
    assert (
        schedule.batch_size(6_000_000_000) == 768
    )  # half way over 12 B tokens: (16 + 1536) / 2 = 776, down to 16s
    assert schedule.batch_size(12_000_000_000) == schedule.batch_size(10**12) == 1536


@settings(max_examples=50)
@given(st.integers(0, 3 * 10**11), st.integers(0, 10**9))
def test_the_batch_never_shrinks_and_comes_in_sixteens(tokens: int, more: int) -> None:
    schedule = paper("gpt3-1.3b")
    assert schedule.batch_size(tokens) % 16 == 0
    assert schedule.batch_size(tokens) <= schedule.batch_size(tokens + more)


def test_one_number_scales_all_of_it() -> None:
    whole, tenth = paper(), paper(scale=0.1)
    for tokens in (10**8, 10**9, 10**10, 10**11):
        assert tenth.learning_rate(tokens // 10) == pytest.approx(whole.learning_rate(tokens))
        assert tenth.batch_size(tokens // 10) == whole.batch_size(tokens)
    assert paper(tokens=PAPER_TOKENS // 10) == tenth


def test_shorter_sequences_keep_the_tokens_of_a_batch() -> None:
    schedule = paper("gpt3-125m", sequence_length=256)
    assert (schedule.batch_size(0), schedule.batch) == (128, 2048)


def test_a_batch_can_be_fixed() -> None:
    schedule = paper("gpt3-125m", batch=40, ramp=False)
    assert {schedule.batch_size(tokens) for tokens in (0, 10**9, 10**11)} == {40}


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="schedule scale 0"):
        paper(scale=0)

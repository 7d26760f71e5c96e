import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from text.distinct import distinct, run_starts

NUMBERS = st.lists(st.integers(0, 5) | st.integers(2**64 - 3, 2**64 - 1), max_size=30)


@given(NUMBERS)
def test_distinct_values_rise_as_a_set_sorted_does(values: list[int]) -> None:
    array = np.array(values, np.uint64)
    assert distinct(array).tolist() == sorted(set(values))
    assert array.tolist() == values


@given(NUMBERS)
def test_runs_begin_where_a_value_is_first_seen(values: list[int]) -> None:
    ordered = sorted(values)
    assert run_starts(np.array(ordered, np.uint64)).tolist() == sorted({ordered.index(v) for v in values})

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.histogram import make_histogram

VALUES = st.lists(
    st.floats(0, 1e6, width=32) | st.integers(0, 40).map(float) | st.just(float("nan")), max_size=60
)
BOUNDS = st.lists(st.floats(0, 1e5), max_size=2).map(tuple)


@given(VALUES, BOUNDS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_every_value_is_counted_once(values, bounds, chance):
    kept = np.array([chance.random() < 0.5 for _ in values], bool)
    array = np.array(values, np.float64)
    shape = make_histogram(array, kept, bounds=bounds)
    known = ~np.isnan(array)
    assert sum(shape.kept) == int((kept & known).sum())
    assert sum(shape.gone) == int((~kept & known).sum())
    assert shape.high > shape.low
    assert len(shape.kept) == len(shape.gone) <= 61


@given(st.lists(st.integers(0, 30), min_size=1, max_size=50))
@settings(max_examples=40, deadline=None)
def test_whole_numbers_get_a_bar_each(values):
    shape = make_histogram(np.array(values, np.float64), np.ones(len(values), bool), bounds=(5.0,))
    first = int(shape.ends[0])
    counts = {first + place: count for place, count in enumerate(shape.kept) if count}
    assert shape.whole
    assert counts == {value: values.count(value) for value in set(values)}


def test_bounds_stand_at_the_edges_of_the_bars_that_they_part():
    shape = make_histogram(np.arange(10.0), np.ones(10, bool), bounds=(2.0,))
    assert shape.ends == (0, 9)
    assert shape.place(2, -1) == 0.2
    assert shape.place(2, 1) == 0.3
    assert shape.place(11) is None


def test_a_bound_far_away_does_not_stretch_the_axis():
    values = np.linspace(0.1, 0.2, 100)
    assert make_histogram(values, values > 0, bounds=(40.0,)).place(40.0) is None
    assert make_histogram(values, values > 0, bounds=(0.3,)).place(0.3) is not None

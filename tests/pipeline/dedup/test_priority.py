import numpy as np
import pyarrow as pa
import pytest

from pipeline.dedup.priority import priority_keys, ranks

NAT = np.datetime64("NaT")


def order(rows: list[tuple[str, int, float, int, object]]) -> list[str]:
    ids, source, quality, length, date = (list(column) for column in zip(*rows, strict=True))
    keys = priority_keys(
        pa.array(ids),
        source_rank=np.array(source),
        quality=np.array(quality, float),
        length=np.array(length),
        date=np.array(date, "datetime64[ms]"),
    )
    places = ranks(keys, np.arange(len(rows), dtype=np.uint64))
    return [ids[i] for i in np.argsort(places)]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((0, 0.0, 1, NAT), (1, 1.0, 9, "2000-01-01")),  # source before all
        ((0, 0.29, 1, NAT), (0, 0.289, 9, "2000-01-01")),  # then quality, in hundredths
        ((0, 0.2891, 9, NAT), (0, 0.2899, 1, NAT)),  # the same hundredth: the longer
        ((0, 0.0, 1, NAT), (0, float("nan"), 9, "2000-01-01")),  # any score before none
        ((0, 0.5, 2, NAT), (0, 0.5, 1, "2000-01-01")),  # then length
        ((0, 0.5, 1, "1969-12-31T23:59:59"), (0, 0.5, 1, "1970-01-01")),  # then the earlier
        ((0, 0.5, 1, "2262-01-01"), (0, 0.5, 1, NAT)),  # any date before none
    ],
)
def test_the_better_copy_comes_first(better: tuple, worse: tuple) -> None:
    assert order([("x", *worse), ("y", *better)]) == ["y", "x"]
    assert order([("y", *worse), ("x", *better)]) == ["x", "y"]


def test_the_id_decides_at_last_whatever_the_order_of_rows() -> None:
    rows = [(f"id-{i}", 0, 0.5, 10, "2020-01-01") for i in range(50)]
    assert order(rows) == order(rows[::-1])


def test_a_rank_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="source ranks"):
        order([("x", 1 << 16, 0.5, 1, NAT)])

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.units import format_bytes, parse_bytes, parse_count, parse_share


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("4MiB", 4 << 20),
        ("128 MB", 128_000_000),
        ("1.5 GiB", 3 << 29),
        (4096, 4096),
        ("1_000", 1000),
        (2.0, 2),
    ],
)
def test_sizes_are_read_as_people_write_them(written, meant):
    assert parse_bytes(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("300M", 300_000_000), ("2.5k", 2500), ("260B", 260 * 10**9), (7, 7)]
)
def test_counts_are_read_as_people_write_them(written, meant):
    assert parse_count(written) == meant


@pytest.mark.parametrize(("written", "meant"), [("5%", 0.05), (0.05, 0.05), (1, 1.0), ("0", 0.0)])
def test_shares_are_read_as_people_write_them(written, meant):
    assert parse_share(written) == meant


@pytest.mark.parametrize("wrong", ["4 potatoes", "-1", "", True, None, [], "1.5", "0x10"])
def test_a_wrong_size_shows_accepted_forms(wrong):
    with pytest.raises(ValueError, match="expected a size such as `4MiB`"):
        parse_bytes(wrong)


@pytest.mark.parametrize("wrong", ["150%", "-5%", "5 %%", True, "many", 1.5])
def test_a_wrong_share_shows_accepted_forms(wrong):
    with pytest.raises(ValueError, match="expected a share such as `5%`"):
        parse_share(wrong)


@given(st.integers(0, 2**60))
def test_whole_numbers_stay_what_they_are(number):
    assert parse_bytes(number) == parse_count(str(number)) == number


def test_sizes_are_shown_in_the_unit_that_fits():
    assert [format_bytes(n) for n in (0, 1023, 1024, 3 << 29, 5 << 40)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 GiB",
        "5.0 TiB",
    ]

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.bands import Bands
from pipeline.dedup.reference import Reference, merge_sorted, write_reference
from pipeline.dedup.scheme import Scheme
from pipeline.errors import UsageError

SCHEME = Scheme(num_hashes=4)
BANDS = Bands(bands=2, rows=2, verify=0.7)


def keys(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


@given(st.lists(st.lists(st.integers(0, 12), max_size=12), max_size=4), st.integers(1, 5))
def test_merging_gives_the_sorted_union(lists: list[list[int]], block_rows: int) -> None:
    merged = [
        value
        for chunk in merge_sorted([keys(*sorted(values)) for values in lists], block_rows=block_rows)
        for value in chunk.tolist()
    ]
    assert merged == sorted(set().union(*lists))


def test_keys_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        list(merge_sorted([keys(2, 1)]))


def test_an_increment_holds_the_old_and_the_new(tmp_path: Path) -> None:
    top = (1 << 64) - 1
    write_reference(tmp_path / "old", SCHEME, BANDS, [[keys(1, 5, top)], []])
    old = Reference.open(tmp_path / "old", SCHEME, BANDS)
    asked = np.array([[1, 1], [top, 5], [0, 0], [6, top]], np.uint64)
    assert old.contains(asked).tolist() == [[True, False], [True, False], [False, False], [False, False]]
    write_reference(tmp_path / "new", SCHEME, BANDS, [[old.keys[0], keys(0, 5)], [old.keys[1], keys(5)]])
    new = Reference.open(tmp_path / "new", SCHEME, BANDS)
    assert [part.tolist() for part in new.keys] == [[0, 1, 5, top], [5]]
    assert new.contains(asked).tolist() == [[True, False], [True, True], [True, False], [False, False]]
    assert new.contains(asked[:0]).shape == (0, 2)


def test_a_reference_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must rise"):
        write_reference(tmp_path / "r", SCHEME, BANDS, [[keys(1)], [keys(3, 2)]])
    assert not (tmp_path / "r").exists()
    write_reference(tmp_path / "r", SCHEME, BANDS, [[keys(1)], [keys(2)]])  # over the remains
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["r"]
    with pytest.raises(UsageError, match="exists already"):
        write_reference(tmp_path / "r", SCHEME, BANDS, [[], []])


@pytest.mark.parametrize(
    ("scheme", "bands", "message"),
    [
        (Scheme(num_hashes=4, ngram=3), BANDS, "ngram 5 instead of 3"),
        (SCHEME, Bands(bands=4, rows=1, verify=0.7), "holds 2 bands of 2 rows instead of 4 of 1"),
    ],
)
def test_another_scheme_is_refused(tmp_path: Path, scheme: Scheme, bands: Bands, message: str) -> None:
    write_reference(tmp_path / "r", SCHEME, BANDS, [[keys(1)], [keys(2)]])
    with pytest.raises(UsageError, match=message):
        Reference.open(tmp_path / "r", scheme, bands)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("reference.json", b"{", "is no JSON"),
        ("reference.json", b"{}", "lacks what a reference states"),
        ("band-001.npy", b"", "cannot be read as keys of a band"),
        ("band-001.npy", b"\x80\x04}.", "cannot be read as keys of a band"),  # a pickle
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write_reference(tmp_path / "r", SCHEME, BANDS, [[keys(1)], [keys(2)]])
    (tmp_path / "r" / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        Reference.open(tmp_path / "r", SCHEME, BANDS)


def test_a_file_of_another_length_is_named(tmp_path: Path) -> None:
    write_reference(tmp_path / "r", SCHEME, BANDS, [[keys(1)], [keys(2)]])
    np.save(tmp_path / "r" / "band-001.npy", keys(2, 3))
    with pytest.raises(UsageError, match="expected 1 keys"):
        Reference.open(tmp_path / "r", SCHEME, BANDS)
    with pytest.raises(UsageError, match=r"holds no reference\.json"):
        Reference.open(tmp_path, SCHEME, BANDS)

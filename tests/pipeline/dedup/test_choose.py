import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.choose import choose


def signed(*rows: str) -> np.ndarray:
    return np.array([[ord(character) for character in row] for row in rows], np.uint32)


def one_component(size: int) -> np.ndarray:
    return np.zeros(size, np.uint64)


def test_a_chain_drops_only_what_resembles_the_kept() -> None:
    # a ~ b ~ c with 8 of 10 equal, a and c with 6: c must not go for a.
    minima = signed("aaaaaaaaaa", "aaaaaaaabb", "aaaaaabbbb")
    found = choose(one_component(3), np.arange(3), minima, verify=0.7)
    assert found.duplicate_of.tolist() == [0, 0, 2]
    assert found.similarity.tolist() == [1.0, np.float32(0.8), 1.0]
    assert found.kept.tolist() == [True, False, True]
    assert (found.rescued, found.undecided) == (1, 0)


def test_the_rest_of_a_chain_forms_a_cluster_of_its_own() -> None:
    minima = signed("aaaaaaaaaa", "aaaaabbbbb", "aaaaabbbbb", "zzzzzzzzzz")
    found = choose(one_component(4), np.array([0, 2, 1, 3]), minima, verify=0.7)
    assert found.duplicate_of.tolist() == [0, 2, 2, 3]
    assert found.rounds.tolist() == [0, 1, 1, 2]


def test_exactly_the_threshold_is_enough() -> None:
    found = choose(one_component(2), np.arange(2), signed("aaaaaaaaaa", "aaaaaaabbb"), verify=0.7)
    assert found.duplicate_of.tolist() == [0, 0]


def test_protected_documents_stay_and_others_go_for_them() -> None:
    minima = signed("aaaaa", "aaaaa", "aaaaa", "aaaaa")
    protected = np.array([False, True, False, True])
    found = choose(one_component(4), np.arange(4), minima, protected, verify=0.7)
    assert found.duplicate_of.tolist() == [1, 1, 1, 3]


def test_work_on_a_component_without_likeness_is_bounded_and_keeps_the_rest() -> None:
    minima = np.arange(50, dtype=np.uint32).reshape(50, 1)
    found = choose(one_component(50), np.arange(50), minima, verify=0.5, max_rounds=10)
    assert found.kept.all()
    assert found.undecided == 40


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    size = draw(st.integers(0, 25))
    labels = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    entries = draw(st.lists(st.integers(0, 1), min_size=size * 4, max_size=size * 4))
    protected = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    places = draw(st.permutations(range(size)))
    return (
        np.array(labels, np.uint64),
        np.array(places, np.int64),
        np.array(entries, np.uint32).reshape(size, 4),
        np.array(protected, bool),
    )


@given(tables())
def test_drops_are_verified_against_kept_ones_by_the_plain_rule(
    table: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, places, minima, protected = table
    found = choose(labels, places, minima, protected, verify=0.75)
    expected = np.arange(len(labels))
    kept: list[int] = []
    for row in np.lexsort((places, ~protected)).tolist():
        like = [
            other
            for other in kept
            if labels[other] == labels[row] and (minima[other] == minima[row]).mean() >= 0.75
        ]
        if like and not protected[row]:
            expected[row] = like[0]
        else:
            kept.append(row)
    assert found.duplicate_of.tolist() == expected.tolist()


@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    table: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], random: object
) -> None:
    labels, places, minima, protected = table
    shuffle = list(range(len(labels)))
    random.shuffle(shuffle)
    straight = choose(labels, places, minima, protected, verify=0.75)
    mixed = choose(labels[shuffle], places[shuffle], minima[shuffle], protected[shuffle], verify=0.75)
    at = np.array(shuffle, int)
    assert at[mixed.duplicate_of].tolist() == straight.duplicate_of[at].tolist()
    assert mixed.similarity.tolist() == straight.similarity[at].tolist()

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import DisjointSet

from discern.datasets.disjoint_sets import DisjointSets


def test_sets_that_are_joined_share_the_smallest_root() -> None:
    sets = DisjointSets(6)
    sets.join(4, 5)
    sets.join(1, 4)
    sets.join(0, 2)
    assert sets.sets(range(6)) == {0: [0, 2], 1: [1, 4, 5], 3: [3]}
    assert sets.root(5) == 1
    assert sets.together(5, 1)
    assert not sets.together(0, 1)


def test_sets_of_some_numbers_hold_those_alone_in_their_order() -> None:
    sets = DisjointSets(6)
    sets.join(1, 4)
    assert sets.sets([4, 3, 1]) == {1: [4, 1], 3: [3]}


@given(pairs=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19))))
def test_the_sets_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    sets, reference = DisjointSets(20), DisjointSet(range(20))
    for first, second in pairs:
        sets.join(first, second)
        reference.merge(first, second)
    assert {frozenset(members) for members in sets.sets(range(20)).values()} == set(map(frozenset, reference.subsets()))

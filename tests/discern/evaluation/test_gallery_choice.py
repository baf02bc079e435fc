"""A class's gallery is spread over looks, sessions and sets of near-duplicates, and is the same every time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.evaluation.gallery_choice import Vectors, choose_spread

NONE: list[str | None] = [None] * 100


def on_circle(*degrees: float) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_photos_of_every_look_are_chosen() -> None:
    burst = [0.1 * i for i in range(8)]
    vectors = on_circle(*burst, 60, 61, 62, 120, 121, 122)
    chosen = choose_spread(vectors, NONE[:14], NONE[:14], 3)
    assert [sum(bounds) for bounds in ((i < 8 for i in chosen), (8 <= i < 11 for i in chosen))] == [1, 1]
    assert {9, 12} <= set(chosen)  # the middle of each


def test_sessions_take_turns_where_photos_look_alike() -> None:
    vectors = on_circle(*[i * 1.0 for i in range(12)])
    sessions = ["monday"] * 9 + ["tuesday"] * 3
    chosen = choose_spread(vectors, NONE[:12], sessions, 2)
    assert {sessions[i] for i in chosen} == {"monday", "tuesday"}


def test_of_near_duplicates_one_is_chosen_while_there_are_others() -> None:
    vectors = on_circle(0, 40, 1, 39, 80, 81)
    near: list[str | None] = ["set", "set", None, None, None, None]
    assert len({0, 1} & set(choose_spread(vectors, near, NONE[:6], 3))) <= 1


def test_few_photos_are_all_chosen() -> None:
    assert choose_spread(on_circle(0, 10), NONE[:2], NONE[:2], 5) == [0, 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 359), min_size=1, max_size=20), st.integers(1, 6))
def test_the_number_is_kept_even_of_equal_photos(degrees: list[int], count: int) -> None:
    vectors = on_circle(*degrees)
    chosen = choose_spread(vectors, NONE[: len(degrees)], NONE[: len(degrees)], count)
    assert len(chosen) == len(set(chosen)) == min(count, len(degrees))
    assert chosen == sorted(chosen) == choose_spread(vectors, NONE[: len(degrees)], NONE[: len(degrees)], count)

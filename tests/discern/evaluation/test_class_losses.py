from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.class_losses import find_losing_classes


def classes(count: int, each: int) -> list[str]:
    return [f"{number:03}" for number in range(count) for _ in range(each)]


def test_of_a_hundred_classes_one_that_loses_all_its_queries_is_found() -> None:
    right = np.ones(2000, dtype=bool)
    candidate = right.copy()
    candidate[40:60] = False
    found = find_losing_classes(candidate, right, classes(100, 20))
    assert found.losing == (("002", 1.0),)
    assert (found.classes, found.tested, found.least_queries) == (100, 100, 11)  # 2 ** -11 is the first below .05 / 100


@pytest.mark.parametrize(("lost", "seen"), [(11, True), (10, False)])
def test_what_a_class_can_show_is_what_is_said(lost: int, seen: bool) -> None:
    right = np.ones(2000, dtype=bool)
    candidate = right.copy()
    candidate[:lost] = False
    assert bool(find_losing_classes(candidate, right, classes(100, 20)).losing) == seen


def test_what_is_won_makes_up_for_what_is_lost() -> None:
    candidate, production = np.ones((2, 200), dtype=bool)
    candidate[:10], production[10:20] = False, False
    assert find_losing_classes(candidate, production, classes(10, 20)).losing == ()
    assert find_losing_classes(production, candidate, classes(10, 20)).losing == ()


def test_once_a_class_is_found_the_next_is_asked_less() -> None:
    right = np.ones(40, dtype=bool)
    candidate = right.copy()
    candidate[:6] = False  # 2 ** -6 is below .05 / 2
    candidate[20:25] = False  # 2 ** -5 is below .05 / 1 alone
    assert [label for label, _ in find_losing_classes(candidate, right, classes(2, 20)).losing] == ["000", "001"]
    candidate[:6] = True
    assert find_losing_classes(candidate, right, classes(2, 20)).losing == ()


def test_classes_that_can_show_nothing_count_for_no_correction() -> None:
    groups = [*classes(90, 2), *["large"] * 6]
    right = np.ones(len(groups), dtype=bool)
    candidate = right.copy()
    candidate[-6:] = False
    found = find_losing_classes(candidate, right, groups)
    assert (found.losing, found.tested, found.classes) == ((("large", 1.0),), 1, 91)


def test_where_every_class_is_small_none_is_tested() -> None:
    right = np.ones(300, dtype=bool)
    found = find_losing_classes(~right, right, classes(100, 3))
    assert (found.losing, found.tested) == ((), 0)


def test_equal_models_seldom_show_a_class_that_loses() -> None:
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(200):
        candidate, production = rng.random((2, 1000)) < 0.9
        shown += bool(find_losing_classes(candidate, production, classes(50, 20)).losing)
    assert shown <= 10

from __future__ import annotations

import math

import pytest

from discern.sources.outlines import (
    around_corner_turned,
    around_ellipse,
    around_numbers,
    around_points,
    around_runs,
    around_turned,
    run_lengths,
)


def test_points() -> None:
    assert around_points([(3, 9), (7, 2), (5, 4)]) == (3, 2, 7, 9)
    assert around_points([]) is None
    assert around_numbers([3, 9, 7, 2]) == (3, 2, 7, 9)
    assert around_numbers([3, 9, 7]) is None


@pytest.mark.parametrize(
    ("degrees", "box"),
    [(0, (40, 35, 60, 45)), (90, (45, 30, 55, 50)), (-90, (45, 30, 55, 50)), (180, (40, 35, 60, 45))],
)
def test_a_box_turned_about_its_centre(degrees: float, box: tuple[float, ...]) -> None:
    assert around_turned((50, 40), (20, 10), math.radians(degrees)) == box


def test_a_square_on_its_corner_is_wider_by_the_root_of_two() -> None:
    left, top, right, bottom = around_turned((0, 0), (2, 2), math.pi / 4)
    assert (left, top, right, bottom) == pytest.approx((-math.sqrt(2), -math.sqrt(2), math.sqrt(2), math.sqrt(2)))


def test_a_box_turned_about_its_corner() -> None:
    assert around_corner_turned((50, 40), (20, 10), 0) == (50, 40, 70, 50)
    assert around_corner_turned((50, 40), (20, 10), 90) == (40, 40, 50, 60)
    assert around_corner_turned((50, 40), (20, 10), -90) == (50, 20, 60, 40)


def test_ellipses() -> None:
    assert around_ellipse((50, 40), (20, 10), 0) == (30, 30, 70, 50)
    assert around_ellipse((50, 40), (20, 10), 90) == (40, 20, 60, 60)


def test_runs_go_down_the_columns() -> None:
    assert around_runs([2, 2, 3, 1], 5) == (0, 2, 2, 4)  # rows 2 and 3 of column 0, row 2 of column 1
    assert around_runs([4, 2], 5) == (0, 0, 2, 5)  # the last row of column 0 and the first of column 1
    assert around_runs([0, 0, 5], 5) is None
    assert around_runs([0, 1 << 60], 5) is None


def test_letters_of_the_coco_api() -> None:
    assert run_lengths("04") == [0, 4]
    assert run_lengths("") == []
    assert run_lengths("o") is None
    assert run_lengths("\u20ac") is None

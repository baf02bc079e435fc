"""What the gates let through, on fewer simulated models than the benchmark's: its bounds, with room for chance."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.promotion_power import ICCS, World, chain, coverage, promoted, spread
from discern.evaluation.paired_figures import FIGURES

PAIRS = 60
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("icc", ICCS)
def test_the_models_are_as_alike_as_they_are_said_to_be(icc: float) -> None:
    assert sum(spread(icc)) == pytest.approx(1)
    assert min(spread(icc)) >= 0
    world = World((1, 2), icc, enrolled=1400, unknown=600)
    first, second = (world.answers(world.model()) == world.truth for _ in range(2))
    enrolled = world.truth >= 0
    assert first[enrolled].mean() == pytest.approx(0.90, abs=0.02)
    assert first[~enrolled].mean() == pytest.approx(0.94, abs=0.02)
    assert (first != second).mean() == pytest.approx(0.09, abs=0.01)
    difference = (first.astype(float) - second).reshape(2000, 20)
    between, within = 20 * difference.mean(axis=1).var(ddof=1), difference.var(axis=1, ddof=1).mean()
    assert (between - within) / (between + 19 * within) == pytest.approx(icc, abs=0.03)


@pytest.mark.parametrize("icc", ICCS)
def test_equal_models_are_seldom_promoted(icc: float) -> None:
    assert promoted(0.90, 0.94, icc, PAIRS) <= 0.10  # of 60 at .05 more than 6 are seen in 3 of 100 runs


@pytest.mark.parametrize(("icc", "least"), [(0.03, 0.88), (0.10, 0.68)])
def test_a_candidate_that_is_3_points_better_is_promoted(icc: float, least: float) -> None:
    assert promoted(0.93, 0.97, icc, PAIRS) >= least


@pytest.mark.parametrize("icc", [0.0, 0.10])
def test_a_candidate_that_refuses_4_points_less_is_seldom_promoted(icc: float) -> None:
    assert promoted(0.97, 0.90, icc, PAIRS) <= 0.10


def test_a_loss_in_refusal_does_not_add_up_over_promotions() -> None:
    ends = [chain(0.10, (7, number), with_past=True).tnir for number in range(4)]
    assert min(ends) >= 0.88


@pytest.mark.parametrize("shape", [(7, 3), (70, 30)])
def test_intervals_hold_the_true_difference_as_often_as_they_say(shape: tuple[int, int]) -> None:
    for rates in ((0.90, 0.94), (0.90, 0.80)):
        found = coverage(0.10, shape, rates, PAIRS)
        assert set(found) == set(FIGURES)
        assert np.mean(list(found.values())) >= 0.92
        assert min(found.values()) >= 0.85, found

"""What the gates let through, on fewer simulated models than the benchmark's: its bounds, with room for chance."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.promotion_power import ICCS, Model, World, chain, coverage, promoted, spread
from discern.evaluation.gates import GateConfig, apply_gates
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


def test_a_chain_of_candidates_that_refuse_less_each_time_hardly_moves_production() -> None:
    ends = [chain(0.10, (7, number), with_past=True).tnir for number in range(4)]
    assert min(ends) >= 0.88


def test_on_a_large_test_set_a_small_loss_is_repeated_but_for_the_best_of_the_past() -> None:
    """The interval is narrow there, so that a loss of a point passes again and again against production alone."""
    drifting, held = (promotions_of_a_chain(with_past=with_past) for with_past in (False, True))
    assert drifting >= 4
    assert held <= 2


def promotions_of_a_chain(*, with_past: bool) -> int:
    """Offer candidates in turn, each 1.5 points better and 1 worse in TNIR than what is in production then."""
    world = World((99, 2), 0.10, enrolled=700, unknown=300)
    production, past = world.model(), list[Model]()
    for _ in range(12):
        candidate = world.model(min(0.995, production.tpir + 0.015), production.tnir - 0.01)
        answers = [world.answered(model) for model in (candidate, production, *past)]
        best_past = answers[2:] if with_past else []
        if apply_gates(answers[0], answers[1], world.groups, GateConfig(), best_past).promote:
            past.append(production)
            production = candidate
    return len(past)


@pytest.mark.parametrize("shape", [(7, 3), (70, 30)])
def test_intervals_hold_the_true_difference_as_often_as_they_say(shape: tuple[int, int]) -> None:
    for rates in ((0.90, 0.94), (0.90, 0.80)):
        found = coverage(0.10, shape, rates, PAIRS)
        assert set(found) == set(FIGURES)
        assert np.mean(list(found.values())) >= 0.92
        assert min(found.values()) >= 0.85, found

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from discern.evaluation.confidence import exact_rate
from discern.evaluation.metrics import measure
from discern.evaluation.reliability import Reliability, reliability, reliability_of
from edge_runtime.core.identify import Calibrator
from tests.discern.evaluation.cases import ACCEPT_ALL, results


def judged(probability: list[float], right: list[int], bins: int = 10) -> Reliability:
    found = reliability(np.array(probability, float), np.array(right, bool), bins)
    assert found is not None
    return found


def test_every_figure_of_a_case_worked_by_hand() -> None:
    found = judged([0.0, 0.1, 0.25, 0.5, 0.75, 1.0], [0, 1, 0, 1, 1, 1], bins=2)
    lower, upper = found.bins
    # 0, .1, .25 and .5, which lies on the edge: mean .2125, two of four right; .75 and 1: mean .875, both right.
    assert (lower.low, lower.high, upper.low, upper.high) == (0.0, 0.5, 0.5, 1.0)
    assert (lower.queries, upper.queries) == (4, 2)
    assert lower.predicted == pytest.approx(0.2125)
    assert upper.predicted == pytest.approx(0.875)
    assert lower.observed == exact_rate(2, 4)
    assert upper.observed == exact_rate(2, 2)
    assert found.expected_calibration_error == pytest.approx(4 / 6 * (0.5 - 0.2125) + 2 / 6 * (1 - 0.875))
    assert found.brier_score == pytest.approx((0 + 0.81 + 0.0625 + 0.25 + 0.0625 + 0) / 6)


def test_a_bin_without_queries_says_nothing() -> None:
    found = judged([0.05, 0.95], [0, 1])
    assert [entry.queries for entry in found.bins] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert all(entry.predicted is None and entry.observed is None for entry in found.bins[1:9])
    assert found.expected_calibration_error == pytest.approx(0.05)


def test_certainty_that_is_always_right_or_always_wrong() -> None:
    best, worst = judged([1.0, 0.0], [1, 0]), judged([1.0, 0.0], [0, 1])
    assert best.expected_calibration_error == best.brier_score == 0.0
    assert worst.expected_calibration_error == worst.brier_score == 1.0


def test_a_mean_that_is_right_hides_what_bins_show() -> None:
    found = judged([0.2] * 10 + [0.8] * 10, [1] * 8 + [0] * 2 + [1] * 2 + [0] * 8)
    assert found.expected_calibration_error == pytest.approx(0.6)
    assert judged([0.5] * 20, [1] * 10 + [0] * 10).expected_calibration_error == pytest.approx(0)


cases = st.integers(1, 60).flatmap(
    lambda queries: st.tuples(
        arrays.arrays(
            np.float64, queries, elements=st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]))
        ),
        arrays.arrays(np.bool_, queries),
    )
)


@settings(deadline=None, max_examples=150)
@given(cases, st.integers(1, 15))
def test_bins_and_brier_score_are_scikit_learns(case: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    # Of one outcome alone scikit-learn cannot tell which of the two it is.
    probability, right = np.append(case[0], [1.0, 0.0]), np.append(case[1], [True, False])
    found = reliability(probability, right, bins)
    assert found is not None
    assert found.brier_score == pytest.approx(brier_score_loss(right, probability))
    observed, predicted = calibration_curve(right, probability, n_bins=bins)
    filled = [(entry.observed.value, entry.predicted) for entry in found.bins if entry.observed is not None]
    np.testing.assert_allclose(np.array(filled).T, [observed, predicted], atol=1e-12)
    assert sum(entry.queries for entry in found.bins) == len(right)


@settings(deadline=None, max_examples=100)
@given(cases)
def test_the_error_is_between_0_and_1_and_one_bin_compares_means(case: tuple[np.ndarray, np.ndarray]) -> None:
    probability, right = case
    found, coarse = reliability(probability, right), reliability(probability, right, bins=1)
    assert found is not None
    assert coarse is not None
    assert 0 <= coarse.expected_calibration_error <= found.expected_calibration_error + 1e-12 <= 1 + 1e-12
    assert coarse.expected_calibration_error == pytest.approx(abs(probability.mean() - right.mean()))


def test_of_no_query_or_no_calibrator_nothing_is_said() -> None:
    assert reliability(np.array([]), np.array([], bool)) is None
    assert reliability_of(results([0], [0], [0.5]), None) is None


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        reliability(np.array([0.5, value]), np.array([True, False]))


def test_the_event_is_that_the_best_class_is_right_and_unknowns_count() -> None:
    found = results([0, 1, -1], [0, 0, 1], [0.5, 0.5, 0.5], [0.25] * 3)
    # Log-odds 4 * .5 - 4 * .25 - 1 = 0: one half each, one of three right.
    calibrator = Calibrator(score=4.0, margin=-4.0, intercept=-1.0)
    figures = measure(found, ACCEPT_ALL, calibrator)
    assert figures.brier_score == pytest.approx(0.25)
    assert figures.expected_calibration_error == pytest.approx(0.5 - 1 / 3)
    without = measure(found, ACCEPT_ALL)
    assert without.brier_score is None
    assert without.expected_calibration_error is None

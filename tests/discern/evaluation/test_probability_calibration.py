from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import minimize

from discern.evaluation.probability_calibration import fit_calibrator
from discern.evaluation.reliability import reliability_of
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import right_probability, score_and_margin
from tests.discern.evaluation.cases import drawn, results, subset


def sampled(queries: int, seed: int, *, second: bool = True) -> SearchResults:
    """Results whose chance of being right is logistic: 8 * score + 5 * margin - 6; half of the queries are unknowns."""
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.uniform(0, 1, (queries, 2)), axis=1)
    if not second:
        scores[:, 1] = -np.inf
    odds = score_and_margin(scores.astype(np.float32)) @ [8.0, 5.0] - 6.0
    right = rng.uniform(size=queries) < 1 / (1 + np.exp(-odds))
    truth = np.where(right, 0, rng.choice([-1, 1], queries))
    return results(truth.tolist(), [0] * queries, scores[:, 0].tolist(), scores[:, 1].tolist())


def test_the_law_behind_the_outcomes_is_found_again() -> None:
    calibrator = fit_calibrator(sampled(20_000, seed=1))
    assert calibrator is not None
    assert calibrator.score == pytest.approx(8.0, rel=0.1)
    assert calibrator.margin == pytest.approx(5.0, rel=0.1)
    assert calibrator.intercept == pytest.approx(-6.0, rel=0.1)


@settings(deadline=None, max_examples=60)
@given(drawn())
def test_the_likelihood_of_platts_targets_is_greatest(found: SearchResults) -> None:
    right = found.retrieved
    calibrator = fit_calibrator(found)
    if right.all() or not right.any():
        assert calibrator is None
        return
    assert calibrator is not None
    hits, misses = right.sum(), (~right).sum()
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    features = score_and_margin(found.scores)

    def loss(weights: np.ndarray) -> float:
        odds = features @ weights[:2] + weights[2]
        return float((np.logaddexp(0, odds) - target * odds).mean())

    ours = np.array([calibrator.score, calibrator.margin, calibrator.intercept])
    theirs = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-10})
    assert loss(ours) <= theirs.fun + 1e-6


def test_where_right_and_wrong_are_told_without_fault_the_coefficients_stay_finite() -> None:
    found = results([0, 0, 0, -1, -1, -1], [0] * 6, [0.9, 0.8, 0.85, 0.3, 0.2, 0.1], [0.0] * 6)
    calibrator = fit_calibrator(found)
    assert calibrator is not None
    stated = right_probability(found.scores, calibrator)
    # No query is told apart from Platt's targets, 4/5 and 1/5, by more than what is between the scores of one kind.
    assert stated[:3].mean() == pytest.approx(4 / 5, abs=0.01)
    assert stated[3:].mean() == pytest.approx(1 / 5, abs=0.01)


@pytest.mark.parametrize("truth", [[0, 0, 0], [-1, -1, 1]])
def test_of_one_outcome_alone_nothing_is_fitted(truth: list[int]) -> None:
    assert fit_calibrator(results(truth, [0, 0, 0], [0.9, 0.5, 0.4])) is None


def test_a_gallery_of_one_class_has_a_probability_too() -> None:
    found = sampled(4000, seed=2, second=False)
    calibrator = fit_calibrator(found)
    assert calibrator is not None
    assert np.isfinite([calibrator.score, calibrator.margin, calibrator.intercept]).all()
    other = reliability_of(sampled(4000, seed=3, second=False), calibrator)
    assert other is not None
    assert other.expected_calibration_error < 0.02


def test_equal_scores_get_the_share_that_is_right() -> None:
    found = results([0] * 30 + [-1] * 10, [0] * 40, [0.5] * 40, [0.25] * 40)
    calibrator = fit_calibrator(found)
    assert calibrator is not None
    targets = (30 * 31 / 32 + 10 * 1 / 12) / 40
    np.testing.assert_allclose(right_probability(found.scores, calibrator), targets, atol=1e-4)


def test_on_other_queries_of_the_same_kind_the_probability_means_what_it_says() -> None:
    calibrator = fit_calibrator(sampled(2000, seed=4))
    held_out = sampled(20_000, seed=5)
    judged = reliability_of(held_out, calibrator)
    assert judged is not None
    assert judged.expected_calibration_error < 0.03
    # Among unknowns alone it does not: the test can fail.
    unknowns = reliability_of(subset(held_out, ~held_out.enrolled), calibrator)
    assert unknowns is not None
    assert unknowns.expected_calibration_error > 0.2

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from discern.errors import DataError
from discern.evaluation.retrieval import SearchResults
from discern.evaluation.threshold_calibration import ROOM, candidate_margins, fit_rule, with_room
from edge_runtime.core.identify import DecisionRule, decide
from tests.discern.evaluation.cases import drawn, results


def false_positives(found: SearchResults, rule: DecisionRule) -> float:
    return float(decide(found.scores[~found.enrolled], rule).mean())


def detected(found: SearchResults, rule: DecisionRule) -> int:
    return int((found.retrieved & decide(found.scores, rule)).sum())


def half_ambiguous(lowest: float) -> SearchResults:
    """Half of the unknowns score as high as the enrolled, down to `lowest`, but for two classes at once."""
    return results(
        truth=[0, 1, 0, 1, -1, -1, -1, -1],
        best_class=[0, 1, 0, 1, 0, 1, 0, 1],
        best=[0.8, 0.8, 0.7, lowest, 0.9, 0.9, 0.6, 0.3],
        second=[0.2, 0.2, 0.2, 0.2, 0.88, 0.86, 0.1, 0.0],
    )


def test_the_threshold_lies_just_above_the_unknowns_that_must_be_refused() -> None:
    found = results(
        truth=[0, 1, 2, -1, -1, -1, -1], best_class=[0, 1, 2, 0, 1, 2, 0], best=[0.9, 0.7, 0.5, 0.8, 0.6, 0.4, 0.2]
    )
    rule = fit_rule(found, 0.25)
    assert rule.threshold == pytest.approx(0.6 + ROOM, abs=1e-7)
    assert (rule.margin, rule.fpir) == (0.0, 0.25)
    assert false_positives(found, rule) == 0.25
    assert detected(found, rule) == 2


def test_a_margin_is_used_where_it_tells_unknowns_better_than_the_score() -> None:
    found = half_ambiguous(lowest=0.7)
    rule = fit_rule(found, 0.25)
    assert rule.margin > 0
    assert detected(found, rule) == 4
    assert false_positives(found, rule) <= 0.25


def test_where_every_unknown_may_pass_nothing_is_refused() -> None:
    found = results([0, -1, -1], [0, 1, 2], [0.1, 0.9, 0.8])
    rule = fit_rule(found, 0.999999)
    assert detected(found, rule) == 0  # one of two unknowns may pass, so the better one
    assert fit_rule(found, 1.0).threshold == -1.0


def test_with_one_class_only_the_threshold_counts() -> None:
    found = results([0, 0, -1, -1], [0, 0, 0, 0], [0.9, 0.5, 0.6, 0.4], [-np.inf] * 4, classes=1)
    rule = fit_rule(found, 0.5)
    assert rule.margin == 0.0
    assert detected(found, rule) == 2
    assert false_positives(found, rule) == 0.5


@settings(deadline=None, max_examples=100)
@given(drawn(), st.floats(0.01, 1))
def test_the_rate_on_the_fitted_unknowns_is_never_above_the_target(found: SearchResults, fpir: float) -> None:
    assume((~found.enrolled).sum() * fpir >= 1.001)
    rule = fit_rule(found, fpir)
    assert false_positives(found, rule) <= fpir


@pytest.mark.parametrize("digits", [1, 7])
def test_rounding_of_scores_on_the_margin_costs_no_false_identification(digits: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        truth = rng.integers(-1, 4, 40)
        truth[:6] = [0, -1, -1, -1, -1, -1]
        scores = -np.sort(-rng.uniform(0, 1, (40, 2)).round(digits).astype(np.float32), axis=1)
        best, second = scores.T.tolist()
        found = results(truth.tolist(), rng.integers(0, 4, 40).tolist(), best, second, classes=4)
        assert false_positives(found, fit_rule(found, 0.2)) <= 0.2


@settings(deadline=None, max_examples=40)
@given(drawn(queries=12), st.floats(0.1, 1))
def test_no_pair_of_the_tried_margins_and_any_threshold_detects_more(found: SearchResults, fpir: float) -> None:
    assume((~found.enrolled).sum() * fpir >= 1.001)
    thresholds = [-1.0, *np.nextafter(found.scores[:, 0], np.float32(2)).tolist(), *found.scores[:, 0].tolist()]
    margins = candidate_margins(found.scores[~found.enrolled])
    rules = [DecisionRule(t, m, fpir) for t, m in itertools.product(thresholds, margins)]
    best = max(detected(found, rule) for rule in rules if false_positives(found, rule) <= fpir)
    assert detected(found, fit_rule(found, fpir)) == best


def test_scores_that_are_rounded_otherwise_on_the_device_are_answered_alike() -> None:
    found = half_ambiguous(lowest=0.6001)
    rule = fit_rule(found, 0.25)
    assert rule.margin > 0
    rng = np.random.default_rng(0)
    for _ in range(100):
        moved = found.scores + rng.uniform(-1e-5, 1e-5, found.scores.shape).astype(np.float32)
        assert np.array_equal(decide(moved, rule), decide(found.scores, rule))


@settings(deadline=None, max_examples=100)
@given(drawn(), st.floats(-1, 1), st.floats(0, 0.5))
def test_room_changes_no_decision(found: SearchResults, threshold: float, margin: float) -> None:
    rule = DecisionRule(threshold, margin, 0.1)
    roomy = with_room(rule, found.scores)
    assert np.array_equal(decide(found.scores, roomy), decide(found.scores, rule))
    assert abs(roomy.threshold - threshold) <= 1.01 * ROOM
    assert abs(roomy.margin - margin) <= 1.01 * ROOM


def test_a_limit_between_scores_that_are_near_lies_midway() -> None:
    scores = np.array([[0.5, 0.0], [0.50002, 0.0]], np.float32)
    assert with_room(DecisionRule(0.50002, 0.0, 0.1), scores).threshold == pytest.approx(0.50001, abs=1e-7)


@pytest.mark.parametrize("unknowns", range(1, 120))
def test_of_fewer_unknowns_than_the_rate_needs_none_gets_a_name(unknowns: int) -> None:
    found = results([0] + [-1] * unknowns, [0] * (unknowns + 1), [0.9] + [0.5] * unknowns)
    for rate in (1 / unknowns, 1 / (unknowns + 1)):
        rule = fit_rule(found, rate)
        assert detected(found, rule) == 1
        assert false_positives(found, rule) <= rate
    above = results([0] + [-1] * unknowns, [0] * (unknowns + 1), [0.9] + [0.95] * unknowns)
    assert detected(above, fit_rule(above, 1 / (unknowns + 1))) == 0


def test_photos_from_elsewhere_are_refused_as_often_as_unknowns() -> None:
    """Many easy ones may not hide that half of the few unknowns get a name, nor the other way round."""
    found = results([0, 0, 0, -1, -1], [0] * 5, [0.95, 0.7, 0.5, 0.6, 0.1])
    easy = np.tile(np.array([[0.0, -1.0]], np.float32), (100, 1))
    assert fit_rule(found, 0.02, easy).threshold > 0.6
    hard = np.concatenate([easy, np.tile(np.array([[0.8, -1.0]], np.float32), (10, 1))])
    assert fit_rule(found, 0.02, hard).threshold > 0.8
    assert fit_rule(found.take(found.enrolled), 0.02, hard).threshold > 0.8  # they serve without unknowns too


def test_no_unknowns_is_an_error_that_says_how_to_get_some() -> None:
    with pytest.raises(DataError, match=r"2 enrolled and 0 unknown queries: .*elsewhere: built-in"):
        fit_rule(results([0, 1], [0, 1], [0.9, 0.8]), 0.1)


def test_no_enrolled_queries_is_an_error() -> None:
    with pytest.raises(DataError, match="0 enrolled and 2 unknown queries"):
        fit_rule(results([-1, -1], [0, 1], [0.9, 0.8]), 0.5)

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from discern.errors import DataError
from discern.evaluation.confidence import exact_rate
from discern.evaluation.metrics import measure
from discern.evaluation.retrieval import SearchResults
from discern.evaluation.threshold_calibration import ROOM, candidate_margins, fit_rule, rule_rates, with_room
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
    rules = [DecisionRule(t, m, fpir) for t, m in itertools.product(thresholds, candidate_margins(found))]
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
def test_a_rate_of_one_in_n_needs_n_unknowns(unknowns: int) -> None:
    found = results([0] + [-1] * unknowns, [0] * (unknowns + 1), [0.9] + [0.5] * unknowns)
    fit_rule(found, 1 / unknowns)
    with pytest.raises(DataError, match=f"at least {unknowns + 1} are needed"):
        fit_rule(found, 1 / (unknowns + 1))


def test_no_unknowns_is_an_error_that_says_how_to_get_some() -> None:
    with pytest.raises(DataError, match=r"2 enrolled and 0 unknown queries: hold out .*unknown_share"):
        fit_rule(results([0, 1], [0, 1], [0.9, 0.8]), 0.1)


def test_no_enrolled_queries_is_an_error() -> None:
    with pytest.raises(DataError, match="0 enrolled and 2 unknown queries"):
        fit_rule(results([-1, -1], [0, 1], [0.9, 0.8]), 0.5)


def test_too_few_unknowns_for_the_rate_is_an_error() -> None:
    with pytest.raises(DataError, match=r"rate of 0.05 cannot be measured on 3 unknown queries: at least 20"):
        fit_rule(results([0, -1, -1, -1], [0, 1, 1, 1], [0.9, 0.8, 0.7, 0.6]), 0.05)


def test_the_rates_of_a_rule_count_right_names_and_unknowns_with_any() -> None:
    found = results(
        truth=[0, 0, 1, 1, 2, -1, -1, -1, -1],
        best_class=[0, 1, 1, 1, 2, 0, 1, 2, 0],
        best=[0.9, 0.8, 0.7, 0.4, 0.6, 0.9, 0.55, 0.3, 0.2],
        second=[0.1, 0.1, 0.1, 0.1, 0.55, 0.1, 0.1, 0.1, 0.1],
    )
    # Right, wrong name, right, too low, too near the second; named, named, refused, refused.
    rates = rule_rates(found, DecisionRule(0.5, 0.1, 0.1))
    assert rates.tpir == exact_rate(2, 5)
    assert rates.fpir == exact_rate(2, 4)
    assert rates.figures() == {
        "fpir": 0.5,
        "fpir_low": pytest.approx(0.0676, abs=1e-4),
        "fpir_high": pytest.approx(0.9324, abs=1e-4),
        "fpir_queries": 4.0,
        "tpir": 0.4,
        "tpir_low": pytest.approx(0.0527, abs=1e-4),
        "tpir_high": pytest.approx(0.8534, abs=1e-4),
        "tpir_queries": 5.0,
    }


@settings(deadline=None, max_examples=40)
@given(drawn(), st.floats(-1, 1), st.floats(0, 1))
def test_rates_are_those_of_the_metrics(found: SearchResults, threshold: float, margin: float) -> None:
    rule = DecisionRule(threshold, margin, 0.1)
    rates, figures = rule_rates(found, rule), measure(found, rule)
    assert rates.fpir is not None
    assert rates.tpir is not None
    assert figures.tnir == pytest.approx(1 - rates.fpir.value)
    assert figures.tpir == pytest.approx(rates.tpir.value)


def test_of_queries_that_are_not_there_no_rate_is_told() -> None:
    rates = rule_rates(results([0, 1], [0, 1], [0.9, 0.8]), DecisionRule(0.5, 0.0, 0.1))
    assert rates.fpir is None
    assert all(not name.startswith("fpir") for name in rates.figures())
    assert rule_rates(results([-1], [0], [0.9]), DecisionRule(0.5, 0.0, 0.1)).tpir is None

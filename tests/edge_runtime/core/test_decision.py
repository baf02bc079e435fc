from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_runtime.core.decision import (
    Calibrator,
    DecisionRule,
    decide,
    reasons,
    right_probability,
    score_and_margin,
)


def test_decide_on_the_borders() -> None:
    rule = DecisionRule(threshold=0.5, margin=0.25, fpir=0.01)
    scores = np.array(
        [[0.5, 0.25], [0.5, 0.375], [0.4375, 0.0], [0.5, -np.inf], [-np.inf, -np.inf], [np.nan, 0.0]], np.float32
    )
    assert decide(scores, rule).tolist() == [True, False, False, True, False, False]
    assert decide(scores[:, :1], rule).tolist() == [True, True, False, True, False, False]


def test_each_reason_is_the_first_condition_that_is_not_met() -> None:
    rule = DecisionRule(threshold=0.5, margin=0.25, fpir=0.01, least_probability=0.75)
    scores = np.array([[0.5, 0.25], [0.5, 0.25], [0.5, 0.375], [0.375, 0.375], [np.nan, 0.0]], np.float32)
    probabilities = np.array([0.75, 0.5, 0.5, 0.5, np.nan])
    expected = ["match", "below_probability", "within_margin", "below_threshold", "below_threshold"]
    assert reasons(scores, rule, probabilities).tolist() == expected
    assert decide(scores, rule, probabilities).tolist() == [True, False, False, False, False]
    assert decide(scores, replace(rule, least_probability=0.0)).tolist() == [True, True, False, False, False]


def test_a_least_probability_is_never_passed_over() -> None:
    with pytest.raises(ValueError, match="needs the probabilities"):
        decide(np.ones((1, 2), np.float32), DecisionRule(0.5, 0.0, 0.1, least_probability=0.5))


def test_without_a_second_class_the_margin_reaches_down_to_the_lowest_cosine() -> None:
    scores = np.array([[0.5, 0.25], [0.5, -0.5], [0.5, -np.inf], [-1.0, -np.inf]], np.float32)
    assert score_and_margin(scores).tolist() == [[0.5, 0.25], [0.5, 1.0], [0.5, 1.5], [-1.0, 0.0]]
    assert score_and_margin(scores[:, :1]).tolist() == [[0.5, 1.5]] * 3 + [[-1.0, 0.0]]


def test_probabilities_by_hand() -> None:
    scores = np.array([[0.5, 0.25], [0.75, 0.25], [0.75, -np.inf]], np.float32)
    # Log-odds: 2 - 1 - 1 = 0; 3 - 2 - 1 = 0; 3 - 7 - 1 = -5.
    probabilities = right_probability(scores, Calibrator(score=4.0, margin=-4.0, intercept=-1.0))
    np.testing.assert_allclose(probabilities, [0.5, 0.5, 1 / (1 + np.exp(5))])
    sure = right_probability(scores, Calibrator(score=1e5, margin=0.0, intercept=-6e4))
    assert sure.tolist() == [0.0, 1.0, 1.0]  # without an overflow


@given(
    arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=32)),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(0, 0.5),
)
def test_a_stricter_rule_knows_no_more(
    scores: NDArray[np.float32], threshold: float, margin: float, more: float
) -> None:
    scores = -np.sort(-scores, axis=1)
    loose = decide(scores, DecisionRule(threshold, margin, 0.1))
    strict = decide(scores, DecisionRule(threshold + more, margin + more, 0.1))
    assert not (strict & ~loose).any()

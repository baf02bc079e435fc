from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from discern.evaluation.openset import allowed_false_positives, lowest_threshold, tpir_at_fpir
from discern.evaluation.retrieval import SearchResults
from tests.discern.evaluation.cases import drawn, results

BY_HAND = results(
    truth=[0, 1, 2, 2, -1, -1, -1, -1],
    best_class=[0, 1, 2, 1, 0, 1, 2, 0],
    best=[0.9, 0.7, 0.5, 0.95, 0.8, 0.6, 0.4, 0.2],
)


@pytest.mark.parametrize(
    ("fpir", "rate"),
    [
        (0.25, 2 / 4),  # just above .6: .9 and .7 pass, .95 does too but is wrong
        (0.49, 2 / 4),
        (0.5, 3 / 4),  # just above .4
        (1.0, 3 / 4),
    ],
)
def test_a_case_worked_by_hand(fpir: float, rate: float) -> None:
    assert tpir_at_fpir(BY_HAND, fpir) == rate


def test_a_query_that_scores_as_the_refused_unknown_is_refused() -> None:
    found = results([0, 1, -1, -1], [0, 1, 0, 1], [0.6, 0.7, 0.6, 0.7])
    assert tpir_at_fpir(found, 0.5) == 0.5
    assert tpir_at_fpir(found, 1.0) == 1.0


def test_unknowns_that_tie_pass_together_or_not_at_all() -> None:
    assert tpir_at_fpir(results([0, -1, -1, -1], [0, 1, 1, 1], [0.6, 0.7, 0.7, 0.1]), 0.34) == 0.0
    assert tpir_at_fpir(results([0, -1, -1, -1], [0, 1, 1, 1], [0.6, 0.7, 0.7, 0.1]), 0.67) == 1.0


def test_no_margin_is_asked_for() -> None:
    assert tpir_at_fpir(results([0, -1], [0, 1], [0.6, 0.9], [0.6, 0.1]), 1.0) == 1.0


@pytest.mark.parametrize("unknowns", [1, 3, 49, 99, 100])
def test_a_rate_of_one_in_n_needs_n_unknowns(unknowns: int) -> None:
    found = results([0] + [-1] * unknowns, [0] * (unknowns + 1), [0.9] + [0.5] * unknowns)
    assert tpir_at_fpir(found, 1 / unknowns) == 1.0
    assert tpir_at_fpir(found, 1 / (unknowns + 1)) is None


def test_what_cannot_be_computed_is_none() -> None:
    assert tpir_at_fpir(results([-1, -1], [0, 1], [0.9, 0.8]), 0.5) is None
    assert tpir_at_fpir(results([0, 1], [0, 1], [0.9, 0.8]), 0.5) is None


@pytest.mark.parametrize("fpir", [0.0, -0.1, 1.5, float("nan")])
def test_what_is_no_rate_is_an_error(fpir: float) -> None:
    with pytest.raises(ValueError, match="above 0 and is at most 1"):
        tpir_at_fpir(BY_HAND, fpir)


@settings(deadline=None, max_examples=100)
@given(drawn(), st.floats(0.01, 1))
def test_where_every_enrolled_query_is_right_it_is_scikit_learns_roc_curve(found: SearchResults, fpir: float) -> None:
    right = replace(found, best_class=np.maximum(found.truth, 0))
    false_positive, true_positive, _ = roc_curve(right.enrolled, right.scores[:, 0], drop_intermediate=False)
    rate = tpir_at_fpir(right, fpir)
    if allowed_false_positives(int((~right.enrolled).sum()), fpir) < 1:
        assert rate is None
    else:
        assert rate == pytest.approx(true_positive[false_positive <= fpir].max())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-0.984375, 1, width=32), min_size=1, max_size=20), st.integers(0, 25))
def test_no_lower_threshold_lets_only_so_many_pass(scores: list[float], allowed: int) -> None:
    unknowns = np.array(scores, np.float32)
    threshold = lowest_threshold(unknowns, allowed)
    assert (unknowns >= threshold).sum() <= allowed
    if threshold > -1:
        assert (unknowns >= np.nextafter(np.float32(threshold), np.float32(-2))).sum() > allowed

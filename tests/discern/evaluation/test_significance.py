from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import norm

from discern.errors import DataError
from discern.evaluation.significance import Gap, paired_gap, resampled_sums

FIRST = np.array([True, True, True, False, False, True, True, False])
SECOND = np.array([True, True, True, True, True, False, True, True])
GROUPS = ["a", "a", "b", "b", "c", "c", "d", "d"]


def test_every_figure_of_a_case_worked_by_hand() -> None:
    gap = paired_gap(FIRST, SECOND, GROUPS)
    assert gap.difference == pytest.approx(2 / 8)  # 7 right against 5
    assert gap.disagreement == pytest.approx(4 / 8)
    # 3 won and 1 lost: of 16 outcomes of 4 fair coins, 10 are as uneven.
    assert gap.mcnemar_p == pytest.approx(10 / 16)
    assert gap.pairs == 8
    # Class differences 0, 1, 0, 1 of 2 each: a resample of 4 sums up Binomial(4, 1/2) of 8. Its 2.5 % quantile is 0
    # (probability 1/16) and its 97.5 % quantile is 4 (1/16).
    assert (gap.low, gap.high) == (0.0, 0.5)


def test_the_other_way_round_only_the_sign_changes() -> None:
    gap, back = paired_gap(FIRST, SECOND, GROUPS), paired_gap(SECOND, FIRST, GROUPS)
    assert (back.difference, back.low, back.high) == (-gap.difference, -gap.high, -gap.low)
    assert (back.disagreement, back.mcnemar_p) == (gap.disagreement, gap.mcnemar_p)


def test_models_that_never_differ_have_no_gap() -> None:
    gap = paired_gap(FIRST, FIRST, GROUPS)
    assert gap == Gap(difference=0, low=0, high=0, disagreement=0, mcnemar_p=1, pairs=8)


def test_the_interval_is_the_normal_one_where_each_query_is_its_own_class() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random(900) < 0.8, rng.random(900) < 0.85
    gap = paired_gap(first, second, [str(number) for number in range(900)], resamples=4000)
    error = (second.astype(float) - first).std() / np.sqrt(900)
    assert gap.low == pytest.approx(gap.difference + norm.ppf(0.025) * error, abs=0.003)
    assert gap.high == pytest.approx(gap.difference + norm.ppf(0.975) * error, abs=0.003)


def test_queries_that_are_alike_within_a_class_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    first, second = np.repeat(rng.random(60) < 0.5, 16), np.repeat(rng.random(60) < 0.6, 16)
    whole = paired_gap(first, second, [str(number // 16) for number in range(960)], resamples=2000)
    single = paired_gap(first, second, [str(number) for number in range(960)], resamples=2000)
    assert (whole.high - whole.low) / (single.high - single.low) == pytest.approx(4, rel=0.15)  # sqrt(16)
    assert whole.difference == single.difference


def test_a_class_weighs_by_its_queries() -> None:
    # In every resample the difference is the share of queries of class a, 1/2, 9/10 or none or all of them.
    gap = paired_gap(np.array([False] * 10), np.array([True] * 9 + [False]), ["a"] * 9 + ["b"])
    assert gap.difference == pytest.approx(0.9)
    assert (gap.low, gap.high) == (0.0, 1.0)


@settings(deadline=None, max_examples=50)
@given(arrays.arrays(np.bool_, (2, 24)), st.lists(st.sampled_from("abcd"), min_size=22, max_size=22))
def test_figures_keep_their_bounds(right: np.ndarray, groups: list[str]) -> None:
    gap = paired_gap(right[0], right[1], ["a", "b", *groups], resamples=200)
    assert gap.difference == pytest.approx(right[1].mean() - right[0].mean())
    assert -1 <= gap.low <= gap.high <= 1
    assert abs(gap.difference) <= gap.disagreement + 1e-12
    assert 0 < gap.mcnemar_p <= 1


def test_the_seed_decides_the_draws() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.random((2, 90)) < 0.7
    groups = [str(number % 30) for number in range(90)]
    assert paired_gap(first, second, groups, seed=1) == paired_gap(first, second, groups, seed=1)
    assert paired_gap(first, second, groups, seed=1, resamples=50) != paired_gap(
        first, second, groups, seed=2, resamples=50
    )


@pytest.mark.parametrize("count", [0, 3])
def test_fewer_than_two_classes_have_no_interval(count: int) -> None:
    with pytest.raises(DataError, match="has no interval: compare on queries of two classes or more"):
        paired_gap(FIRST[:count], SECOND[:count], ["a"] * count)


def test_answers_to_other_queries_are_an_error() -> None:
    with pytest.raises(ValueError, match="8 and 7 answers to queries of 8 groups"):
        paired_gap(FIRST, SECOND[:7], GROUPS)


def test_the_kinds_that_are_drawn_are_as_likely_as_their_groups() -> None:
    values = np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 3.0]])  # two thirds of the draws are of the first kind
    sums = resampled_sums(values, 6000, seed=0)
    np.testing.assert_array_equal(np.unique(sums[:, 0]), [0, 1, 2, 3])
    np.testing.assert_array_equal(sums[:, 1], 9 - sums[:, 0])
    counts = np.bincount(sums[:, 0].astype(int)) / 6000
    np.testing.assert_allclose(counts, np.array([1, 6, 12, 8]) / 27, atol=0.02)

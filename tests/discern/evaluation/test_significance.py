from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import norm

from discern.errors import DataError
from discern.evaluation.metrics import macro_precision_recall
from discern.evaluation.retrieval import SearchResults
from discern.evaluation.significance import Gap, bootstrap, paired_gap, weighted_figures
from edge_runtime.core.identify import DecisionRule
from tests.discern.evaluation.cases import drawn

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


def test_the_bootstrap_of_two_classes_is_the_one_worked_by_hand() -> None:
    # Class a has 1 query, which only the candidate gets right; class b has 3, which both do.
    # Drawn twice with replacement: aa gains 1, ab or ba gains 1/4, bb gains 0, with 1/4, 1/2 and 1/4 of the weight.
    truth = np.array([0, 1, 1, 1])
    production = np.array([-1, 1, 1, 1])
    interval = bootstrap(truth, truth, production, ["a", "b", "b", "b"], resamples=2000)["accuracy"]
    assert (interval.difference, interval.low, interval.high) == (0.25, 0.0, 1.0)


def test_the_bootstrap_equals_a_direct_computation() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(-1, 4, 40)
    first = np.where(rng.random(40) < 0.8, truth, rng.integers(-1, 4, 40))
    second = np.where(rng.random(40) < 0.6, truth, rng.integers(-1, 4, 40))
    names = [f"{number}" for number in truth]
    intervals = bootstrap(truth, first, second, names, resamples=400)
    order = sorted(set(names))
    gains = []
    for draw in np.random.default_rng(0).integers(0, 5, (400, 5)):
        times = {int(order[i]): float((draw == i).sum()) for i in range(5)}
        gains.append([a - b for a, b in zip(_direct(truth, first, times), _direct(truth, second, times), strict=True)])
    for name, values in zip(("accuracy", "precision", "recall"), np.array(gains).T, strict=True):
        assert intervals[name].low == pytest.approx(np.quantile(values, 0.025))
        assert intervals[name].high == pytest.approx(np.quantile(values, 0.975))
        assert intervals[name].low < intervals[name].difference < intervals[name].high


def _direct(truth: np.ndarray, answered: np.ndarray, times: dict[int, float]) -> tuple[float, float, float]:
    """Accuracy, precision and recall of one resample, query by query and class by class."""
    weight = np.array([times[number] for number in truth.tolist()])
    accuracy = float(np.average(truth == answered, weights=weight))
    means = []
    for counted in (answered, truth):
        shares = {
            number: np.average((truth == answered)[counted == number], weights=weight[counted == number])
            for number in range(4)
            if weight[counted == number].sum()
        }
        total = sum(times[number] for number in shares)
        means.append(sum(times[number] * share for number, share in shares.items()) / total if total else 0.0)
    return accuracy, float(means[0]), float(means[1])


@settings(deadline=None, max_examples=60)
@given(drawn())
def test_with_every_class_once_the_figures_are_the_metrics(found: SearchResults) -> None:
    answered = found.answers(DecisionRule(0.3, 0.1, 0.1))
    figures = weighted_figures(found.truth, answered, found.truth + 1, np.ones((1, 5), np.int64))
    precision, recall = macro_precision_recall(found.truth, answered)
    assert figures["precision"][0] == pytest.approx(precision or 0.0)
    assert figures["recall"][0] == pytest.approx(recall or 0.0)
    assert figures["accuracy"][0] == pytest.approx((found.truth == answered).mean())


def test_recall_is_as_uncertain_as_accuracy_where_the_two_are_one_figure() -> None:
    # Equally many queries a class and no unknown: macro recall is accuracy, and a class drawn twice weighs twice.
    rng = np.random.default_rng(6)
    truth = np.repeat(np.arange(20), 4)
    answered = np.where(rng.random(80) < rng.random(20)[truth], truth, -1)
    better = np.where(rng.random(80) < 0.2, truth, answered)
    intervals = bootstrap(truth, better, answered, [f"{label:02}" for label in truth], resamples=300)
    assert intervals["recall"].low == pytest.approx(intervals["accuracy"].low)
    assert intervals["recall"].high == pytest.approx(intervals["accuracy"].high)
    assert intervals["recall"].high > intervals["recall"].low


def test_the_interval_covers_whole_classes_not_single_queries() -> None:
    # One class of many queries decides everything: drawing queries would look certain, drawing classes does not.
    truth = np.concatenate([np.zeros(40, np.int64), np.arange(1, 5)])
    production = truth.copy()
    production[:40] = -1
    groups = [str(number) for number in truth]
    interval = bootstrap(truth, truth, production, groups, resamples=300)["accuracy"]
    assert interval.low == 0.0

from __future__ import annotations

import numpy as np
import pytest

from discern.evaluation.confidence import class_rate
from discern.evaluation.cross_fitting import cross_fitted_names, cross_fitted_rates, fit_promised_rule
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.evaluation.threshold_calibration import fit_rule
from edge_runtime.core.identify import decide


def world(seed: int, classes: int, spread: float = 0.12, each: int = 5) -> SearchResults:
    """Queries of classes, each asked as known and as unknown; classes differ in how high their photos score."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([f"class {number}" for number in range(classes)], each)
    own = np.repeat(np.arange(classes), each)
    effect = np.repeat(rng.normal(0, spread, classes), each)
    known = 0.8 + rng.normal(0, 0.05, len(own))
    unknown = np.clip(0.4 + effect + rng.normal(0, 0.05, len(own)), -1, 1)
    best = np.concatenate([known, unknown])
    none = np.zeros(2 * len(own), dtype=bool)
    return SearchResults(
        truth=np.concatenate([own, np.full(len(own), UNKNOWN)]),
        best_class=np.concatenate([own, (own + 1) % classes]),
        scores=np.stack([best, best - 0.3], axis=1).astype(np.float32),
        labels=tuple(f"class {number}" for number in range(classes)),
        query_labels=(*labels.tolist(), *labels.tolist()),
        trained=none,
        left_out=np.arange(len(none)) >= len(own),
    )


def test_no_query_is_answered_by_a_rule_that_saw_its_class() -> None:
    """Of a class whose unknowns score highest, the rule without it lets all pass; the rule with it lets none."""
    found = world(0, classes=6, spread=0.0)
    scores = found.scores.copy()
    strangest = np.array([label == "class 3" for label in found.query_labels]) & ~found.enrolled
    scores[strangest] += np.float32(0.2)
    found = SearchResults(**{**vars(found), "scores": scores})
    names = cross_fitted_names(found, fpir=0.01, folds=6)
    assert names is not None
    assert names[strangest].all()
    assert not decide(found.scores, fit_rule(found, 0.01))[strangest].any()


def test_rates_are_honest_where_the_rule_is_fitted_on_few_classes() -> None:
    """On the queries that it is fitted on a rule always keeps its rate; on other classes it does not."""
    within, crossed, truth = [], [], []
    for seed in range(40):
        found, others = world(seed, classes=8), world(1000 + seed, classes=200)
        rule = fit_rule(found, 0.05)
        rate = cross_fitted_rates(found, 0.05).fpir
        assert rate is not None
        within.append(decide(found.scores[~found.enrolled], rule).mean())
        crossed.append(rate.value)
        truth.append(decide(others.scores[~others.enrolled], rule).mean())
    assert max(within) <= 0.05
    assert np.mean(truth) > 0.06
    assert np.mean(crossed) == pytest.approx(np.mean(truth), abs=0.04)


def test_a_promised_rule_keeps_its_rate_on_other_classes() -> None:
    plain, promised = [], []
    for seed in range(40):
        found, others = world(seed, classes=30), world(1000 + seed, classes=200)
        unknown = others.scores[~others.enrolled]
        plain.append(decide(unknown, fit_rule(found, 0.05)).mean())
        promised.append(decide(unknown, fit_promised_rule(found, 0.05).rule).mean())
    assert np.mean(promised) < np.mean(plain)
    assert np.mean(promised) <= 0.055


def test_figures_say_how_many_classes_stand_behind_them() -> None:
    rates = cross_fitted_rates(world(0, classes=30), 0.05)
    figures = rates.figures()
    assert figures["fpir_classes"] == 30
    assert figures["fpir_queries"] == figures["tpir_queries"] == 150
    assert figures["fpir_low"] <= figures["fpir"] <= figures["fpir_high"]


def test_of_one_class_no_rate_can_be_told() -> None:
    found = world(0, classes=1)
    rates = cross_fitted_rates(found, 0.05)
    assert (rates.fpir, rates.tpir) == (None, None)
    assert rates.figures() == {"fpir_classes": 0.0}


def test_the_order_of_queries_changes_nothing() -> None:
    found = world(3, classes=12)
    order = np.random.default_rng(0).permutation(len(found.truth))
    names = cross_fitted_names(found, 0.1)
    shuffled = cross_fitted_names(found.take(order), 0.1)
    assert names is not None
    assert shuffled is not None
    np.testing.assert_array_equal(names[order], shuffled)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_the_interval_over_classes_holds_what_it_promises(share: float) -> None:
    """Of classes whose photos are alike, the exact interval of independent queries holds far too seldom."""
    held = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        of_class = rng.beta(share * 3, (1 - share) * 3, 60)
        hits = rng.random((60, 10)) < of_class[:, None]
        rate = class_rate(hits.ravel(), np.repeat([str(number) for number in range(60)], 10).tolist())
        assert rate is not None
        held += rate.low <= share <= rate.high
    assert held / 300 >= 0.92


def test_where_nothing_is_hit_each_class_counts_as_one_query() -> None:
    rate = class_rate(np.zeros(200, bool), np.repeat([str(number) for number in range(20)], 10).tolist())
    assert rate is not None
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert 0.1 < rate.high < 0.25  # 20 independent queries: .168
    assert class_rate(np.zeros(0, bool), []) is None
    alone = class_rate(np.ones(5, bool), ["a"] * 5)
    assert alone is not None
    assert (alone.low, alone.high) == (0.0, 1.0)

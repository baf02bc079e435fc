from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from discern.evaluation.gates import (
    AnsweredQueries,
    GateConfig,
    GateResult,
    PromotionDecision,
    already_in_production,
    apply_floors,
    apply_gates,
    bootstrap,
    weighted_figures,
)
from discern.evaluation.metrics import Metrics, macro_precision_recall, measure
from discern.evaluation.retrieval import Outcomes
from edge_runtime.core.identify import DecisionRule
from tests.discern.evaluation.cases import ACCEPT_ALL, drawn, outcomes

CLASSES = 12
EACH = 5
UNKNOWNS = 10
TRUTH = np.concatenate([np.repeat(np.arange(CLASSES), EACH), np.full(UNKNOWNS, -1)])
GROUPS = [f"class {number:02}" if number >= 0 else f"unknown {row % 2}" for row, number in enumerate(TRUTH)]
CONFIG = GateConfig(resamples=300)


def answers(
    answered: np.ndarray, latency_ms: float = 10.0, size_mb: float = 5.0, truth: np.ndarray = TRUTH
) -> AnsweredQueries:
    """AnsweredQueries with the figures that follow from them."""
    rows = [-1.0 if name < 0 else 1.0 for name in answered]  # what got no name lies below any threshold
    found = outcomes(truth.tolist(), np.maximum(answered, 0).tolist(), rows, [-1.0] * len(rows), classes=CLASSES)
    named = measure(found, ACCEPT_ALL)
    unknowns = truth < 0
    refusal = float((answered[unknowns] == -1).mean()) if unknowns.any() else None
    figures = named.model_copy(update={"tnir": refusal, "accuracy": float((answered == truth).mean())})
    return AnsweredQueries(truth=truth, answered=answered, metrics=figures, latency_ms=latency_ms, size_mb=size_mb)


def wrong_in(classes: int, each: int = 2, unknowns: int = 0) -> np.ndarray:
    """AnsweredQueries with the first `each` queries of the first classes unknown, and the first unknowns named."""
    answered = TRUTH.copy()
    for number in range(classes):
        answered[number * EACH : number * EACH + each] = -1
    answered[CLASSES * EACH : CLASSES * EACH + unknowns] = 0
    return answered


def gate(verdict: PromotionDecision, name: str) -> GateResult:
    (found,) = [gate for gate in verdict.gates if gate.name == name]
    return found


def failed(verdict: PromotionDecision) -> set[str]:
    return {gate.name for gate in verdict.gates if not gate.passed}


def test_a_better_candidate_passes_every_gate() -> None:
    verdict = apply_gates(answers(TRUTH), answers(wrong_in(10, unknowns=2)), GROUPS, CONFIG)
    assert failed(verdict) == set()
    assert verdict.promote
    assert verdict.reason == "better on accuracy, recall"
    assert {gate.name for gate in verdict.gates} == {
        "accuracy not worse",
        "precision not worse",
        "recall not worse",
        "better on at least one",
        "no class loses",
        "TNIR not worse",
        "latency",
        "size",
    }
    assert verdict.differences["accuracy"].difference == pytest.approx(22 / 70)


def test_identical_answers_are_not_promoted() -> None:
    same = answers(wrong_in(4))
    verdict = apply_gates(same, same, GROUPS, CONFIG)
    assert failed(verdict) == {"better on at least one"}
    assert not verdict.promote
    assert verdict.reason == "better on at least one: no interval lies above 0"
    assert all((i.difference, i.low, i.high) == (0, 0, 0) for i in verdict.differences.values())


def test_a_worse_candidate_fails_what_it_is_worse_on() -> None:
    verdict = apply_gates(answers(wrong_in(10, unknowns=2)), answers(TRUTH), GROUPS, CONFIG)
    assert failed(verdict) == {
        "accuracy not worse",
        "precision not worse",
        "recall not worse",
        "better on at least one",
        "no class loses",
        "TNIR not worse",
    }
    assert not verdict.promote


def test_what_may_be_worse_is_not_let_through_for_its_mean() -> None:
    candidate, production = TRUTH.copy(), TRUTH.copy()
    candidate[: 4 * EACH : EACH] = -1  # a query of each of four classes lost, one of each of four others won
    production[4 * EACH : 8 * EACH : EACH] = -1
    verdict = apply_gates(answers(candidate), answers(production), GROUPS, CONFIG)
    assert verdict.differences["accuracy"].difference == 0
    assert failed(verdict) >= {"accuracy not worse", "recall not worse", "better on at least one"}


def test_one_class_that_loses_stops_a_candidate_that_wins_elsewhere() -> None:
    candidate = TRUTH.copy()
    candidate[:3] = -1  # 3 of the 5 queries of class 00
    production = wrong_in(11, each=3)
    production[:3] = TRUTH[:3]
    verdict = apply_gates(answers(candidate), answers(production), GROUPS, CONFIG.model_copy(update={"worse_by": 1.0}))
    assert failed(verdict) == {"no class loses"}
    assert "class 00 loses 0.60 of its queries, 0.34 may" in verdict.reason


def test_a_class_of_few_queries_is_not_judged_alone() -> None:
    candidate = TRUTH.copy()
    candidate[:3] = -1
    config = CONFIG.model_copy(update={"worse_by": 1.0, "class_queries": EACH + 1})
    groups = [GROUPS[0]] * EACH + ["others"] * (len(GROUPS) - EACH)
    assert gate(apply_gates(answers(candidate), answers(TRUTH), groups, config), "no class loses").passed


def test_where_every_class_has_few_queries_none_is_said_to_lose_nothing() -> None:
    config = CONFIG.model_copy(update={"class_queries": EACH + 1})
    groups = [f"{name} {row % 2}" for row, name in enumerate(GROUPS)]
    found = gate(apply_gates(answers(TRUTH), answers(TRUTH), groups, config), "no class loses")
    assert not found.passed
    assert found.detail == "no class has 6 queries or more: not computed"


def test_unknowns_who_get_names_stop_a_candidate() -> None:
    candidate = TRUTH.copy()
    candidate[-1] = 0
    production = answers(wrong_in(10))
    config = CONFIG.model_copy(update={"class_loses": 1.0})
    assert failed(apply_gates(answers(candidate), production, GROUPS, config)) >= {"TNIR not worse"}
    lenient = config.model_copy(update={"refusal_worse_by": 0.1})
    assert gate(apply_gates(answers(candidate), production, GROUPS, lenient), "TNIR not worse").passed


def test_without_unknowns_the_refusal_gate_fails_rather_than_passes() -> None:
    enrolled = TRUTH >= 0
    groups = [name for name, keep in zip(GROUPS, enrolled, strict=True) if keep]
    ours = answers(TRUTH[enrolled], truth=TRUTH[enrolled])
    theirs = answers(wrong_in(10)[enrolled], truth=TRUTH[enrolled])
    verdict = apply_gates(ours, theirs, groups, CONFIG)
    assert failed(verdict) == {"TNIR not worse"}
    assert "no unknown" in verdict.reason


@pytest.mark.parametrize(
    ("cost", "name"),
    [({"latency_ms": 100.1}, "latency"), ({"size_mb": 100.1}, "size"), ({"latency_ms": float("nan")}, "latency")],
)
def test_a_candidate_over_budget_is_stopped_first_or_not(cost: dict[str, float], name: str) -> None:
    candidate = answers(TRUTH).model_copy(update=cost)
    assert failed(apply_gates(candidate, answers(wrong_in(10)), GROUPS, CONFIG)) == {name}
    assert failed(apply_floors(candidate, CONFIG)) == {name}


def test_other_queries_are_an_error() -> None:
    other = TRUTH.copy()
    other[0] = 1
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(other, truth=other), GROUPS, CONFIG)
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(TRUTH[:-1], truth=TRUTH[:-1]), GROUPS, CONFIG)
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(TRUTH), GROUPS[:-1], CONFIG)


def test_queries_of_one_class_promote_nothing() -> None:
    verdict = apply_gates(answers(TRUTH), answers(wrong_in(10)), ["pill"] * len(TRUTH), CONFIG)
    assert failed(verdict) == {"classes to draw from"}
    assert not verdict.promote
    assert "no spread" in verdict.reason


def test_queries_of_unknowns_alone_promote_nothing() -> None:
    unknowns, production = np.full(6, -1), np.array([-1, -1, -1, -1, -1, 0])
    groups = [f"unknown {number}" for number in range(6)]
    verdict = apply_gates(answers(unknowns, truth=unknowns), answers(production, truth=unknowns), groups, CONFIG)
    assert failed(verdict) == {"classes to draw from"}
    assert not verdict.promote
    assert "unknowns alone" in verdict.reason


def test_a_first_release_is_judged_by_floors() -> None:
    verdict = apply_floors(answers(TRUTH), CONFIG)
    assert verdict.promote
    assert verdict.production is None
    assert [gate.name for gate in verdict.gates] == ["recall@1", "TNIR", "latency", "size"]
    assert failed(apply_floors(answers(wrong_in(12, each=4)), CONFIG)) == {"recall@1"}
    assert failed(apply_floors(answers(wrong_in(0, unknowns=6)), CONFIG)) == {"TNIR"}


def test_a_floor_on_what_could_not_be_computed_fails() -> None:
    enrolled = TRUTH >= 0
    verdict = apply_floors(answers(TRUTH[enrolled], truth=TRUTH[enrolled]), CONFIG)
    assert failed(verdict) == {"TNIR"}
    assert "could not be computed" in verdict.reason
    unknowns = apply_floors(answers(TRUTH[~enrolled], truth=TRUTH[~enrolled]), CONFIG)
    assert failed(unknowns) == {"recall@1"}


def test_the_release_in_production_is_not_promoted_again() -> None:
    verdict = already_in_production("0123456789abcdef")
    assert not verdict.promote
    assert "0123456789abcdef is in production already" in verdict.reason


def test_the_bootstrap_of_two_classes_is_the_one_worked_by_hand() -> None:
    # Class a has 1 query, which only the candidate gets right; class b has 3, which both do.
    # Drawn twice with replacement: aa gains 1, ab or ba gains 1/4, bb gains 0, with 1/4, 1/2 and 1/4 of the weight.
    truth = np.array([0, 1, 1, 1])
    ours, theirs = answers(truth, truth=truth), answers(np.array([-1, 1, 1, 1]), truth=truth)
    interval = bootstrap(ours, theirs, ["a", "b", "b", "b"], GateConfig(resamples=2000))["accuracy"]
    assert (interval.difference, interval.low, interval.high) == (0.25, 0.0, 1.0)


def test_the_bootstrap_equals_a_direct_computation() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(-1, 4, 40)
    first = np.where(rng.random(40) < 0.8, truth, rng.integers(-1, 4, 40))
    second = np.where(rng.random(40) < 0.6, truth, rng.integers(-1, 4, 40))
    names = [f"{number}" for number in truth]
    intervals = bootstrap(answers(first, truth=truth), answers(second, truth=truth), names, GateConfig(resamples=400))
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
def test_with_every_class_once_the_figures_are_the_metrics(found: Outcomes) -> None:
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
    intervals = bootstrap(
        answers(better, truth=truth), answers(answered, truth=truth), [f"{x:02}" for x in truth], CONFIG
    )
    assert intervals["recall"].low == pytest.approx(intervals["accuracy"].low)
    assert intervals["recall"].high == pytest.approx(intervals["accuracy"].high)
    assert intervals["recall"].high > intervals["recall"].low


def test_the_interval_covers_whole_classes_not_single_queries() -> None:
    # One class of many queries decides everything: drawing queries would look certain, drawing classes does not.
    truth = np.concatenate([np.zeros(40, np.int64), np.arange(1, 5)])
    production = truth.copy()
    production[:40] = -1
    groups = [str(number) for number in truth]
    interval = bootstrap(answers(truth, truth=truth), answers(production, truth=truth), groups, CONFIG)["accuracy"]
    assert interval.low == 0.0


def test_the_verdict_is_the_same_every_time_and_survives_json() -> None:
    arguments: tuple[Any, ...] = (answers(TRUTH), answers(wrong_in(10)), GROUPS, CONFIG)
    verdict = apply_gates(*arguments)
    assert apply_gates(*arguments) == verdict
    assert PromotionDecision.model_validate_json(verdict.model_dump_json()) == verdict


def test_all_figures_of_both_lie_in_the_verdict() -> None:
    verdict = apply_gates(answers(TRUTH), answers(wrong_in(10)), GROUPS, CONFIG)
    assert isinstance(verdict.candidate, Metrics)
    assert isinstance(verdict.production, Metrics)
    assert verdict.candidate.recall_at_1 == 1.0


@pytest.mark.parametrize("key", ["worse_by", "class_loses", "refusal_worse_by", "latency_ms", "size_mb", "resamples"])
def test_a_gate_below_zero_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        GateConfig.model_validate({key: -1})

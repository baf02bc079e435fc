from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from discern.evaluation import gates
from discern.evaluation.gates import (
    AnsweredQueries,
    GateConfig,
    GateResult,
    PromotionDecision,
    already_in_production,
    apply_floors,
    apply_gates,
)
from discern.evaluation.metrics import Metrics, measure
from tests.discern.evaluation.cases import ACCEPT_ALL, results

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
    found = results(truth.tolist(), np.maximum(answered, 0).tolist(), rows, [-1.0] * len(rows), classes=CLASSES)
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


def gate(decision: PromotionDecision, name: str) -> GateResult:
    (found,) = [gate for gate in decision.gates if gate.name == name]
    return found


def failed(decision: PromotionDecision) -> set[str]:
    return {gate.name for gate in decision.gates if not gate.passed}


def test_a_better_candidate_passes_every_gate() -> None:
    decision = apply_gates(answers(TRUTH), answers(wrong_in(10, unknowns=2)), GROUPS, CONFIG)
    assert failed(decision) == set()
    assert decision.promote
    assert decision.reason == "better on accuracy, recall"
    assert {gate.name for gate in decision.gates} == {
        "accuracy not worse",
        "precision not worse",
        "recall not worse",
        "better on at least one",
        "no class loses",
        "TNIR not worse",
        "latency",
        "size",
    }
    assert decision.differences["accuracy"].difference == pytest.approx(22 / 70)


def test_identical_answers_are_not_promoted() -> None:
    same = answers(wrong_in(4))
    decision = apply_gates(same, same, GROUPS, CONFIG)
    assert failed(decision) == {"better on at least one"}
    assert not decision.promote
    assert decision.reason == "better on at least one: no interval lies above 0"
    assert all((i.difference, i.low, i.high) == (0, 0, 0) for i in decision.differences.values())


def test_a_worse_candidate_fails_what_it_is_worse_on() -> None:
    decision = apply_gates(answers(wrong_in(10, unknowns=2)), answers(TRUTH), GROUPS, CONFIG)
    assert failed(decision) == {
        "accuracy not worse",
        "precision not worse",
        "recall not worse",
        "better on at least one",
        "no class loses",
        "TNIR not worse",
    }
    assert not decision.promote


def test_what_may_be_worse_is_not_let_through_for_its_mean() -> None:
    candidate, production = TRUTH.copy(), TRUTH.copy()
    candidate[: 4 * EACH : EACH] = -1  # a query of each of four classes lost, one of each of four others won
    production[4 * EACH : 8 * EACH : EACH] = -1
    decision = apply_gates(answers(candidate), answers(production), GROUPS, CONFIG)
    assert decision.differences["accuracy"].difference == 0
    assert failed(decision) >= {"accuracy not worse", "recall not worse", "better on at least one"}


def test_one_class_that_loses_stops_a_candidate_that_wins_elsewhere() -> None:
    candidate = TRUTH.copy()
    candidate[:3] = -1  # 3 of the 5 queries of class 00
    production = wrong_in(11, each=3)
    production[:3] = TRUTH[:3]
    decision = apply_gates(answers(candidate), answers(production), GROUPS, CONFIG.model_copy(update={"worse_by": 1.0}))
    assert failed(decision) == {"no class loses"}
    assert "class 00 loses 0.60 of its queries, 0.34 may" in decision.reason


def test_a_class_of_few_queries_is_not_judged_alone() -> None:
    candidate = TRUTH.copy()
    candidate[:3] = -1
    config = CONFIG.model_copy(update={"worse_by": 1.0, "class_queries": EACH + 1})
    groups = [GROUPS[0]] * EACH + ["others"] * (len(GROUPS) - EACH)
    assert gate(apply_gates(answers(candidate), answers(TRUTH), groups, config), "no class loses").passed


def test_a_class_of_just_enough_queries_is_judged_alone() -> None:
    candidate = TRUTH.copy()
    candidate[:3] = -1
    config = CONFIG.model_copy(update={"class_queries": EACH})
    result = gate(apply_gates(answers(candidate), answers(TRUTH), GROUPS, config), "no class loses")
    assert not result.passed
    assert result.detail == "class 00 loses 0.60 of its queries, 0.34 may"


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
    lenient = config.model_copy(update={"tnir_worse_by": 0.1})
    assert gate(apply_gates(answers(candidate), production, GROUPS, lenient), "TNIR not worse").passed


def test_without_unknowns_the_refusal_gate_fails_rather_than_passes() -> None:
    enrolled = TRUTH >= 0
    groups = [name for name, keep in zip(GROUPS, enrolled, strict=True) if keep]
    ours = answers(TRUTH[enrolled], truth=TRUTH[enrolled])
    theirs = answers(wrong_in(10)[enrolled], truth=TRUTH[enrolled])
    decision = apply_gates(ours, theirs, groups, CONFIG)
    assert failed(decision) == {"TNIR not worse"}
    assert "no unknown" in decision.reason


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


def one_class(right: int, of: int = 40) -> AnsweredQueries:
    """Queries of one class, of which so many are answered, and unknowns that are refused."""
    truth = np.concatenate([np.zeros(of, np.int64), np.full(UNKNOWNS, -1)])
    return answers(np.where(np.arange(len(truth)) < right, 0, -1), truth=truth)


def test_of_one_class_queries_are_drawn_in_place_of_classes() -> None:
    groups = ["pill"] * 40 + ["unknown"] * UNKNOWNS
    decision = apply_gates(one_class(38), one_class(20), groups, CONFIG)
    assert decision.promote, decision.reason
    accuracy = decision.differences["accuracy"]
    assert 0 < accuracy.low < accuracy.difference < accuracy.high
    assert not apply_gates(one_class(21), one_class(20), groups, CONFIG).promote
    assert not apply_gates(one_class(20), one_class(38), groups, CONFIG).promote


def test_one_query_shows_no_spread() -> None:
    single = answers(np.array([0]), truth=np.array([0]))
    decision = apply_gates(single, single, ["pill"], CONFIG)
    assert failed(decision) == {"queries to draw from"}
    assert "no spread" in decision.reason


def test_queries_of_unknowns_alone_promote_nothing() -> None:
    unknowns, production = np.full(6, -1), np.array([-1, -1, -1, -1, -1, 0])
    groups = [f"unknown {number}" for number in range(6)]
    decision = apply_gates(answers(unknowns, truth=unknowns), answers(production, truth=unknowns), groups, CONFIG)
    assert failed(decision) == {"queries to draw from"}
    assert not decision.promote
    assert "unknowns alone" in decision.reason


def test_a_first_release_is_judged_by_floors() -> None:
    decision = apply_floors(answers(TRUTH), CONFIG)
    assert decision.promote
    assert decision.production is None
    assert [gate.name for gate in decision.gates] == [
        "recall@1", "TPIR", "TNIR", "precision", "latency", "size"
    ]  # fmt: skip
    assert failed(apply_floors(answers(wrong_in(12, each=4)), CONFIG)) == {"recall@1", "TPIR"}
    assert failed(apply_floors(answers(wrong_in(0, unknowns=6)), CONFIG)) == {"TNIR"}


def with_figures(**figures: float | None) -> AnsweredQueries:
    good = answers(TRUTH)
    return good.model_copy(update={"metrics": good.metrics.model_copy(update=figures)})


@pytest.mark.parametrize(
    ("figures", "name", "mend"),
    [
        ({"recall_at_1": 0.4, "tpir": 0.6}, "recall@1", "more photos of each class"),
        ({"recall_at_1": 0.7, "tpir": 0.59}, "TPIR", "a higher `packaging.fpir`"),
        ({"tnir": 0.4}, "TNIR", "a lower `packaging.fpir`"),
        ({"precision": 0.5}, "precision", "classes that are taken for each other"),
    ],
)
def test_a_floor_that_is_missed_names_what_mends_it(figures: dict[str, float], name: str, mend: str) -> None:
    decision = apply_floors(with_figures(**figures), CONFIG)
    assert failed(decision) == {name}
    assert mend in gate(decision, name).detail
    assert mend in decision.reason


def test_a_rule_that_refuses_what_is_retrieved_right_is_told_and_stops_nothing() -> None:
    pressed = with_figures(recall_at_1=0.985, tpir=0.7)
    decision = apply_floors(pressed, CONFIG)
    assert decision.promote
    assert "the rule refuses 29% of what is retrieved right" in gate(decision, "rule").detail
    assert "but the rule refuses 29%" in decision.reason
    later = apply_gates(pressed, answers(wrong_in(10)), GROUPS, CONFIG)
    assert later.promote
    assert "but the rule refuses 29%" in later.reason
    assert "rule" not in {gate.name for gate in apply_floors(with_figures(recall_at_1=0.9, tpir=0.75), CONFIG).gates}
    assert not apply_floors(with_figures(recall_at_1=0.9, tpir=0.4), CONFIG).promote


def test_a_floor_on_what_could_not_be_computed_fails() -> None:
    enrolled = TRUTH >= 0
    decision = apply_floors(answers(TRUTH[enrolled], truth=TRUTH[enrolled]), CONFIG)
    assert failed(decision) == {"TNIR"}
    assert "could not be computed" in decision.reason
    unknowns = apply_floors(answers(TRUTH[~enrolled], truth=TRUTH[~enrolled]), CONFIG)
    assert failed(unknowns) == {"recall@1", "TPIR", "precision"}


def test_where_no_class_can_be_asked_as_unknown_photos_from_elsewhere_count() -> None:
    assert failed(apply_floors(with_figures(tnir=None, elsewhere_tnir=0.4), CONFIG)) == {"TNIR"}
    single = with_figures(tnir=None, elsewhere_tnir=0.9)
    assert apply_floors(single, CONFIG).promote
    assert gate(apply_gates(single, single, GROUPS, CONFIG), "TNIR not worse").passed
    worse = with_figures(tnir=None, elsewhere_tnir=0.8)
    assert not gate(apply_gates(worse, single, GROUPS, CONFIG), "TNIR not worse").passed


def test_a_floor_on_what_is_not_a_number_fails() -> None:
    good = answers(TRUTH)
    odd = good.model_copy(update={"metrics": good.metrics.model_copy(update={"recall_at_1": float("nan")})})
    assert failed(apply_floors(odd, CONFIG)) == {"recall@1"}


def test_the_release_in_production_is_not_promoted_again() -> None:
    decision = already_in_production("0123456789abcdef")
    assert not decision.promote
    assert "0123456789abcdef is in production already" in decision.reason


def test_the_decision_is_the_same_every_time_and_survives_json() -> None:
    arguments: tuple[Any, ...] = (answers(TRUTH), answers(wrong_in(10)), GROUPS, CONFIG)
    decision = apply_gates(*arguments)
    assert apply_gates(*arguments) == decision
    assert PromotionDecision.model_validate_json(decision.model_dump_json()) == decision


def test_all_figures_of_both_lie_in_the_decision() -> None:
    decision = apply_gates(answers(TRUTH), answers(wrong_in(10)), GROUPS, CONFIG)
    assert isinstance(decision.candidate, Metrics)
    assert isinstance(decision.production, Metrics)
    assert decision.candidate.recall_at_1 == 1.0


@pytest.mark.parametrize("key", ["worse_by", "class_loses", "tnir_worse_by", "latency_ms", "size_mb", "resamples"])
def test_a_gate_below_zero_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        GateConfig.model_validate({key: -1})


def test_loosened_limits_are_told_and_stricter_ones_are_not() -> None:
    config = GateConfig(least_recall_at_1=0.3, least_tnir=0.9, worse_by=0.05, latency_ms=50, size_mb=200)
    assert config.loosened(first=True) == {"least_recall_at_1": (0.3, 0.5), "size_mb": (200.0, 100.0)}
    assert config.loosened(first=False) == {"worse_by": (0.05, 0.01), "size_mb": (200.0, 100.0)}
    assert GateConfig().loosened(first=True) == GateConfig().loosened(first=False) == {}


def test_every_limit_takes_part_in_a_decision() -> None:
    limits = set(GateConfig.model_fields) - {"resamples", "seed"}
    assert limits == {*gates.FLOORS, *gates.ALLOWANCES, *gates.BUDGETS}


def test_a_floor_that_is_just_missed_does_not_read_as_reached() -> None:
    right = answers(TRUTH)
    missed = right.model_copy(update={"metrics": right.metrics.model_copy(update={"recall_at_1": 0.49999})})
    found = gate(apply_floors(missed, GateConfig()), "recall@1")
    assert not found.passed
    assert found.detail.startswith("0.49999, at least 0.50000 wanted")

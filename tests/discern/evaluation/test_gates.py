from __future__ import annotations

import re
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
from discern.evaluation.metrics import Metrics, macro_precision_recall, measure
from tests.discern.evaluation.cases import ACCEPT_ALL, results

CLASSES = 12
EACH = 10
UNKNOWNS = 120
TRUTH = np.concatenate([np.repeat(np.arange(CLASSES), EACH), np.full(UNKNOWNS, -1)])
GROUPS = [f"class {number:02}" if number >= 0 else f"unknown {row % 6}" for row, number in enumerate(TRUTH)]
CONFIG = GateConfig(worse_by=0.03, tnir_worse_by=0.03)  # what 120 queries of 12 classes can rule out
COMPARED = {f"{name} not worse" for name in ("accuracy", "precision", "recall", "TPIR", "TNIR")}


def answers(
    answered: np.ndarray, latency_ms: float = 10.0, size_mb: float = 5.0, truth: np.ndarray = TRUTH
) -> AnsweredQueries:
    """AnsweredQueries with the figures that follow from them."""
    rows = [-1.0 if name < 0 else 1.0 for name in answered]  # what got no name lies below any threshold
    found = results(truth.tolist(), np.maximum(answered, 0).tolist(), rows, [-1.0] * len(rows), classes=CLASSES)
    named = measure(found, ACCEPT_ALL)
    unknowns = truth < 0
    refusal = float((answered[unknowns] == -1).mean()) if unknowns.any() else None
    precision, _ = macro_precision_recall(truth, answered)
    own = {"tnir": refusal, "accuracy": float((answered == truth).mean()), "precision": precision}
    figures = named.model_copy(update=own)
    return AnsweredQueries(truth=truth, answered=answered, metrics=figures, latency_ms=latency_ms, size_mb=size_mb)


def wrong_in(classes: int, each: int = 4, unknowns: int = 0, *, misnamed: bool = False) -> np.ndarray:
    """Answers with the first `each` queries of the first classes refused or misnamed, and the first unknowns named."""
    answered = TRUTH.copy()
    for number in range(classes):
        answered[number * EACH : number * EACH + each] = (number + 1) % CLASSES if misnamed else -1
    answered[CLASSES * EACH : CLASSES * EACH + unknowns] = 0
    return answered


def gate(decision: PromotionDecision, name: str) -> GateResult:
    (found,) = [gate for gate in decision.gates if gate.name == name]
    return found


def failed(decision: PromotionDecision) -> set[str]:
    return {gate.name for gate in decision.gates if not gate.passed}


def test_a_better_candidate_passes_every_gate() -> None:
    decision = apply_gates(answers(TRUTH), answers(wrong_in(12, unknowns=12, misnamed=True)), GROUPS, CONFIG)
    assert failed(decision) == set()
    assert decision.promote
    assert decision.outcome == "promoted"
    assert decision.reason.startswith("better on accuracy: +25.0 points, at least +")
    assert {gate.name for gate in decision.gates if gate.counts} == {
        *COMPARED,
        "better on accuracy",
        "no class loses",
        "recall@1",
        "TPIR",
        "TNIR",
        "precision",
        "latency",
        "latency against production",
        "size",
    }
    assert decision.differences["accuracy"].difference == pytest.approx(60 / 240)


def test_identical_answers_are_refused_as_not_better() -> None:
    same = answers(wrong_in(4))
    decision = apply_gates(same, same, GROUPS, GateConfig(worse_by=0.05, tnir_worse_by=0.05))
    assert failed(decision) == {"better on accuracy"}
    assert decision.outcome == "refused"
    assert "+0.0 points" in decision.reason
    assert "points would be seen in 80 % of such test sets" in decision.reason


def test_answers_that_differ_nowhere_do_not_show_that_nothing_is_lost() -> None:
    same = answers(wrong_in(4))
    interval = apply_gates(same, same, GROUPS, CONFIG).differences["TNIR"]
    assert interval.difference == 0
    assert interval.low < 0 < interval.high


def test_a_worse_candidate_fails_what_it_is_worse_on() -> None:
    decision = apply_gates(answers(wrong_in(10, unknowns=12)), answers(TRUTH), GROUPS, CONFIG)
    assert failed(decision) == {*COMPARED, "better on accuracy"}
    assert decision.outcome == "refused"
    assert all(gate(decision, name).told for name in COMPARED)


def test_a_loss_that_is_not_ruled_out_cannot_be_told_and_says_how_much_would_tell() -> None:
    candidate, production = TRUTH.copy(), wrong_in(12)
    candidate[CLASSES * EACH :: 30] = 0  # four unknowns get a name, four others do so in production
    production[CLASSES * EACH + 7 :: 30] = 0
    decision = apply_gates(answers(candidate), answers(production), GROUPS, CONFIG)
    assert failed(decision) == {"TNIR not worse"}
    assert decision.outcome == "cannot be told"
    assert not decision.promote
    told = gate(decision, "TNIR not worse").detail
    assert re.search(
        r"^\+0\.0 points, at least -\d.*, may lose 3\.0; a test split about \d+\.\d times as",
        told,
    )


def test_a_loss_that_is_shown_beside_one_that_is_not_is_a_refusal() -> None:
    production = wrong_in(12)
    production[CLASSES * EACH] = 0
    slow = answers(TRUTH, latency_ms=90)
    decision = apply_gates(slow, answers(production), GROUPS, GateConfig(worse_by=0.03, tnir_worse_by=0))
    assert failed(decision) == {"TNIR not worse", "latency against production"}
    assert decision.outcome == "refused"


def losing(each: int) -> tuple[AnsweredQueries, AnsweredQueries]:
    """A candidate that loses the first queries of class 00, and wins in all others."""
    candidate, production = TRUTH.copy(), wrong_in(CLASSES)
    candidate[:each] = -1
    production[:EACH] = 0
    return answers(candidate), answers(production)


def test_one_class_that_is_shown_to_lose_stops_a_candidate_that_wins_elsewhere() -> None:
    decision = apply_gates(*losing(10), GROUPS, CONFIG.model_copy(update={"worse_by": 1.0}))
    assert failed(decision) == {"no class loses"}
    assert "class 00 loses 100%, 34% of its queries may be lost" in decision.reason
    assert "a class that loses 9 and wins none would be seen" in decision.reason


def test_a_class_may_lose_what_is_allowed_and_what_chance_explains() -> None:
    for each, allowed in ((10, 1.0), (8, 0.34)):
        config = CONFIG.model_copy(update={"worse_by": 1.0, "class_loses": allowed})
        assert gate(apply_gates(*losing(each), GROUPS, config), "no class loses").passed


def test_a_class_that_is_shown_to_lose_what_is_allowed_is_named() -> None:
    groups = [name for name in ("a", "b") for _ in range(100)]
    truth = np.repeat([0, 1], 100)
    worse = truth.copy()
    worse[:33] = -1
    config = CONFIG.model_copy(update={"worse_by": 1.0, "least_classes": 2})
    found = gate(
        apply_gates(answers(worse, truth=truth), answers(truth, truth=truth), groups, config), "no class loses"
    )
    assert found.passed
    assert found.detail.startswith("a loses 33%, 34% of its queries may be lost")


def test_where_no_class_has_enough_queries_to_show_a_loss_that_cannot_be_told() -> None:
    groups = [f"{name} {row % 2}" for row, name in enumerate(GROUPS)]
    groups = [f"{name} {row % 5}" if "unknown" in name else name for row, name in enumerate(groups)]
    config = CONFIG.model_copy(update={"worse_by": 1.0, "tnir_worse_by": 1.0})
    decision = apply_gates(answers(TRUTH), answers(wrong_in(12)), groups, config)
    assert failed(decision) == {"no class loses"}
    assert decision.outcome == "cannot be told"
    assert "add test photos, or allow any loss by `gates.class_loses: 1`" in decision.reason


def test_unknowns_who_get_names_stop_a_candidate() -> None:
    production = answers(wrong_in(12))
    candidate = answers(wrong_in(0, unknowns=30))
    found = gate(apply_gates(candidate, production, GROUPS, CONFIG), "TNIR not worse")
    assert not found.passed
    assert found.told
    lenient = GateConfig(tnir_worse_by=0.5)
    assert gate(apply_gates(candidate, production, GROUPS, lenient), "TNIR not worse").passed


def test_without_unknowns_refusal_cannot_be_told() -> None:
    enrolled = TRUTH >= 0
    groups = [name for name, keep in zip(GROUPS, enrolled, strict=True) if keep]
    ours = answers(TRUTH[enrolled], truth=TRUTH[enrolled])
    theirs = answers(wrong_in(12)[enrolled], truth=TRUTH[enrolled])
    decision = apply_gates(ours, theirs, groups, CONFIG)
    assert failed(decision) == {"TNIR not worse", "TNIR"}
    assert "0 classes of such queries, 5 wanted: not computed" in decision.reason


def test_without_unknowns_paired_photos_from_elsewhere_are_compared() -> None:
    enrolled = TRUTH >= 0
    groups = [name for name, keep in zip(GROUPS, enrolled, strict=True) if keep]
    refused = np.arange(400) % 20 > 0
    ours, theirs = (answers(answered[enrolled], truth=TRUTH[enrolled]) for answered in (TRUTH, wrong_in(12)))
    old = theirs.model_copy(update={"elsewhere_refused": refused})
    for named, passes in ((0, True), (30, False)):
        again = refused & (np.arange(400) >= named)
        new = ours.model_copy(update={"elsewhere_refused": again})
        assert gate(apply_gates(new, old, groups, CONFIG), "TNIR not worse").passed == passes


@pytest.mark.parametrize(
    ("cost", "name"),
    [({"latency_ms": 100.1}, "latency"), ({"size_mb": 100.1}, "size"), ({"latency_ms": float("nan")}, "latency")],
)
def test_a_candidate_over_budget_is_stopped_first_or_not(cost: dict[str, float], name: str) -> None:
    candidate = answers(TRUTH).model_copy(update=cost)
    assert failed(apply_floors(candidate, CONFIG)) == {name}
    assert name in failed(apply_gates(candidate, answers(wrong_in(12)), GROUPS, CONFIG))


@pytest.mark.parametrize(("ours", "theirs"), [(16.0, 10.0), (10.0, 0.0), (10.0, float("nan")), (float("nan"), 10.0)])
def test_latency_is_held_against_productions(ours: float, theirs: float) -> None:
    name = "latency against production"
    production = answers(wrong_in(12), latency_ms=theirs)
    assert name in failed(apply_gates(answers(TRUTH, latency_ms=ours), production, GROUPS, CONFIG))
    assert name not in failed(apply_gates(answers(TRUTH, latency_ms=15.0), answers(TRUTH), GROUPS, CONFIG))


def test_memory_that_was_not_measured_is_in_no_budget() -> None:
    config = GateConfig(memory_mb=200)
    assert gate(apply_floors(answers(TRUTH), config), "memory").detail == "not measured, budget 200 MB"
    for used, passes in ((199.0, True), (201.0, False)):
        measured = answers(TRUTH).model_copy(update={"memory_mb": used})
        assert gate(apply_floors(measured, config), "memory").passed == passes
    assert "memory" not in {gate.name for gate in apply_floors(answers(TRUTH), CONFIG).gates}


def test_floors_hold_beside_production() -> None:
    nothing = answers(wrong_in(CLASSES, each=EACH))
    wrong = TRUTH.copy()
    wrong[TRUTH >= 0] = (TRUTH[TRUTH >= 0] + 1) % CLASSES
    decision = apply_gates(nothing, answers(wrong), GROUPS, CONFIG)
    assert failed(decision) >= {"recall@1", "TPIR"}
    assert decision.outcome == "refused"


def test_a_loss_that_is_allowed_once_is_not_allowed_again() -> None:
    first, second, third = (answers(wrong_in(10 - losses, unknowns=losses)) for losses in (0, 5, 10))
    config = GateConfig(worse_by=0.03, tnir_worse_by=0.1)
    assert gate(apply_gates(second, first, GROUPS, config), "TNIR not worse").passed
    decision = apply_gates(third, second, GROUPS, config, best_past=[second, first])
    assert gate(decision, "TNIR not worse").passed
    past = gate(decision, "TNIR not worse than the best of the past")
    assert not past.passed
    assert past.detail.startswith("-8.3 points")
    assert gate(decision, "accuracy not worse than the best of the past").passed


def test_mcnemars_test_is_told_beside_the_interval_and_stops_nothing() -> None:
    decision = apply_gates(answers(TRUTH), answers(wrong_in(10)), GROUPS, CONFIG)
    told = gate(decision, "McNemar's test")
    assert not told.counts
    assert told.detail == "40 queries won, 0 lost, p = 0.000"
    one_class = apply_gates(answers(TRUTH), answers(wrong_in(1, each=8)), GROUPS, CONFIG)
    assert "the interval over classes says otherwise" in gate(one_class, "McNemar's test").detail


def test_other_queries_are_an_error() -> None:
    other = TRUTH.copy()
    other[0] = 1
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(other, truth=other), GROUPS, CONFIG)
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(TRUTH[:-1], truth=TRUTH[:-1]), GROUPS, CONFIG)
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(TRUTH), GROUPS[:-1], CONFIG)
    with pytest.raises(ValueError, match="different queries"):
        apply_gates(answers(TRUTH), answers(TRUTH), GROUPS, CONFIG, [answers(other, truth=other)])


def one_class(right: int, of: int = 40) -> AnsweredQueries:
    """Queries of one class, of which so many are answered, and unknowns that are refused."""
    truth = np.concatenate([np.zeros(of, np.int64), np.full(UNKNOWNS, -1)])
    return answers(np.where(np.arange(len(truth)) < right, 0, -1), truth=truth)


def test_of_one_class_each_query_stands_for_itself() -> None:
    groups = ["pill"] * 40 + ["unknown"] * UNKNOWNS
    decision = apply_gates(one_class(38), one_class(20), groups, GateConfig(worse_by=0.1, tnir_worse_by=0.1))
    assert decision.promote, decision.reason
    assert apply_gates(one_class(38), one_class(20), groups, CONFIG).outcome == "cannot be told"
    accuracy = decision.differences["accuracy"]
    assert 0 < accuracy.low < accuracy.difference < accuracy.high
    assert not apply_gates(one_class(21), one_class(20), groups, CONFIG).promote
    assert not apply_gates(one_class(20), one_class(38), groups, CONFIG).promote


def small(classes: int, each: int) -> tuple[AnsweredQueries, list[str]]:
    """A few queries of a few classes, each asked as an unknown too, all answered right."""
    known = np.repeat(np.arange(classes), each)
    truth = np.concatenate([known, np.full(len(known), -1)])
    return answers(truth, truth=truth), [f"class {number}" for number in [*known, *known]]


@pytest.mark.parametrize(
    ("classes", "each", "missing"),
    [
        (1, 5, "5 queries of enrolled classes, 15 too few"),
        (3, 3, "9 queries of enrolled classes, 11 too few and 3 enrolled classes, 2 too few"),
        (4, 50, "4 enrolled classes, 1 too few"),
        (19, 1, "19 queries of enrolled classes, 1 too few"),
    ],
)
def test_on_a_tiny_test_set_nothing_is_told_and_what_is_missing_is(classes: int, each: int, missing: str) -> None:
    candidate, groups = small(classes, each)
    nothing = answers(np.full(len(groups), -1), truth=candidate.truth)
    decision = apply_gates(candidate, nothing, groups, CONFIG)
    assert decision.outcome == "cannot be told"
    assert failed(decision) == {"enough to tell"}
    assert missing in decision.reason
    assert apply_floors(candidate, CONFIG).promote


def test_five_classes_can_show_a_large_gain() -> None:
    candidate, groups = small(5, 60)
    production = np.where((candidate.truth >= 0) & (np.arange(600) % 2 == 0), -1, candidate.truth)
    decision = apply_gates(candidate, answers(production, truth=candidate.truth), groups, CONFIG)
    assert decision.outcome == "promoted"


def test_queries_of_unknowns_alone_promote_nothing() -> None:
    unknowns, production = np.full(6, -1), np.array([-1, -1, -1, -1, -1, 0])
    groups = [f"unknown {number}" for number in range(6)]
    decision = apply_gates(answers(unknowns, truth=unknowns), answers(production, truth=unknowns), groups, CONFIG)
    assert failed(decision) >= {"enough to tell", "recall@1"}
    assert not decision.promote
    assert "unknowns alone" in decision.reason


def test_a_first_release_is_judged_by_floors() -> None:
    decision = apply_floors(answers(TRUTH), CONFIG)
    assert decision.promote
    assert decision.production is None
    assert [gate.name for gate in decision.gates] == [
        "recall@1", "TPIR", "TNIR", "precision", "latency", "size"
    ]  # fmt: skip
    assert failed(apply_floors(answers(wrong_in(12, each=8)), CONFIG)) == {"recall@1", "TPIR"}
    assert failed(apply_floors(answers(wrong_in(0, unknowns=70)), CONFIG)) == {"TNIR"}


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
    later = apply_gates(pressed, answers(wrong_in(12)), GROUPS, CONFIG)
    assert later.promote, later.reason
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
    assert apply_floors(with_figures(tnir=None, elsewhere_tnir=0.9), CONFIG).promote


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


def test_a_decision_of_before_is_still_read() -> None:
    gates = [{"name": "size", "passed": False, "detail": "101.0 MB, budget 100 MB"}]
    interval = {"difference": 0.1, "low": 0.05, "high": 0.15}
    stored = {"promote": False, "reason": "size", "gates": gates, "differences": {"accuracy": interval}}
    decision = PromotionDecision.model_validate(stored)
    assert decision.outcome == "refused"
    assert decision.differences["accuracy"].at_least is None


LIMITS = sorted(set(GateConfig.model_fields))


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_limit_below_zero_or_not_finite_is_refused(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=key):
        GateConfig.model_validate({key: value})


@pytest.mark.parametrize("key", ["worse_by", "class_loses", "tnir_worse_by"])
def test_more_than_all_cannot_be_lost(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        GateConfig.model_validate({key: 2.0})


def test_loosened_limits_are_told_and_stricter_ones_are_not() -> None:
    config = GateConfig(
        least_recall_at_1=0.3, least_tnir=0.9, worse_by=0.05, latency_ms=50, size_mb=200, memory_mb=9, least_classes=3
    )
    own = {"least_recall_at_1": (0.3, 0.5), "size_mb": (200.0, 100.0)}
    assert config.loosened(first=True) == own
    assert config.loosened(first=False) == own | {"worse_by": (0.05, 0.01), "least_classes": (3.0, 5.0)}
    assert GateConfig().loosened(first=True) == GateConfig().loosened(first=False) == {}


def test_every_limit_takes_part_in_a_decision() -> None:
    assert set(GateConfig.model_fields) == {*gates.FLOORS, *gates.ALLOWANCES, *gates.BUDGETS}


def test_a_floor_that_is_just_missed_does_not_read_as_reached() -> None:
    right = answers(TRUTH)
    missed = right.model_copy(update={"metrics": right.metrics.model_copy(update={"recall_at_1": 0.49999})})
    found = gate(apply_floors(missed, GateConfig()), "recall@1")
    assert not found.passed
    assert found.detail.startswith("0.49999, at least 0.50000 wanted")

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from discern.enrolment.gates import EnrolmentGates, judge_enrolment
from discern.enrolment.photos import NewPhotos, read_photos
from discern.enrolment.proposal import Proposal, propose
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.evaluation.metrics import Metrics
from discern.sources.enrolled.ledger import OfferedPhoto
from edge_runtime.core.decision import DecisionRule
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_jpeg, encode_png
from edge_runtime.core.release import Release
from tests.discern import toy

NEW, KNOWN = toy.TRAINED[0], toy.TEST[1]
LAX = EnrolmentGates(tpir_worse_by=1, tnir_worse_by=1, worse_than_trained_by=1)


@pytest.fixture(scope="module")
def base(candidate: tuple[Release, Metrics]) -> Release:
    return candidate[0]


def photos(release: Release, label: str, shows: str, count: int = 4) -> NewPhotos:
    """Photos that are labelled `label` and show the class `shows`."""
    offered = [OfferedPhoto(label, f"{n}.png", encode_png(toy.disc(shows, 40 + n))) for n in range(count)]
    return read_photos(release, Identifier(release).model, offered)


@pytest.fixture(scope="module")
def proposal(base: Release) -> Proposal:
    return propose(base, Identifier(base), photos(base, NEW, NEW))


def named(decision: PromotionDecision, name: str) -> GateResult:
    return next(gate for gate in decision.gates if gate.name == name)


def accepting(proposal: Proposal) -> Proposal:
    """The same with a rule that names whatever is nearest."""
    reports = tuple(
        replace(report, answer=report.label if report.excess < 0 else report.other) for report in proposal.reports
    )
    return replace(proposal, rule=DecisionRule(-1, 0, 0.6), base_rule=DecisionRule(-1, 0, 0.6), reports=reports)


def test_a_class_that_is_found_and_harms_none_is_enrolled(proposal: Proposal) -> None:
    decision = judge_enrolment(accepting(proposal), LAX)
    assert decision.promote, decision.reason
    assert decision.reason == "new photos are found, and the other classes keep their answers"
    assert named(decision, f"{NEW} is found").detail.startswith("4 of 4 new photos found when left out of the gallery")
    assert {"TPIR", "TNIR"} <= set(decision.differences)


def test_a_class_that_is_taken_for_another_names_it(base: Release) -> None:
    """Photos of one class under two labels."""
    sibling = toy.TEST[1]
    twin = accepting(propose(base, Identifier(base), photos(base, "twin", sibling)))
    taken = tuple(replace(report, answer=sibling) for report in twin.reports)
    decision = judge_enrolment(replace(twin, reports=taken), LAX)
    gate = named(decision, "twin is found")
    assert not decision.promote
    assert gate.detail == (
        f"0 of 4 new photos found when left out of the gallery, 4 are taken for {sibling}: take sharper photos of what "
        "tells it apart, or give both one label"
    )


def test_one_photo_of_a_new_class_cannot_be_told(base: Release) -> None:
    alone = propose(base, Identifier(base), photos(base, NEW, NEW, count=1))
    gate = named(judge_enrolment(alone, LAX), f"{NEW} is found")
    assert (gate.passed, gate.detail) == (False, "it has 1 photo, which cannot be told: add 1 more")
    assert named(judge_enrolment(alone, LAX.model_copy(update={"least_photos": 1})), f"{NEW} is found").passed


def test_other_classes_must_not_suffer(proposal: Proposal) -> None:
    """A rule that names nothing any more."""
    strict = replace(accepting(proposal), rule=DecisionRule(2, 0, 0.6))
    decision = judge_enrolment(strict, EnrolmentGates())
    assert not named(decision, "TPIR is kept").passed
    assert not named(decision, "TPIR since the last training").passed
    assert "train again" in named(decision, "TPIR since the last training").detail
    assert named(decision, "TNIR is kept").passed


def test_losses_add_up_against_the_last_training(proposal: Proposal) -> None:
    """As good as the release before, and worse than what the last training made."""
    same = accepting(proposal)
    right = [
        label if enrolled else None
        for label, enrolled in zip(same.after.query_labels, same.after.enrolled, strict=True)
    ]
    trained = replace(same, data=replace(same.data, trained_answers=right), rule=DecisionRule(2, 0, 0.6))
    before = replace(trained, base_rule=trained.rule)
    decision = judge_enrolment(before, EnrolmentGates())
    assert named(decision, "TPIR is kept").passed
    assert not named(decision, "TPIR since the last training").passed


def test_photos_that_cannot_be_used_are_named(proposal: Proposal) -> None:
    dark = replace(proposal.new, faults=["", "The photo is too dark.", "", ""])
    gate = named(judge_enrolment(replace(proposal, new=dark), LAX), "photos can be used")
    assert (gate.passed, gate.detail) == (False, "1.png: The photo is too dark.")


def asked_only(proposal: Proposal, chosen: NDArray[np.bool_]) -> Proposal:
    """The same, measured on the chosen queries [q] alone."""
    trained = [proposal.data.trained_answers[row] for row in np.flatnonzero(chosen)]
    return replace(
        proposal,
        after=proposal.after.take(chosen),
        before=proposal.before.take(chosen),
        data=replace(proposal.data, trained_answers=trained),
    )


def test_without_unknown_queries_photos_from_elsewhere_are_the_unknowns(proposal: Proposal) -> None:
    known = asked_only(proposal, proposal.after.enrolled)
    before, after = np.ones(8, dtype=bool), np.arange(8) >= 4
    gates = EnrolmentGates()
    for refused, passed in (((before, before), True), ((after, before), False)):
        gate = named(judge_enrolment(replace(known, elsewhere=refused), gates), "TNIR is kept")
        assert (gate.passed, gate.counts) == (passed, True), gate.detail


def test_what_cannot_be_compared_is_not_told_and_stops_nothing(proposal: Proposal) -> None:
    for chosen in (proposal.after.enrolled, np.zeros_like(proposal.after.enrolled)):
        decision = judge_enrolment(replace(asked_only(proposal, chosen), elsewhere=None), LAX)
        gate = named(decision, "TNIR is kept")
        assert (gate.passed, gate.counts) == (True, False)
        assert gate.detail == "fewer than two test queries can be compared: not told"


def test_the_queries_of_one_other_class_are_compared_one_by_one(proposal: Proposal) -> None:
    one = np.array([label == toy.TEST[1] for label in proposal.after.query_labels])
    kept = asked_only(accepting(proposal), one)
    lost = replace(kept, rule=DecisionRule(2, 0, 0.6))
    for case, passed in ((kept, True), (lost, False)):
        gate = named(judge_enrolment(case, EnrolmentGates()), "TPIR is kept")
        assert (gate.passed, gate.counts) == (passed, True), gate.detail


@pytest.fixture(scope="module")
def further(base: Release) -> Proposal:
    """Four more photos of a class that is enrolled."""
    return propose(base, Identifier(base), photos(base, KNOWN, KNOWN))


def test_further_photos_of_a_class_are_judged_by_themselves(further: Proposal) -> None:
    """The two photos of before, which are found, do not make up for new ones that are not."""
    new = {report.row for report in further.new_reports}
    assert len(new) == 4 < len(further.reports)
    reports = tuple(replace(report, answer=None if report.row in new else KNOWN) for report in further.reports)
    decision = judge_enrolment(replace(further, reports=reports), EnrolmentGates(least_found=0.2))
    gate = named(decision, f"{KNOWN} is found")
    assert not gate.passed
    assert gate.detail.startswith("0 of 4 new photos found when left out of the gallery")


def test_a_class_that_gets_further_photos_must_not_lose_its_own_queries(further: Proposal) -> None:
    gate = f"{KNOWN} keeps its answers"
    same = accepting(further)
    kept = named(judge_enrolment(same, EnrolmentGates()), gate)
    assert (kept.passed, kept.detail) == (True, "4 of 4 test queries right, 4 before")
    lost = named(judge_enrolment(replace(same, rule=DecisionRule(2, 0, 0.6)), EnrolmentGates()), gate)
    assert (lost.passed, lost.detail.partition(":")[0]) == (False, "0 of 4 test queries right, 4 before")
    replaced = propose(further.base, Identifier(further.base), further.new, replaced=frozenset({KNOWN}))
    assert gate not in {one.name for one in judge_enrolment(replaced, LAX).gates}


def test_a_person_decides_on_photos_of_another_thing_under_a_known_label(base: Release, further: Proposal) -> None:
    """They find each other and harm no query."""
    gate = f"{KNOWN} looks as before"
    assert named(judge_enrolment(further, LAX), gate).passed
    other = propose(base, Identifier(base), photos(base, KNOWN, toy.TRAINED[3], count=8))
    decision = judge_enrolment(other, LAX)
    assert decision.outcome == "cannot be told", decision.reason
    assert [one.name for one in decision.gates if not one.passed] == [gate]
    assert named(decision, gate).detail.startswith(
        "0 of 8 new photos get its name already, so that they may show another"
    )
    assert named(decision, f"{KNOWN} is found").detail.startswith("8 of 8 new photos found")
    assert judge_enrolment(other, LAX.model_copy(update={"least_known": 0})).promote


@pytest.mark.parametrize("kind", ["equal", "compressed"])
def test_one_photo_that_is_given_twice_is_one(base: Release, kind: str) -> None:
    pixels = toy.disc(NEW, 40).repeat(8, axis=0).repeat(8, axis=1)
    again = encode_png(pixels) if kind == "equal" else encode_jpeg(pixels)
    offered = [OfferedPhoto(NEW, "1.png", encode_png(pixels)), OfferedPhoto(NEW, "2.png", again)]
    twice = propose(base, Identifier(base), read_photos(base, Identifier(base).model, offered))
    gate = named(judge_enrolment(twice, LAX), f"{NEW} is found")
    has = "1 photo" if kind == "equal" else "2 photos of 1 picture"
    assert (gate.passed, gate.detail) == (False, f"it has {has}, which cannot be told: add 1 more")
    assert all(report.own_score is None for report in twice.reports)

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from discern.enrolment.gates import EnrolmentGates, judge_enrolment
from discern.enrolment.photos import NewPhotos, read_photos
from discern.enrolment.proposal import Proposal, propose
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.evaluation.metrics import Metrics
from discern.sources.enrolled.ledger import OfferedPhoto
from edge_runtime.core.decision import DecisionRule
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_png
from edge_runtime.core.release import Release
from tests.discern import toy

NEW = toy.TRAINED[0]
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
    assert named(decision, f"{NEW} is found").detail.startswith("4 of 4 photos found when left out of the gallery")
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
        f"0 of 4 photos found when left out of the gallery, 4 are taken for {sibling}: take sharper photos of what "
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
    assert not named(decision, "TPIR of the other classes is kept").passed
    assert not named(decision, "TPIR since the last training").passed
    assert "train again" in named(decision, "TPIR since the last training").detail
    assert named(decision, "TNIR of the other classes is kept").passed


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
    assert named(decision, "TPIR of the other classes is kept").passed
    assert not named(decision, "TPIR since the last training").passed


def test_photos_that_cannot_be_used_are_named(proposal: Proposal) -> None:
    dark = replace(proposal.new, faults=["", "The photo is too dark.", "", ""])
    gate = named(judge_enrolment(replace(proposal, new=dark), LAX), "photos can be used")
    assert (gate.passed, gate.detail) == (False, "1.png: The photo is too dark.")


def test_what_cannot_be_computed_fails(proposal: Proposal) -> None:
    known = proposal.after.enrolled
    one_kind = replace(
        proposal,
        after=proposal.after.take(known),
        before=proposal.before.take(known),
        data=replace(
            proposal.data, trained_answers=[proposal.data.trained_answers[row] for row in np.flatnonzero(known)]
        ),
    )
    gate = named(judge_enrolment(one_kind, LAX), "TNIR of the other classes is kept")
    assert (gate.passed, "not computed" in gate.detail) == (False, True)

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from discern.enrolment.gates import EnrolmentGates, judge_enrolment
from discern.enrolment.photos import read_photos
from discern.enrolment.proposal import Proposal, build_proposal, propose
from discern.evaluation.gallery_doctor import CurvePoint
from discern.evaluation.metrics import Metrics
from discern.reports.enrolment_page import enrolment_report, enrolment_summary, more_photos
from discern.reports.summary import Origin
from discern.sources.enrolled.ledger import EnrolmentRequest, OfferedPhoto
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_png
from edge_runtime.core.release import Release
from tests.discern import toy
from tests.discern.reports.page_reader import ReadPage

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
NEW = "<i>washer</i>"
REQUEST = EnrolmentRequest(
    use_case="toy <pills>", requested=NOON, by="Ana & Bo", why="new <box>", retire=(toy.TEST[1],)
)
CURVE = (CurvePoint(1, 0.5), CurvePoint(2, 0.8), CurvePoint(5, 0.9))


@pytest.fixture(scope="module")
def proposal(candidate: tuple[Release, Metrics]) -> Proposal:
    base = candidate[0]
    identifier = Identifier(base)
    offered = [
        OfferedPhoto(NEW, f"{n}.png", encode_png(toy.disc(toy.TRAINED[0] if n else toy.TEST[2], 40 + n)))
        for n in range(4)
    ]
    made = propose(base, identifier, read_photos(base, identifier.model, offered), retired=frozenset({toy.TEST[1]}))
    faults = ["", "", "The photo is too dark <1>.", ""]
    return replace(made, new=replace(made.new, faults=faults), data=replace(made.data, curve=CURVE))


@pytest.fixture(scope="module")
def release(proposal: Proposal, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_proposal(tmp_path_factory.mktemp("enrolled") / "release", proposal)


@pytest.fixture(scope="module")
def page(proposal: Proposal, release: Release) -> str:
    return enrolment_report(proposal, judge_enrolment(proposal, EnrolmentGates()), REQUEST, release)


def test_the_page_needs_nothing_beside_it_and_names_are_text(page: str) -> None:
    seen = ReadPage(page)
    assert all(
        address.startswith("data:image/webp;base64,")
        for address in seen.addresses
        if address not in {"#main", "data:,"}
    )
    assert {"script", "iframe", "object", "i"}.isdisjoint(seen.tags)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "Ana & Bo" in seen.text
    assert ": new <box>" in seen.text
    assert f"{NEW}: new, 4 photos" in seen.text
    assert f"{toy.TEST[1]}: retired" in seen.text


def test_failed_gates_stand_first_and_each_photo_has_its_answer(page: str, proposal: Proposal) -> None:
    text = ReadPage(page).text
    decision = judge_enrolment(proposal, EnrolmentGates())
    assert not decision.promote
    for gate in decision.gates:
        assert f"{gate.name} {'met' if gate.passed else 'failed'} {gate.detail}" in text
    assert text.index("Failed gates") < text.index("More photos")
    assert text.count("left out of the gallery") >= 4
    assert "The photo is too dark <1>." in text


def test_what_became_of_a_retired_class_is_told(page: str, proposal: Proposal) -> None:
    answers = proposal.after.answers(proposal.rule)
    unknown = sum(
        int(answer < 0)
        for answer, label, known in zip(answers, proposal.after.query_labels, proposal.before.enrolled, strict=True)
        if label == toy.TEST[1] and known
    )
    assert f"{toy.TEST[1]} {unknown} of 4 test queries unknown" in ReadPage(page).text


def test_more_photos_are_advised_where_they_helped_others() -> None:
    assert more_photos(CURVE, 2) == (
        "More photos would help: other classes got their name in 80% of queries with 2 photos, and in 90% with 5."
    )
    assert more_photos(CURVE, 3).startswith("More photos would help: other classes got their name in 80%")
    assert more_photos(CURVE, 6) == "More photos than 6 raised TPIR of other classes by less than 2%."
    assert more_photos((), 3) == ""


def test_the_index_says_what_was_enrolled(proposal: Proposal, release: Release) -> None:
    decision = judge_enrolment(proposal, EnrolmentGates())
    summary = enrolment_summary(proposal, decision, release, REQUEST, Origin(made=NOON))
    assert (summary.kind, summary.verdict, summary.id) == ("enrolment", "bad", release.id)
    assert summary.figures["new photos"] == "4"
    assert len(summary.pictures) == 4


def test_a_page_that_wins_says_so(proposal: Proposal, release: Release, tmp_path: Path) -> None:
    lax = EnrolmentGates(least_found=0, tpir_worse_by=1, tnir_worse_by=1, worse_than_trained_by=1)
    fine = replace(proposal, new=replace(proposal.new, faults=[""] * 4))
    html = enrolment_report(fine, judge_enrolment(fine, lax), REQUEST, release)
    assert "Enrolled : new photos are found" in ReadPage(html).text
    assert "Failed gates" not in html
